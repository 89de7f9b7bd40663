"""Whether a run is at work, or how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from toolkit.run.following import last_ending
from toolkit.run.lock import holder

State: TypeAlias = Literal["running", "done", "failed", "stopped"]
"""`stopped` is a run whose engine is gone before its end; the same call goes on with it."""


def state_of(folder: Path) -> State:
    """Returns the state of the run in a folder."""
    if holder(folder):
        return "running"
    code = last_ending(folder)
    if code is None or code >= 128:
        return "stopped"
    return "failed" if code else "done"
