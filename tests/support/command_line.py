"""The `toolkit` command in this process: the same words, answers and exit codes, no new Python."""

from __future__ import annotations

import io
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from toolkit.cli.app import main

IN_PROCESS = Path(__file__).parent / "in_process.py"
"""The plugin of an executor whose jobs run in this process: `resources.executor=in_process`."""


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


def run_toolkit(*arguments: str | Path, folder: Path | None = None) -> Answer:
    """Runs a command line in a folder, with standard output being no terminal."""
    out, err = _text(), _text()
    with (
        chdir(folder or Path.cwd()),
        patch.object(sys, "argv", ["toolkit", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Answer(int(ended.value.code or 0), _written(out), _written(err))


def _text() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _written(text: io.TextIOWrapper) -> str:
    assert isinstance(text.buffer, io.BytesIO)
    return text.buffer.getvalue().decode()
