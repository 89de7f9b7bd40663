"""What the buttons of the page do: stop the engine of a run, and go on with a run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.base.files import json_within
from toolkit.run.lock import NAME, holder

COMMANDS = ("search", "retrain", "sweep")
"""Commands that go on with a run when they are given again."""
PROGRAMS = ("toolkit", "__main__.py")
"""How the toolkit is called: by its name, or as `python -m toolkit`."""
_OUTPUT, _EXTEND = ("-o", "--output"), ("--extend",)
LOG = "continued.log"


def stop(folder: Path) -> int:
    """Asks the engine at work on a run to end after its current epochs; returns its process.

    A second time ends them at once, as Ctrl-C does.

    Raises:
        ToolkitError: none is at work on this machine.
    """
    pid = _engine(folder)
    if pid is None:
        raise ToolkitError(
            f"No engine of this machine is at work on {folder} ({holder(folder) or 'none'}).",
            hint="A run on another machine is stopped there, by Ctrl-C.",
        )
    os.kill(pid, signal.SIGINT)
    return pid


def _engine(folder: Path) -> int | None:
    """The process that holds a run folder, if it is one of this machine."""
    found = re.fullmatch(r"pid (\d+) on (.+)", holder(folder))
    if found is None or found[2] != socket.gethostname():
        return None
    pid = int(found[1])
    return pid if _holds(pid, folder / NAME) else None


def _holds(pid: int, lock: Path) -> bool:
    """Whether a process has the lock's file open; what is written there may be anyone's."""
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            if descriptor.samefile(lock):
                return True
    return False


def continuing(folder: Path) -> tuple[list[str], Path]:
    """Returns the words after `toolkit` that go on with a run, and where they are given.

    They are those it was started with, with the folder stated, and without what `--extend` added.

    Raises:
        RecipeError: the run does not say how it was started, or that place is gone.
    """
    try:
        known = json_within(folder, folder / "manifest.json")
        program, *words = map(str, known["command"])
        words = words if Path(program).name in PROGRAMS else []
        place = Path(known["working_directory"])
    except (OSError, ValueError, KeyError, TypeError):
        words, place = [], Path()
    if not words or words[0] not in COMMANDS:
        raise RecipeError(
            f"{folder} was not started by `toolkit search`, `retrain` or `sweep`.",
            hint="Give the call or the command that began it once more.",
        )
    if not place.is_dir():
        raise RecipeError(
            f"{folder} was started in {place}, which is gone.",
            hint="Give its command once more, from where its recipe is.",
        )
    return [*_without(words, (*_OUTPUT, *_EXTEND)), "-o", str(folder)], place


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Words without some options and their values."""
    kept, skip = [], False
    joined = tuple(f"{option}=" for option in options)
    for word in words:
        if not skip and word not in options and not word.startswith(joined):
            kept.append(word)
        skip = not skip and word in options
    return kept


def command(folder: Path) -> str:
    """Returns the command that goes on with a run, as one types it."""
    words, place = continuing(folder)
    return f"cd {shlex.quote(str(place))} && {shlex.join(['toolkit', *words])}"


def go_on(folder: Path) -> int:
    """Starts an engine that goes on with a run, and outlives the page; returns its process.

    What it prints is in `continued.log` of the folder.

    Raises:
        RecipeError: see `continuing`.
        ToolkitError: an engine is at work already.
    """
    if at_work := holder(folder):
        raise ToolkitError(f"An engine ({at_work}) is at work on {folder} already.")
    words, place = continuing(folder)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", *words],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid
