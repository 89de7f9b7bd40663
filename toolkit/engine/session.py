"""The session of an engine at a run folder: what all its stages of work share."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.base.clock import Clock
from toolkit.contracts import Executor
from toolkit.engine.deadline import Deadline
from toolkit.engine.scheduler import Scheduler
from toolkit.problem import Problem
from toolkit.run.events import EventLog
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger


@dataclass(frozen=True)
class Session:
    """One engine at work on one run, from the opening of the folder to its end.

    Attributes:
        problem: the recipe's plugins, put together.
        folder: the run folder, which this engine holds.
        ledger: of the folder, open for writing.
        executor: where jobs run.
        scheduler: runs trials and other jobs on it.
        events: hears what happens.
        clock: of budgets, deadlines and timestamps.
        deadline: of the whole run.
    """

    problem: Problem
    folder: RunFolder
    ledger: Ledger
    executor: Executor
    scheduler: Scheduler
    events: EventLog
    clock: Clock
    deadline: Deadline

    def reproduce(self, which: str) -> str:
        """Says how to run a trial (its number), or `smoke`, once more by itself."""
        return self.problem.reproduction(self.folder.path, which)
