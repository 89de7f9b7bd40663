"""The end of a run with `budget.total`: how long its last stages take, and what has time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from functools import cached_property

from toolkit.base.clock import Clock
from toolkit.contracts import TrialState
from toolkit.problem import Problem
from toolkit.problem.final import count_trainings
from toolkit.run.records import FOUND, TrialRecord

_SHARE, _LEAST_S, _MOST_S = 0.05, 5.0, 60.0
"""Of the total, what is kept for the test and the export."""
_MOST_SHARE = 0.25
"""Of the total, what is kept at most where the first batch says that this machine is slow."""
_MOST_FINAL = 0.6
"""Share of the total beyond which final trainings are left out rather than the search cut."""


class Deadline:
    """What is left of `budget.total`, counted over all sessions; without one, always enough.

    Args:
        problem: of the recipe; its budget has the total.
        slots: trials at once.
        earlier_s: seconds that earlier sessions took.
        clock: to count the time of this one by.
        began: when this session began, by the clock; now if None.
    """

    def __init__(
        self,
        problem: Problem,
        slots: int,
        earlier_s: float,
        clock: Clock,
        began: float | None = None,
    ) -> None:
        self.total = problem.recipe.budget.total
        self._problem, self._slots = problem, slots
        self._earlier_s, self._clock = earlier_s, clock
        self._began = clock.monotonic() if began is None else began
        self._ended, self._ended_s = 0, 0.0
        self._full, self._full_s = 0, 0.0
        self._not_reckoned: list[TrialRecord] = []
        self.guess_s: float | None = None
        """Of a training in full, before one has ended."""
        self.smoke_s = 0.0
        """Of the first batch, with the start of its worker and the reading of the data: the test
        does the same once more, and the export and the report come to about as much again."""

    @property
    def left_s(self) -> float:
        """Seconds until test and export have to begin; infinite without a total."""
        if self.total is None:
            return math.inf
        kept = min(max(_SHARE * self.total, _LEAST_S), _MOST_S)
        kept = max(kept, min(self.smoke_s, _MOST_SHARE * self.total))
        return self.total - kept - self.spent_s

    @property
    def spent_s(self) -> float:
        """Seconds since the run began, over all sessions."""
        return self._earlier_s + self._clock.monotonic() - self._began

    @property
    def training_s(self) -> float:
        """How long a training in full takes, as far as is known."""
        for record in self._not_reckoned:
            self._full_s += record.duration_s * self._share_in_full(record)
        self._full += len(self._not_reckoned)
        self._not_reckoned.clear()
        return self._full_s / self._full if self._full else self.guess_s or 0.0

    @property
    def trial_s(self) -> float:
        """How long a trial of the search takes, as far as is known."""
        return self._ended_s / self._ended if self._ended else 0.0

    @cached_property
    def trainings(self) -> int:
        """How many final trainings follow."""
        return count_trainings(self._problem)

    @property
    def final_s(self) -> float:
        """How long the final trainings take, as far as is known."""
        return math.ceil(self.trainings / self._slots) * self.training_s

    def take(self, record: TrialRecord) -> None:
        """Learns from a trial that has ended."""
        if record.state is not TrialState.DONE or record.source is not None or record.origin:
            return
        self._ended += 1
        self._ended_s += record.duration_s
        if record.kind == "train" and self.total is not None:
            self._not_reckoned.append(record)

    def _share_in_full(self, record: TrialRecord) -> float:
        """How much more a training in full is than a trial."""
        if record.in_full:
            return 1.0
        full = self._problem.train(record.point, {}).epochs or 1
        epochs = float(record.fidelity.get("epochs", full)) * float(record.fidelity.get("data", 1))
        return full / epochs

    def ends_search(self, trial_s: float = 0.0) -> bool:
        """Whether what is left is needed by the final trainings.

        Args:
            trial_s: time that one more trial takes.
        """
        if self.total is None:
            return False
        if not self._ended:  # A run that has tried nothing has nothing to train in the end.
            return self.left_s <= 0
        return self.needs_rest(trial_s)

    def needs_rest(self, more_s: float) -> bool:
        """Whether the final trainings need what is left once so many seconds more have passed."""
        if self.total is None:
            return False
        final = min(self.final_s, _MOST_FINAL * self.total)
        return more_s + final >= self.left_s

    def allows(
        self, record: TrialRecord, done: Sequence[TrialRecord], running: Sequence[TrialRecord]
    ) -> bool:
        """Whether there is time for a final training; for the first of the find there always is.

        Args:
            record: what is to be trained.
            done: the final trainings that have ended well.
            running: those that have not ended.
        """
        if self.total is None or self.needs(record, [*done, *running]):
            return True
        same = [other.duration_s for other in done if other.fingerprint == record.fingerprint]
        known = same or [other.duration_s for other in done]
        return self.left_s >= (statistics.fmean(known) if known else self.training_s)

    @staticmethod
    def needs(record: TrialRecord, done: Iterable[TrialRecord]) -> bool:
        """Whether nothing can be tested without a training."""
        return record.label == FOUND and not any(other.label == FOUND for other in done)
