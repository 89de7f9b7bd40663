"""The report of a run, kept up to date while the run is at work, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolkit.contracts import Tracker

EVERY_S = 10.0
"""Shortest time between two reports of a run that is at work."""
SHARE = 0.05
"""Largest share of the time that goes into them: a long report is written less often."""
_NEWS = ("trial_ended", "trial_reported", "search_ended", "final_ended")
_WRITING = threading.Lock()


def write(folder: Path) -> Path:
    """Writes the report of a run folder; one at a time, as two would meet in one file.

    Raises:
        LedgerError: there is no ledger in it, or it is damaged.
    """
    from toolkit.report import write_report

    with _WRITING:
        return write_report(folder)


class Reporter(Tracker):
    """Rewrites the report of a run at times, and at an end that has not written it.

    Args:
        folder: of the run.
        now: a clock that never runs back, in seconds.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._folder, self._now = folder, now
        self._due = now() + EVERY_S
        self._over = self._written = False

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Hears one event; writes where it is time."""
        if name in ("tested", "exported"):
            self._over = True  # The engine is about to write it.
        elif name == "reported":
            self._written = True
        elif name == "run_ended":
            # One that was tested, and left without a report, is part of an evaluation.
            if not self._written and (facts.get("exit_code") or not self._over):
                write(self._folder)
        elif name in _NEWS and not self._over and self._now() >= self._due:
            began = self._now()
            write(self._folder)
            cost = self._now() - began
            self._due = self._now() + max(EVERY_S, cost / SHARE - cost)
