"""The buttons stop the engine that holds a run, and go on with the command that began it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import RecipeError, ToolkitError
from toolkit.report.watch import control
from toolkit.run.lock import NAME

HOLDER = """
import signal, sys, time
from pathlib import Path
from toolkit.run.lock import lock
with lock(Path(sys.argv[1])):
    signal.signal(signal.SIGINT, lambda *_: (print("asked to stop", flush=True), sys.exit(0)))
    print("holding", flush=True)
    time.sleep(60)
"""


def write_manifest(folder: Path, command: list[str], place: Path) -> None:
    folder.mkdir(exist_ok=True)
    known = {"command": command, "working_directory": str(place)}
    (folder / "manifest.json").write_text(json.dumps(known))


def test_stop_asks_the_process_that_holds_the_run(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        assert control.stop(tmp_path) == process.pid
        assert process.stdout.readline() == "asked to stop\n"
    with pytest.raises(ToolkitError, match="No engine"):
        control.stop(tmp_path)


def test_a_process_that_does_not_hold_the_run_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).touch()
    killed: list[Any] = []
    monkeypatch.setattr(os, "kill", lambda *words: killed.append(words))
    for said in (f"pid {os.getpid()} on {socket.gethostname()}", "pid 1 on elsewhere", "starting"):
        monkeypatch.setattr(control, "holder", lambda folder, said=said: said)
        with pytest.raises(ToolkitError, match="No engine of this machine"):
            control.stop(tmp_path)
    assert killed == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["toolkit", "search", "a.yaml", "train.lr=1"], ["search", "a.yaml", "train.lr=1"]),
        (
            ["/x/toolkit/__main__.py", "sweep", "a", "-o", "b", "-s", "k=1"],
            ["sweep", "a", "-s", "k=1"],
        ),
        (["toolkit", "search", "a", "--extend", "trials=5", "--output=b"], ["search", "a"]),
    ],
)
def test_the_command_is_the_one_that_began_the_run(
    tmp_path: Path, given: list[str], expected: list[str]
) -> None:
    write_manifest(tmp_path / "run", given, tmp_path)
    folder = tmp_path / "run"
    assert control.continuing(folder) == ([*expected, "-o", str(folder)], tmp_path)
    assert control.command(folder).startswith(f"cd {tmp_path} && toolkit {expected[0]}")


@pytest.mark.parametrize(
    "command", [["toolkit", "doctor"], ["script.py", "search", "a"], ["toolkit"], []]
)
def test_other_programs_are_not_started(tmp_path: Path, command: list[str]) -> None:
    write_manifest(tmp_path / "run", command, tmp_path)
    with pytest.raises(RecipeError, match="was not started by"):
        control.go_on(tmp_path / "run")


def test_a_run_from_a_place_that_is_gone_says_so(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run", ["toolkit", "search", "a"], tmp_path / "gone")
    with pytest.raises(RecipeError, match="which is gone"):
        control.go_on(tmp_path / "run")


def test_a_run_that_is_at_work_is_not_begun_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / "run", ["toolkit", "search", "a"], tmp_path)
    monkeypatch.setattr(control, "holder", lambda folder: "pid 1 on here")
    with pytest.raises(ToolkitError, match="at work"):
        control.go_on(tmp_path / "run")


def test_watching_ends_with_ctrl_c_alone(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    make_run(tmp_path / "a", (0.1, 0.5))
    words = [sys.executable, "-m", "toolkit", "watch", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
