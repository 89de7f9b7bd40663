"""Where the toolkit keeps what is no run."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir() -> Path:
    """Where tasks keep caches and downloads: `TOOLKIT_DATA`, or the user's cache folder."""
    chosen = os.environ.get("TOOLKIT_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "nas-toolkit"
