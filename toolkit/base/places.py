"""Where the toolkit keeps what is no run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from toolkit.base.plain import encodable


def expanded(path: str | Path) -> Path:
    """Returns a path as people give it, with the home of whoever its `~` names.

    Where there is no such home, `~` is a letter of a name.
    """
    given = Path(path)
    try:
        return given.expanduser()
    except RuntimeError:
        return given


def fault_of_bytes(path: Path) -> str:
    """Says that a path, from the root on, holds bytes that are no UTF-8; nothing where it does not.

    Recipes cannot name such a path, nor can a worker be told of it.
    """
    whole = str(path.absolute())
    told = encodable(whole)
    return "" if told == whole else f"{told} holds bytes that are no UTF-8"


NOT_TEXT = "Rename it, or give a link to it from a folder whose name is text."
"""What to do about one."""


def data_dir() -> Path:
    """Where tasks keep caches and downloads: `TOOLKIT_DATA`, or the user's cache folder."""
    chosen = os.environ.get("TOOLKIT_DATA")
    if chosen:
        return expanded(chosen).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return cache.expanduser() / "nas-toolkit"
    except RuntimeError:  # No HOME, and no entry in the list of users.
        return Path(tempfile.gettempdir()) / f"nas-toolkit-{os.getuid()}"
