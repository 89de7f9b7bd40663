"""How much a run may still do, counted over all its sessions.

For plugin authors who run or measure searches: `REPEATS` is stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from toolkit.base.clock import SYSTEM, Clock
from toolkit.contracts import TrialState
from toolkit.recipe.schema import Budget as BudgetBlock
from toolkit.run.records import TrialRecord

FAILURES = (TrialState.FAILED, TrialState.OOM, TrialState.TIMEOUT, TrialState.INVALID)
REPEATS = 100
"""Known architectures in a row after which a search counts as exhausted."""


def total_trials(block: BudgetBlock, default: int | None) -> int | None:
    """The run's total: the recipe's, else the strategy's own unless the recipe limits otherwise."""
    limits = (block.trials, block.time, block.total, block.epochs)
    return default if all(limit is None for limit in limits) else block.trials


class SearchBudget:
    """Trials, failures and time spent, against the recipe's totals.

    Args:
        block: the recipe's totals.
        trials: the run's total of trials (`total_trials`), or None.
        records: the search trials of the ledger so far.
        spent_s: seconds of searching in earlier sessions.
        clock: to count the time of this one by.

    Attributes:
        out_of_time: says whether what is left of the run's time is needed after the search.
    """

    def __init__(
        self,
        block: BudgetBlock,
        trials: int | None,
        records: Iterable[TrialRecord],
        spent_s: float,
        clock: Clock = SYSTEM,
    ) -> None:
        self.trials = trials
        self._block, self._earlier_s, self._clock = block, spent_s, clock
        self._began = clock.monotonic()
        self.out_of_time: Callable[[], bool] = lambda: False
        self.asked = self.failed = self.repeats = 0
        self.epochs = 0.0
        self._paid: dict[int, float] = {}
        for record in records:
            self.count(record)
            if record.state in FAILURES and record.told is not None:
                self.count_failure(record)

    def begin(self) -> None:
        """Count time from now on: what comes before the first trial is not searching."""
        self._began = self._clock.monotonic()

    def leave_out(self, seconds: float) -> None:
        """Take time back in which the run was paused."""
        self._earlier_s -= seconds

    def count(self, record: TrialRecord) -> None:
        """Count a new trial; a refused proposal is none, nor is one of an earlier run."""
        if record.origin:
            return
        self.pay(record)
        self.asked += not is_refused(record)
        self.repeats = self.repeats + 1 if record.source is not None else 0

    def settle(self, record: TrialRecord) -> None:
        """Take back what was counted of a trial that was refused after it was counted."""
        self.asked -= is_refused(record)

    def pay(self, record: TrialRecord) -> None:
        """Count the epochs that a trial has trained."""
        self.epochs += record.epochs_paid - self._paid.get(record.number, 0.0)
        self._paid[record.number] = record.epochs_paid

    def count_failure(self, record: TrialRecord) -> None:
        """Count a trial that ended badly."""
        self.failed += not is_refused(record)

    @property
    def seconds(self) -> float:
        """Time of searching so far, in seconds, earlier sessions included."""
        return max(self._earlier_s + self._clock.monotonic() - self._began, 0.0)

    @property
    def allows_trial(self) -> bool:
        """Whether one more trial may be asked for."""
        return self.trials is None or self.asked < self.trials

    def spent(self) -> str:
        """What is used up, so that no trial may start; empty where nothing is.

        It is `failures`, `time`, `epochs`, or `total`: the time of the whole run.
        """
        if self.failed >= self._block.failures:
            return "failures"
        if self._block.time is not None and self.seconds >= self._block.time:
            return "time"
        if self._block.epochs is not None and self.epochs >= self._block.epochs:
            return "epochs"
        if self.out_of_time():
            return "total"
        return ""


def is_refused(record: TrialRecord) -> bool:
    """Whether it is a proposal that was not trained: `dedup: reject`, or a broken constraint."""
    refused = record.source is not None or bool(record.violations)
    return record.state is TrialState.INVALID and refused
