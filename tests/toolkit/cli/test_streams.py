"""Output that nobody takes, or that cannot hold a character, ends nothing."""

from __future__ import annotations

import errno
import io
import os
import pty
from pathlib import Path

import pytest

from toolkit.cli.guard import guarded, tolerate, working_in


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


def test_a_full_disk_below_the_output_is_not_laid_to_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", buffering=1)
    monkeypatch.setattr(full.buffer.raw, "name", "<stdout>")

    def command() -> None:
        working_in(tmp_path)
        tolerate(full).write("a line\n")

    with pytest.raises(SystemExit):
        guarded(command)()
    assert "error: standard output: No space left" in capsys.readouterr().err


def test_what_an_encoding_lacks_is_written_as_an_escape() -> None:
    raw = io.BytesIO()
    stream = tolerate(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("0.95 ± 0.01 猫")
    stream.flush()
    assert raw.getvalue() == rb"0.95 \xb1 0.01 \u732b"
