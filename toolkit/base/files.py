"""Files that a reader sees whole or not at all, and folders that are left to nobody.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.base.memory import allowed_bytes

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

LARGEST = 1 << 26
"""Bytes of the largest file that is read of a folder from elsewhere, if nothing else is said."""
_ADDED = frozenset(
    {
        *("__macosx", "@eadir", "$recycle.bin", "lost+found", "__pycache__"),
        "system volume information",
    }
)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary file to write, and puts it in the place of `path` once it is written.

    Args:
        path: the file to make or replace; its folder is made if missing.
        durable: wait for the disk, so that a power failure cannot undo it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Writes text or bytes so that a reader sees all of it or what was there before.

    Text is written as UTF-8, with escapes for what that lacks: names of files may hold other bytes,
    and names that plugins give halves of surrogate pairs.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    with replacing(path, durable=durable) as temporary:
        try:
            temporary.write_bytes(content)
        except OSError as error:  # Of a full disk it does not say by itself what was written.
            error.filename = str(path)
            raise


def special_kind(path: Path) -> str:
    """Says what lies at a path that is neither a file nor a folder: `a FIFO`; else nothing.

    Opening one may wait for ever, and reading one may never end.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return _SPECIAL.get(stat.S_IFMT(mode), "")


def is_left_out(name: str) -> bool:
    """Whether a file or folder is skipped by its name: hidden, or added by systems and archivers.

    Args:
        name: without the folders it lies in.
    """
    return name.startswith(".") or name.lower() in _ADDED


def is_there(path: Path) -> bool:
    """Says whether a file is there, or may be: a file system may have reasons not to tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def too_long(path: Path) -> bool:
    """Says whether a path, or a name in it, is longer than the file system takes."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    except ValueError:
        pass
    return False


def is_inside(root: Path, path: Path) -> bool:
    """Says whether a path, its links followed, lies below a folder."""
    if _is_plainly_inside(str(root), str(path)):
        return True
    try:
        whole, home = path.resolve(), root.resolve()
    except (OSError, RuntimeError):  # Links that lead to each other lead nowhere.
        return False
    return home in whole.parents


def read_within(root: Path, path: Path, most: int | None = LARGEST) -> bytes:
    """Reads a file of a folder that somebody else may have made.

    Args:
        root: the folder.
        path: of the file, below it.
        most: bytes that it may have; None for as many as there is memory for.

    Raises:
        OSError: there is none, it is no file, it leads out of the folder, or is larger.
    """
    if not is_inside(root, path):
        raise OSError(errno.EPERM, "leads out of its folder", str(path))
    # Not to wait for whoever may never write into a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:  # noqa: PTH123
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode):
            raise OSError(errno.EINVAL, "is no file", str(path))
        if most is None:
            most = known.st_size if known.st_size <= LARGEST else allowed_bytes()
        if known.st_size > most:
            raise OSError(errno.EFBIG, f"has more than {most} bytes", str(path))
        return stream.read()


def open_to_append(path: Path) -> int:
    """Opens a file to append to it, made if missing; returns the descriptor, which can be read too.

    Raises:
        OSError: it cannot be opened, or is a link or no file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return descriptor


def json_within(root: Path, path: Path) -> Any:
    """Reads JSON of a folder that somebody else may have made, see `read_within`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(read_within(root, path))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deep") from error


def _is_plainly_inside(root: str, path: str) -> bool:
    """Says whether a path goes on from a folder's, upwards nowhere and through no link."""
    if not root or not path.startswith(f"{root}/"):
        return False
    place = root
    for name in path[len(root) + 1 :].split("/"):
        place = f"{place}/{name}"
        if name in ("", ".", "..") or Path(place).is_symlink():
            return False
    return True


def remove_tree(folder: Path, root: Path) -> None:
    """Deletes a folder that lies within `root`, as far as it can be; anything else is left alone.

    A link is not followed: it is left, with what it leads to.
    """
    if os.path.lexists(folder) and not folder.is_symlink() and is_inside(root, folder):
        shutil.rmtree(folder, ignore_errors=True)
