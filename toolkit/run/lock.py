"""The lock of a run folder: one engine at a time works on it, and others can read which.

It is the kernel's lock on an open file (`flock`), so that it ends with its process, however that
dies. The package filelock rests on the same, but empties the file whenever someone tries for the
lock, so that it could not hold who has it, and has no way to look without trying.
"""

from __future__ import annotations

import errno
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.base.errors import RunLockedError, ToolkitError, ToolkitWarning
from toolkit.base.files import open_to_append
from toolkit.base.posix import fcntl

NAME = ".lock"
_LONGEST = 1000
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system without locks answers."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Holds a run folder, which is made if missing.

    Raises:
        RunLockedError: another engine holds it.
        ToolkitError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = open_to_append(folder / NAME)
    except OSError as error:
        raise ToolkitError(
            f"The run folder {folder} cannot be used: {error.strerror}.",
            hint="Name a folder you may write to with -o.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunLockedError(
                f"Another engine ({_written(descriptor) or 'just starting'}) is at work on"
                f" {folder}.",
                hint="Wait for it, stop it, or name another folder with -o.",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            text = (
                f"The file system of {folder} keeps no locks ({error.strerror}): nothing keeps a"
                " second engine away from the run. Start one only."
            )
            warnings.warn(ToolkitWarning(text), stacklevel=3)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """Returns who is at work on a run folder (`pid 123 on host`), or nothing if nobody is."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor) or "starting"
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    finally:
        os.close(descriptor)
    return ""


def _written(descriptor: int) -> str:
    return os.pread(descriptor, _LONGEST, 0).decode(errors="replace").strip()
