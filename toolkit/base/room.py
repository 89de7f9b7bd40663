"""Room on a disk: how much there is, and which errors say that there is none."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from toolkit.base.plain import text_of

LEAST = 1 << 16
"""Bytes below which a disk counts as full: less than what one metadata block and a log take."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TEXTS = ("No space left on device", "Disk quota exceeded", "database or disk is full")


def free_bytes(folder: Path) -> int:
    """Returns the bytes that may still be written on a folder's disk; 0 where no file may be made.

    The most there can be where the file system has no size, as /proc. The answer is that for its
    nearest parent where the folder is missing.
    """
    disk = os.statvfs(_nearest(folder))
    if not disk.f_blocks:  # /proc and the like: nothing is known, and writing will tell.
        return sys.maxsize
    if disk.f_files and not disk.f_favail:
        return 0
    return disk.f_bavail * disk.f_frsize


def whole_bytes(folder: Path) -> int:
    """Returns the size of a folder's disk, or its nearest parent's, in bytes."""
    disk = os.statvfs(_nearest(folder))
    return disk.f_blocks * disk.f_frsize


def _nearest(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def tells_of_full_disk(error: BaseException) -> bool:
    """Says whether an error, or one that it came of, is that a disk or a quota is full."""
    return any(
        (isinstance(one, OSError) and one.errno in _FULL)
        or (isinstance(one, sqlite3.Error) and _code(one) == sqlite3.SQLITE_FULL)
        or any(text in text_of(one) for text in _TEXTS)
        for one in _chain(error)
    )


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
