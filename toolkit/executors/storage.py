"""How a trial's files get to another machine and back: with messages, by storage, or not at all.

For plugin authors whose executor runs jobs on other machines: every public name is stable.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from toolkit.base.files import write_atomically

Files: TypeAlias = dict[str, bytes]
"""Content by path within a trial's folder, with forward slashes."""
CHECKPOINT, BEFORE = "checkpoint/state.pt", "checkpoint/before.pt"
_NEVER = (BEFORE, "checkpoint/next.pt")
"""Made again from what arrives, or not yet to be relied on."""
_MOST_PARTS = 4


class Changes:
    """What is new in a trial's folder since it was last asked; logs count at the end alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}

    def skip(self) -> None:
        """Takes what lies there now for known."""
        self._seen |= {name: signature for name, _, signature in self._listed()}

    def take(self, *, last: bool) -> Files:
        """Returns what has changed.

        Args:
            last: the trial has ended.
        """
        # The checkpoint before the reports: what it holds has then been told in `metrics.jsonl`.
        found = sorted(self._listed(), key=lambda row: row[0] != CHECKPOINT)
        files: Files = {}
        for name, path, signature in found:
            if self._seen.get(name) == signature or (name.endswith(".log") and not last):
                continue
            try:
                files[name] = path.read_bytes()
            except OSError:  # It was put in another's place meanwhile, and comes next time.
                continue
            self._seen[name] = signature
        return files

    def _listed(self) -> Iterator[tuple[str, Path, tuple[int, int]]]:
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            if name in _NEVER or path.name.startswith(".") or path.is_symlink():
                continue
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file():
                yield name, path, (status.st_mtime_ns, status.st_size)


def read_files(folder: Path) -> Files:
    """Returns what a trial needs to go on elsewhere: all but its logs."""
    changes = Changes(folder)
    return changes.take(last=False)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a trial's folder; a checkpoint that lies there becomes the one before.

    Raises:
        ValueError: a name leads out of the folder.
    """
    for name, content in files.items():
        path = folder / _checked(name)
        if name == CHECKPOINT and path.exists():
            path.replace(folder / BEFORE)
        write_atomically(path, content, durable=False)


class Storage:
    """Files in a folder that several machines see, or in any storage fsspec knows by its URL.

    Args:
        url: a path or a URL.
        run: tells this run's files from those of others.
    """

    def __init__(self, url: str, run: str) -> None:
        from fsspec.core import url_to_fs

        self._system: Any
        self._system, root = url_to_fs(url)
        self._root = f"{root.rstrip('/')}/{run}"

    def put(self, trial: str, files: Mapping[str, bytes]) -> None:
        """Stores files of a trial."""
        for name, content in files.items():
            path = f"{self._root}/{_checked(trial)}/{_checked(name)}"
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, content)

    def get(self, trial: str, names: Mapping[str, Any] | list[str]) -> Files:
        """Returns files of a trial."""
        return {
            name: self._system.cat_file(f"{self._root}/{_checked(trial)}/{_checked(name)}")
            for name in names
        }


def is_shared(storage: str | None, folder: Path) -> bool:
    """Says whether a run's folder lies below its storage, so that nothing need be copied."""
    if storage is None or "://" in storage:
        return False
    home, whole = (Path(os.path.realpath(path)) for path in (storage, folder))
    return home == whole or home in whole.parents


def name_of_run(folder: Path) -> str:
    """Returns a name that no other run's folder has."""
    whole = str(folder)  # Not resolved: another machine may resolve it otherwise.
    return f"{folder.name}-{hashlib.sha256(whole.encode()).hexdigest()[:10]}"


def _checked(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not 0 < len(path.parts) <= _MOST_PARTS:
        raise ValueError(f"{name!r} is no path within a trial's folder")
    return path.as_posix()
