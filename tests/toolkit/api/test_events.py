"""Events of a run are followed from another process, to its end however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import toolkit
from command_line import IN_PROCESS
from toolkit.run.events import EventLog
from toolkit.run.folder import RunFolder
from toolkit.run.following import follow

SCRIPT = """
import sys, toolkit
recipe, plugins = {recipe!r}, {plugins!r}
try:
    run = toolkit.search(
        recipe,
        plugins=plugins,
        executor="in_process",
        output="run",
        space={{"pause_s": {pause_s}}},
    )
    print("ended", run.state)
except KeyboardInterrupt as stop:
    print("stopped", stop.exit_code, stop.run.state)
"""


@pytest.fixture
def start(home: Path, recipe: dict[str, Any], plugins: list[Path]) -> Iterator[Any]:
    """Starts a search in a process of its own; returns once its engine is at work."""
    started = []

    def begin(pause_s: float) -> tuple[subprocess.Popen[str], toolkit.Run]:
        final = {"seeds": 1, "random": 0, "baselines": False}
        slow = {**recipe, "space": {"name": "tiny_space"}, "train": {"final": final}}
        paths = list(map(str, [*plugins, IN_PROCESS]))
        code = SCRIPT.format(recipe=slow, plugins=paths, pause_s=pause_s)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (home / "run" / "events.jsonl").is_file() and toolkit.Run("run").state == "running":
                break
            time.sleep(0.02)
        return process, toolkit.Run("run")

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_search_is_followed_until_ctrl_c_and_then_to_its_end(start: Any) -> None:
    process, run = start(0.2)
    for event in run.events():
        if event.name == "trial_reported":
            assert run.state == "running"
            process.send_signal(signal.SIGINT)
            break
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "stopped 130 stopped", "a KeyboardInterrupt that the script survives"
    attempts = run.rows()[0]["attempts"]

    process, run = start(0.2)
    followed = list(run.events())
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "ended done"
    assert run.rows()[0]["attempts"] == attempts + 1
    names = [event.name for event in followed]
    assert names.count("run_started") == names.count("run_ended") == 2
    assert names.count("trial_ended") == 2 + 1
    assert names[-1] == "run_ended"
    assert all(event.time > 0 and "event" not in event.facts for event in followed)
    assert list(run.events()) == followed, "where no engine is at work, following ends at once"
    assert list(run.events(follow=False)) == followed


def test_followers_do_not_wait_for_an_engine_that_was_killed(start: Any) -> None:
    process, run = start(5)
    events = run.events()
    assert next(events).name == "run_started"
    process.kill()
    process.wait()
    assert "run_ended" not in [event.name for event in events]
    assert run.state == "stopped"


def test_a_line_cut_short_is_left_out_and_one_still_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"time": 1, "event": "a", "x": 2}\n{"time": 2, "eve\n{"time": 3, "event"')
    with RunFolder(tmp_path).lock():
        events = follow(tmp_path)
        first = next(events)
        assert (first.name, first.facts, first.time) == ("a", {"x": 2}, 1)
        with path.open("a") as stream:
            stream.write(': "b"}\n{"time": 4, "event": "run_ended", "exit_code": 0}\n{"ti')
        assert [event.name for event in events] == ["b", "run_ended"]


def test_a_run_resumed_while_it_is_followed_loses_and_repeats_no_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with RunFolder(tmp_path).lock():
        path.write_text('{"event": "run_started"}\n{"event": "trial_st')
        events = follow(tmp_path)
        assert next(events).name == "run_started"
    with RunFolder(tmp_path).lock(), closing(EventLog(path)) as log:
        for name in ("run_started", "resumed", "run_ended"):
            log.emit(name)
        assert [event.name for event in events] == ["run_started", "resumed", "run_ended"]
