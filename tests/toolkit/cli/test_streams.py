"""Output that nobody takes, or that cannot hold a character, ends nothing."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import IN_PROCESS
from tiny import PLUGIN
from toolkit.cli.guard import tolerate

RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, trained: true}
strategy: draw
budget: {trials: 2}
resources: {executor: in_process, workers: 1}
train: {epochs: 1, final: {seeds: 2, random: 0, baselines: false}}
"""


@pytest.mark.faults
def test_a_terminal_that_is_gone_is_written_to_in_vain() -> None:
    control, terminal = pty.openpty()
    stream = tolerate(os.fdopen(terminal, "w", buffering=1))
    os.close(control)  # Who writes now gets EIO.
    for _ in range(3):
        stream.write("a line\n")
        stream.flush()


def test_a_full_disk_is_no_reader_that_went_away() -> None:
    stream = tolerate(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", buffering=1))
    with pytest.raises(OSError, match="No space left") as told:
        stream.write("a line\n")
        stream.flush()
    assert told.value.errno == errno.ENOSPC


def test_what_an_encoding_lacks_is_written_as_an_escape() -> None:
    raw = io.BytesIO()
    stream = tolerate(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("0.95 ± 0.01 猫")
    stream.flush()
    assert raw.getvalue() == rb"0.95 \xb1 0.01 \u732b"


def test_a_run_in_a_folder_that_the_terminal_cannot_name_is_whole(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    words = ["search", "tiny.yaml", "--plugin", PLUGIN, "--plugin", IN_PROCESS, "-o", "猫"]
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *map(str, words)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "猫" / "best" / "model.py").is_file()
