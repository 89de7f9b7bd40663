"""Jobs that were started and have not begun: the user is told what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from toolkit.base.plain import encodable, shortened, shown
from toolkit.contracts import Executor
from toolkit.registry import plugin_code

LOOK_S = 5.0
"""Time between two questions to the executor."""
TOLD_S = (25.0, 600.0, 3600.0)
"""Time without a beginning after which the user is told, is told again, and then each time."""


class Unbegun:
    """Watches how long jobs take to begin.

    Args:
        executor: that was given the jobs.
        tell: takes each sentence for the user.
    """

    def __init__(self, executor: Executor, tell: Callable[[str], None]) -> None:
        self._executor, self._tell = executor, tell
        self._said, self._said_at, self._looked_at = 0, 0.0, 0.0

    def look(self, silent: Mapping[str, float], now: float) -> Collection[str]:
        """Tells of jobs that have not begun for long, once and then seldom.

        Args:
            silent: seconds since the start of each job that has not begun.
            now: the time, by the clock that they were counted by.

        Returns:
            Those that wait for something, as the executor says.
        """
        if not silent:
            self._said = 0
            return ()
        longest = max(silent, key=lambda key: silent[key])
        if silent[longest] < LOOK_S or now - self._looked_at < LOOK_S:
            return ()
        self._looked_at = now
        waits = {key: why for key in silent if (why := self._why(key))}
        since = now - self._said_at if self._said else silent[longest]
        if since >= TOLD_S[min(self._said, len(TOLD_S) - 1)]:
            self._said, self._said_at = self._said + 1, now
            self._tell(self._sentence(silent, longest, waits))
        return waits

    def _why(self, key: str) -> str:
        with plugin_code("executor.waiting"):
            why = self._executor.waiting(key)
        return shortened(encodable(why if isinstance(why, str) else shown(why)), 500)

    def _sentence(self, silent: Mapping[str, float], longest: str, waits: Mapping[str, str]) -> str:
        name = type(self._executor).__name__
        others = len(silent) - 1
        more = f" and {others} more" if others else ""
        why = waits.get(longest) or next(iter(waits.values()), "")
        why = why or f"{name} has told of no beginning, nor of what it waits for (engine.log)."
        return (
            f"{longest}{more}: given to {name} {silent[longest]:.0f} s ago and not begun. {why}"
            " The run goes on waiting; Ctrl-C ends it, and it can be resumed."
        )
