"""A search in a real pseudo terminal: resized, stopped by its Ctrl-C key, and never in colour
where `NO_COLOR` is set."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import IN_PROCESS
from tiny import PLUGIN

RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 400, pause_s: 0.05}
strategy: draw
budget: {trials: 3}
resources: {executor: in_process, workers: 1}
train: {epochs: 400, final: {seeds: 1, random: 0, baselines: false}}
"""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo terminal with a command in it."""

    def __init__(self, folder: Path, words: list[str], columns: int, **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns)
        unset = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEADER, *words],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**unset, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1", **environment},
        )
        os.close(slave)
        self.raw = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def read_until(self, pattern: str) -> str:
        """Reads until a text has come, or the command has ended; what came meanwhile."""
        start = len(self.raw)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not re.search(
            pattern, CONTROL.sub("", self.raw[start:])
        ):
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    came = os.read(self.master, 65536)
                except OSError:
                    break
                self.raw += came.decode(errors="replace")
        came = CONTROL.sub("", self.raw[start:])
        assert re.search(pattern, came), came[-2000:]
        return came


LEADER = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Its Ctrl-C key is ours.
from toolkit.cli.app import main
sys.argv[0] = "toolkit"
main()
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    words = ["search", "tiny.yaml", "--plugin", str(PLUGIN), "--plugin", str(IN_PROCESS)]
    made = Terminal(tmp_path, [*words, "-o", "here"], 60, NO_COLOR="1")
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.master)


def test_a_terminal_is_followed_in_its_size_and_its_key_answered(terminal: Terminal) -> None:
    narrow = terminal.read_until(r"epoch \d+ of 400")
    assert "checking one batch" in narrow and "searching 0 of 3" in narrow
    assert max(len(line) for line in re.split(r"[\r\n]+", narrow)) <= 60
    assert "worker 1 cpu" not in narrow
    terminal.resize(100)
    terminal.read_until("worker 1 cpu")
    terminal.press(b"\x03")
    terminal.read_until("finishing 1 epoch, Ctrl-C again to stop now")
    end = terminal.read_until("-o here")
    assert terminal.process.wait(60) == 130
    assert "To go on:" in end and "toolkit search tiny.yaml --plugin " in end
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[349][0-7]m", terminal.raw), "colours in spite of all"
