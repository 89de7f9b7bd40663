"""Jobs: how they fail, what a trial's checkpoint keeps, what a dead worker is taken for."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.contracts import StopTrial
from toolkit.engine import seeds
from toolkit.errors import DataError
from toolkit.executors import local
from toolkit.worker.jobs import JobRunner, seed_everything
from toolkit.worker.trial import JobTrial

JOB = {"key": "trial-1", "kind": "train", "seed": 1}


def outcome(error: Exception) -> dict[str, Any]:
    runner = JobRunner({}, [], "cpu")

    def fail(job: object, send: object, stop: object) -> dict[str, Any]:
        raise error

    runner._train = fail  # type: ignore[method-assign]
    return runner.run(JOB, lambda step, values, records: None, lambda: None)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes"), "oom"),
        (RuntimeError("shapes do not fit"), "failed"),
        (StopTrial("drain"), "queued"),
        (StopTrial("pruned"), "pruned"),
    ],
)
def test_how_a_job_ends(error: Exception, state: str) -> None:
    body = outcome(error)
    assert body["state"] == state
    assert body["duration_s"] >= 0
    assert ("Traceback" in body.get("error", "")) == (state in ("oom", "failed"))


def test_a_users_fault_is_a_sentence_with_its_exit_code() -> None:
    body = outcome(DataError("There are no data at /x.", hint="Get them."))
    assert (body["error"], body["exit_code"]) == ("There are no data at /x. Get them.", 2)


def test_memory_is_refused_by_torch_as_expected() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert outcome(caught.value)["state"] == "oom"


def test_checkpoints_come_back_and_hold_no_code(tmp_path: Path) -> None:
    trial = JobTrial.__new__(JobTrial)
    trial._checkpoint = tmp_path / "checkpoint" / "state.pt"
    assert trial.restore() is None
    trial.save({"epoch": 1, "weights": torch.ones(2)})
    trial.save({"epoch": 2, "weights": torch.zeros(2), "names": ["a"]})
    state = trial.restore()
    assert state is not None
    assert state["epoch"] == 2
    assert torch.equal(state["weights"], torch.zeros(2))
    assert [path.name for path in trial._checkpoint.parent.iterdir()] == ["state.pt"]
    trial.save({"object": Path("x")})
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        trial.restore()


def test_seeds_are_told_apart_and_decide_everything() -> None:
    drawn = {seeds.derive(run, number) for run in range(30) for number in range(30)}
    assert len(drawn) == 900
    assert all(0 <= seed < 2**31 for seed in drawn)
    seed_everything(5)
    first = torch.rand(3)
    seed_everything(5)
    assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(
    ("stopped", "kills", "state"),
    [("timeout", 0, "timeout"), ("now", 0, "lost"), (None, 0, "lost"), (None, 1, "oom")],
)
def test_what_a_dead_worker_is_taken_for(
    monkeypatch: pytest.MonkeyPatch, stopped: Any, kills: int, state: str
) -> None:
    monkeypatch.setattr(local, "count_oom_kills", lambda: kills)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    worker = local._Worker(process, 0, 0, None, "trial-1", stopped)
    assert local._explain_death(worker)["state"] == state
