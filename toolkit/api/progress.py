"""What a run started from Python says of itself while it is at work: a line an event."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from toolkit.base.lines import describe


def is_watched() -> bool:
    """Returns whether somebody looks at the output: it is a notebook's or a terminal's."""
    return in_notebook() or bool(getattr(sys.stdout, "isatty", lambda: False)())


def in_notebook() -> bool:
    """Returns whether this is an IPython kernel; IPython need not be installed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def show(name: str, facts: Mapping[str, Any]) -> None:
    """Prints an event, epochs left out; a reader that went away ends no run."""
    if name == "trial_reported":
        return
    try:
        sys.stdout.write(describe(name, facts) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):  # Nobody reads, or the output was closed.
        return
