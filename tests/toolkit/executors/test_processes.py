"""Worker processes: what they find, how they are killed, what their death is taken for."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from toolkit.contracts import Slot
from toolkit.executors.processes import (
    kill_session,
    open_pidfd,
    outcome_of_death,
    slot_environment,
    slot_variables,
)


def test_a_slot_is_told_by_environment_variables() -> None:
    alone = slot_variables(Slot(0, "cuda", "GPU-aa", 3))
    assert alone["OMP_NUM_THREADS"] == "3" and alone["CUDA_VISIBLE_DEVICES"] == "GPU-aa"
    assert slot_variables(Slot(0))["CUDA_VISIBLE_DEVICES"] == "", "a CPU slot hides every GPU"
    whole = slot_environment(Slot(1))
    assert whole["PATH"] == os.environ["PATH"] and whole["OMP_NUM_THREADS"] == "1"


@pytest.mark.faults
@pytest.mark.parametrize("leader", ["alive", "dead"])
def test_a_killed_session_takes_its_children_along_even_after_its_leader(leader: str) -> None:
    last = "input()" if leader == "alive" else ""
    code = f"import subprocess as s; print(s.Popen(['sleep', '60']).pid, flush=True); {last}"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    child = open_pidfd(int(process.stdout.readline()))
    assert child is not None
    while leader == "dead" and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) is None:
        time.sleep(0.01)
    kill_session(process.pid)
    assert select.select([child], [], [], 10)[0], "the child lives on"
    os.close(child)
    process.communicate()


@pytest.mark.parametrize(
    ("stopped", "oom", "state"),
    [
        ("timeout", False, "timeout"),
        ("now", True, "lost"),
        (None, False, "lost"),
        (None, True, "oom"),
        ("pruned", False, "lost"),
    ],
)
def test_what_a_dead_worker_is_taken_for(stopped: Any, oom: bool, state: str) -> None:
    outcome = outcome_of_death("It ended by SIGSEGV.", stopped=stopped, oom=oom)
    assert outcome.state == state
    assert outcome.error
    assert (outcome.error == "It ended by SIGSEGV.") == (state == "lost" and stopped != "now")
