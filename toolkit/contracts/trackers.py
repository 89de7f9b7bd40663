"""The contract of trackers: who hears what happens in a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Tracker(ABC):
    """Hears what happens in a run, for an outside experiment tracker.

    It is made anew for each engine that works on a run, a resumed one included, and is called in
    the engine's own thread: what takes long belongs into a thread of its own. What it raises is
    logged, and it is not called again; the run goes on.
    """

    @abstractmethod
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Hear one event, as it is in the run's `events.jsonl`.

        Args:
            name: one of `toolkit.run.events.EVENTS`.
            facts: plain JSON by name; metrics are a mapping under `values`, with None for what is
                not finite.
        """

    def close(self) -> None:  # noqa: B027 - nothing to close is the usual case
        """Let go of what is open. Called once, whichever way the engine ends."""
