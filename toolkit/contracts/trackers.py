"""The contract of trackers: who hears what happens in a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit.contracts.common import Options


class Tracker(ABC):
    """Hears what happens in a run, for an outside experiment tracker.

    It is made anew for each engine that works on a run, a resumed one included: what it needs to
    find its entries again it keeps in the run folder, which `run_started` names, below `track/`.
    Making one opens nothing and waits for nobody; it raises a `ToolkitError` where a package is
    missing.

    `event` and `close` are called one after the other in a thread of the tracker's own, so they
    may take their time. What they raise is logged, and the tracker is not called again but for
    `close`; the run goes on. Where a tracker is slower than the run, reports of epochs are left
    out first.
    """

    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Any = None) -> None:
        self.options = options

    @abstractmethod
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Hear one event, as it is in the run's `events.jsonl`.

        Args:
            name: one of `toolkit.run.events.EVENTS`; others may come with later releases.
            facts: plain JSON by name; metrics are a mapping under `values`, with None for what is
                not finite.
        """

    def close(self) -> None:  # noqa: B027 - nothing to close is the usual case
        """Let go of what is open. Called once, whichever way the engine ends."""
