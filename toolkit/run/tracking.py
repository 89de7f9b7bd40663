"""Trackers in threads of their own: what they do, and how long they take, is no affair of a run."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from typing import Any

from toolkit.contracts import Tracker

logger = logging.getLogger(__name__)

REPORTS = 10_000
"""Events that may wait for a tracker before reports of epochs are left out."""
MOST = 20_000
"""Events that may wait at all."""
CLOSE_S = 30.0
"""Time that all trackers together have at the end for what they have not taken in yet."""


class TrackerThread:
    """A tracker and the thread that calls it.

    Args:
        tracker: is called in that thread alone.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.name = type(tracker).__name__
        self._tracker = tracker
        self._waiting: queue.Queue[tuple[str, Mapping[str, Any]] | None] = queue.Queue()
        self._faults: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._failed, self._left_out = False, 0
        # A daemon: a tracker that hangs must not keep the process from its end.
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def tell(self, name: str, facts: Mapping[str, Any]) -> None:
        """Has the tracker hear of an event, sooner or later; returns at once."""
        most = REPORTS if name == "trial_reported" else MOST
        if self._failed:
            return
        if self._waiting.qsize() >= most:
            self._left_out += 1
            if self._left_out == 1:
                self._faults.put(f"The tracker {self.name} is too slow: events are left out.")
            return
        self._waiting.put((name, facts))

    def fault(self) -> str:
        """Returns what is wrong with the tracker, each once; empty where nothing is."""
        try:
            return self._faults.get_nowait()
        except queue.Empty:
            return ""

    def end(self) -> None:
        """Has the tracker closed once it has heard all; returns at once."""
        self._waiting.put(None)

    def close(self, close_s: float = CLOSE_S) -> str:
        """Waits until the tracker is closed.

        Args:
            close_s: longest time to wait, in seconds.

        Returns:
            What is wrong with the tracker, or nothing.
        """
        self._thread.join(max(close_s, 0.0))
        if self._thread.is_alive():
            return f"The tracker {self.name} was left behind: it did not take in all that happened."
        return self.fault()

    def _run(self) -> None:
        while (told := self._waiting.get()) is not None:
            if not self._failed:
                self._call("failed and is left out", self._tracker.event, *told)
        self._call("failed to close", self._tracker.close)

    def _call(self, how: str, method: Any, *arguments: Any) -> None:
        try:
            method(*arguments)
        # A library may end its process where it cannot go on; here that is its fault alone.
        except (Exception, SystemExit) as error:
            logger.exception("The tracker %s %s.", self.name, how)
            kind = type(error).__name__
            if not self._failed:
                self._faults.put(f"The tracker {self.name} {how}: {kind}: {error}; see engine.log.")
            self._failed = True
