"""Time as the engine sees it, so that tests can move it by hand."""

from __future__ import annotations

import time


class Clock:
    """The clocks of this machine, in seconds."""

    def time(self) -> float:
        """Returns the time of day since the epoch: for timestamps."""
        return time.time()

    def monotonic(self) -> float:
        """Returns the time since some moment, which never runs back: for durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        time.sleep(seconds)


SYSTEM = Clock()


class ManualClock(Clock):
    """A clock that stands still until somebody sleeps by it or moves it."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start, self._passed = start, 0.0

    def time(self) -> float:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += max(seconds, 0.0)
