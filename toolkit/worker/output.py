"""Standard output and error of jobs: in files of their folders, whatever a job does to them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from toolkit.base.secrets import written_forms
from toolkit.worker import bounded_log

LIMIT = 10_000_000
"""Default of `resources.log_limit`, in bytes."""
NAMES = ("stdout.log", "stderr.log")
_PATIENCE_S = 10.0
"""Time for what a job wrote to be in its files."""


class JobOutput:
    """Sends what jobs write to files of their folders, which stay below a limit.

    A process of its own (`toolkit.worker.bounded_log`) writes the files, with names in place of
    the environment's values that are hidden. It begins with the first job, and ends with this one.
    """

    def __init__(self) -> None:
        self._control: socket.socket | None = None

    @contextmanager
    def redirected(self, folder: Path, limit: int = LIMIT) -> Iterator[None]:
        """Sends descriptors 1 and 2, also those of C code, to files in a job's folder.

        Raises:
            OSError: there is no room for the folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        saved = [os.dup(1), os.dup(2)]
        try:
            paths = [str((folder / name).absolute()) for name in NAMES]
            for target, opened in zip((1, 2), self._begin(paths, limit), strict=True):
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
            self._end()

    def mask(self) -> None:
        """Has names in place of hidden values in what is written from now on beside the jobs.

        Plugins may print as they are imported, and their threads later on.
        """
        if written_forms():
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):
                    stream.flush()
            for target, opened in zip((1, 2), self._begin([], LIMIT), strict=True):
                os.dup2(opened, target)
                os.close(opened)

    def _begin(self, paths: list[str], limit: int) -> list[int]:
        """Descriptors to write to: of files, or of where this process writes where none is given.

        Where what is hidden cannot be kept from them, they lead to nothing.
        """
        pipes = [os.pipe(), os.pipe()]
        message = json.dumps([limit, written_forms(), *paths]).encode()
        try:
            if self._control is None:
                self._control = _start()
            socket.send_fds(self._control, [message], [read for read, _ in pipes])
        except OSError:  # It is gone, or cannot be started.
            self._control = None
            for descriptor in (end for pipe in pipes for end in pipe):
                os.close(descriptor)
            kept = [os.devnull] * len(pipes) if written_forms() else paths
            return [os.open(p, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666) for p in kept]
        for read, _ in pipes:
            os.close(read)
        return [write for _, write in pipes]

    def _end(self) -> None:
        """Waits until all that was written is in the files."""
        if self._control is not None:
            try:
                self._control.send(bounded_log.END)
                self._control.recv(len(bounded_log.DONE))
            except OSError:
                self._control = None


def _start() -> socket.socket:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own.settimeout(_PATIENCE_S)
    with other:
        subprocess.run(
            [sys.executable, "-I", "-S", bounded_log.__file__, str(other.fileno())],
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    return own


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
