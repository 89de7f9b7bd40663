"""A file of lines that outlives a full disk: what cannot be written waits for the next line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from toolkit.base.files import open_to_append

WAITING = 1 << 24
"""Bytes that may wait to be written; what comes after them is left out."""


class LineFile:
    """Appends lines to a file, as one write each; no fault of the disk is raised.

    Args:
        path: the file, made if missing; what is there stays, and a line that was cut short by a
            kill gets its end.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._waiting = path, bytearray()
        self._descriptor: int | None = None
        self._open()

    def write(self, line: str) -> str:
        """Appends a line; returns what is wrong with the file, empty where nothing is."""
        if len(self._waiting) < WAITING:
            self._waiting += line.encode("utf-8", "backslashreplace") + b"\n"
        return self._flush()

    def close(self) -> None:
        """Writes what can be, and closes the file."""
        self._flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        with suppress(OSError):
            self._descriptor = open_to_append(self._path)
            size = os.fstat(self._descriptor).st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                self._waiting += b"\n"

    def _flush(self) -> str:
        if self._descriptor is None:
            self._open()
        try:
            while self._waiting:
                if self._descriptor is None:
                    return f"{self._path} cannot be opened"
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except OSError as error:
            return f"{self._path} cannot be written ({error.strerror})"
        return ""
