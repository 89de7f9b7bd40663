"""Standard output and error of jobs: in files of their folders, whatever a job does to them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


@contextmanager
def redirected(folder: Path) -> Iterator[None]:
    """Sends descriptors 1 and 2, also those of C code, to files in a job's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = [os.dup(1), os.dup(2)]
    try:
        for target, name in ((1, "stdout.log"), (2, "stderr.log")):
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(opened, target)
            os.close(opened)
        yield
    finally:
        # Closed or taken away by the job, they must be there for the next one.
        sys.stdout = _flushed(sys.stdout, 1)
        sys.stderr = _flushed(sys.stderr, 2)
        for target, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)


def complain(text: str) -> None:
    """Writes to standard error if there still is one."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(text + "\n")


def _flushed(stream: TextIO | None, descriptor: int) -> TextIO:
    """Returns a stream whose text is written, or a new one where it cannot be used any more."""
    try:
        assert stream is not None
        stream.flush()
    except (AssertionError, AttributeError, OSError, ValueError):
        return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    return stream
