"""The search: asks the strategy, runs trials, tells the strategy; the loop and its bookkeeping."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from toolkit.base.errors import PluginError
from toolkit.contracts import Exhausted, Proposal, Strategy, TrialState, Wait
from toolkit.engine.admission import Admission
from toolkit.engine.budget import FAILURES, REPEATS, SearchBudget, is_refused
from toolkit.engine.checkpoints import Checkpoints
from toolkit.engine.front import SearchFront
from toolkit.engine.history import History
from toolkit.engine.proposals import check_promotable, check_proposal
from toolkit.engine.rejections import Rejections
from toolkit.engine.replay import Heard, Reports, reports_for
from toolkit.engine.scheduler import Interrupted
from toolkit.engine.session import Session
from toolkit.registry import plugin_code
from toolkit.run.facts import FRONT, SEARCH_S, Front
from toolkit.run.records import TrialRecord

_AT_ONCE = 500
"""Trials that are told of again before what was heard of them is summed up."""


class Search:
    """The search: strategy, budget and scheduler, and the loop between them.

    Args:
        session: the engine at work on the run.
        strategy: proposes the trials; set up.
        budget: how much the search may do.
        records: what is in the ledger, where that was read already; it is let go of as the strategy
            hears of it.
    """

    def __init__(
        self,
        session: Session,
        strategy: Strategy,
        budget: SearchBudget,
        records: list[TrialRecord] | None = None,
    ) -> None:
        problem = session.problem
        self.session, self.strategy, self.budget = session, strategy, budget
        self.problem, self.ledger = problem, session.ledger
        self.scheduler, self.events = session.scheduler, session.events
        self._records = records
        self._reports: Reports = {}
        self.untold: list[TrialRecord] = []
        self.finished = ""
        self.checkpoints = Checkpoints(session.folder.path)
        self.history = History(problem.recipe.train.seed, self.ledger)
        self.rejections = Rejections(problem.bounds)
        self.admission = Admission(session, self.history, self.rejections, self.checkpoints)
        self.front = SearchFront(problem.objectives)
        self._next_number = 1
        self._told = 0
        self._deterministic = problem.recipe.resources.deterministic
        self.scheduler.on_report = self._report
        self._deadline = session.deadline

    def restore(self, again: Collection[TrialState] = ()) -> None:
        """Takes up what the ledger holds: queues what was running, tells the strategy the rest.

        Args:
            again: ends of trials that are queued once more instead.
        """
        records = self.ledger.trials() if self._records is None else self._records
        self._records = None
        if not records:
            return
        self._next_number = records[-1].number + 1
        search = [
            replace(r, state=TrialState.QUEUED, error="", told=None) if r.state in again else r
            for r in records
            if r.phase == "search"
        ]
        records.clear()
        self._reports = reports_for(self.strategy, self.ledger, search)
        self.strategy.replaying = True
        told = sorted((r for r in search if r.told is not None), key=lambda r: r.told or 0)
        search = [record for record in search if record.told is None]
        self.untold = [record for record in search if record.state.ended]
        heard = Heard(self.problem.objectives)
        heard.take(self.untold)
        self._told = (told[-1].told or 0) if told else 0
        self._tell_again(told, heard)
        for record in search:
            if not record.state.ended:
                if record.state is not TrialState.QUEUED:
                    self.ledger.put(replace(record, state=TrialState.LOST))
                record = replace(record, state=TrialState.QUEUED)
                self.ledger.put(record)
                self.scheduler.requeued.append(record)
        self._restore_checkpoints()
        for record in (*self.untold, *self.scheduler.requeued):
            with plugin_code("strategy.resume"):
                self.strategy.resume(record.trial())
            self._report_again(record)
        self._reports.clear()
        self.strategy.replaying = False
        self.ledger.commit()
        self.events.emit("resumed", requeued=len(self.scheduler.requeued), **heard.facts())

    def _tell_again(self, told: list[TrialRecord], heard: Heard) -> None:
        """Tells the strategy what it was told before; what it has heard is let go of."""
        told.reverse()
        promotes = None
        while told:
            some = [told.pop() for _ in range(min(_AT_ONCE, len(told)))]
            for record in some:
                self._take(record)
                self._report_again(record)
                self._tell_strategy(record)
            if promotes is None:
                promotes = self._promotable() is not None
            if promotes:
                self._find_checkpoints(some)
            heard.take(some)

    def _find_checkpoints(self, records: Iterable[TrialRecord]) -> None:
        """Finds the checkpoints that are left of ended trials."""
        for record in records:
            if record.folder and record.kind == "train":
                self.checkpoints.keep(record.number, record.folder)

    def _restore_checkpoints(self) -> None:
        """Finds those of trials not told of; hands on those that trials wait for."""
        if self._promotable() is not None:
            self._find_checkpoints(self.untold)
        for record in self.scheduler.requeued:
            if record.continues is not None and not self.checkpoints.exists(record.folder):
                self.admission.hand_on(record)

    def run(self) -> str:
        """Searches until nothing more may or can be tried; why it ended.

        Raises:
            Interrupted: the engine was asked to stop; what ran is queued again.
        """
        self.budget.out_of_time = lambda: self._deadline.ends_search(self._deadline.trial_s)
        self.scheduler.room.take_pause()  # What was waited for before is not counted.
        self.budget.begin()
        # In deterministic runs each end that is told is answered by a question; an engine that was
        # killed between the two left the question open.
        asks_first = self._deterministic
        while True:
            while not asks_first and (ended := self._next_to_tell()) is not None:
                self._tell(ended)
                if self._deterministic:
                    break
            asks_first = False
            spent = self.budget.spent()
            while not spent and self.scheduler.free():
                record = self._next()
                if record is None:
                    break
                self.scheduler.start(record)
            self.budget.leave_out(self.scheduler.room.take_pause())
            if self._next_to_tell() is not None:
                continue
            if not self.scheduler.running:
                break
            for ended in self.scheduler.wait():
                self.budget.settle(ended)
                self.untold.append(ended)
            self.ledger.put_fact(SEARCH_S, self.budget.seconds)
        self.ledger.put_fact(SEARCH_S, self.budget.seconds)
        self.ledger.commit(durable=True)
        if self.scheduler.interrupts:
            raise Interrupted
        if not (spent or self.finished):
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} waits, but no trial is running.",
                hint="Its `ask` must return Exhausted when it has nothing to propose.",
            )
        return spent or self.finished

    def _next(self) -> TrialRecord | None:
        """The next trial to start: one that was cut short, or a new one; None if there is none."""
        if self.scheduler.requeued:
            return self.scheduler.requeued.popleft()
        open_trials = len(self.scheduler.running) + len(self.untold)
        if self._deterministic and open_trials >= self.scheduler.slot_count:
            return None
        while not self.finished:
            if not self.budget.allows_trial:
                if self.problem.bounds and open_trials:
                    return None  # one of them may yet be refused, and would not be paid for
                self.finished = "trials"
            elif self.rejections.enough:
                self.finished = "constraints"
            elif self.budget.repeats >= REPEATS:
                self.finished = "exhausted"
            else:
                with plugin_code("strategy.ask"):
                    proposal = self.strategy.ask()
                if isinstance(proposal, Wait):
                    return None
                if isinstance(proposal, Exhausted):
                    self.finished = "exhausted"
                    break
                name = self.problem.recipe.strategy.name
                record = self._enter(check_proposal(proposal, name))
                if record.state is TrialState.QUEUED:
                    return record
                self._tell(record)
        return None

    def _enter(self, proposal: Proposal) -> TrialRecord:
        """A proposal as a new trial: queued, or at once answered from the ledger or refused."""
        record = self.admission.admit(proposal, self._next_number)
        self._next_number += 1
        self.budget.count(record)
        self.ledger.put(record)
        return record

    def _next_to_tell(self) -> TrialRecord | None:
        """The ended trial to tell next; in deterministic runs only the lowest number open."""
        if not self.untold:
            return None
        if not self._deterministic:
            return self.untold[0]
        first = min(self.untold, key=lambda record: record.number)
        running = [job.record.number for job in self.scheduler.running.values() if job.record]
        waiting = [record.number for record in self.scheduler.requeued]
        if any(number < first.number for number in (*running, *waiting)):
            return None
        return first

    def _tell(self, record: TrialRecord) -> None:
        if record in self.untold:
            self.untold.remove(record)
        self._told += 1
        record = replace(record, told=self._told)
        self.ledger.put(record)
        self.budget.pay(record)
        if self._take(record):
            self.ledger.put_fact(FRONT, self.front.fact())
        self.ledger.commit()
        if record.state in FAILURES:
            self._count_failure(record)
        self.events.trial_ended(record)
        self._tell_strategy(record)
        self._tidy(record)

    def _take(self, record: TrialRecord) -> bool:
        """Takes an ended trial's result in; whether the Pareto front is another now."""
        self.history.remember(record)
        self._deadline.take(record)
        self.rejections.take(record)
        return self.front.take(record)

    def note_front(self) -> Front | None:
        """Writes the Pareto front of what was found, its hypervolume included, if there is one."""
        front = self.front.fact(exact=True)
        if front is not None:
            self.ledger.put_fact(FRONT, front)
            self.ledger.commit()
        return front

    def _tidy(self, record: TrialRecord) -> None:
        """Drops checkpoints that nothing will go on from: results are safe in the ledger by now."""
        promotable = self._promotable()
        if record.kind == "train" and record.folder:
            if promotable is None:
                self.checkpoints.delete(record.folder)
            else:
                self.checkpoints.keep(record.number, record.folder)
        if promotable is not None:
            trained = map(self.history.trained, promotable)
            # One that the strategy has not heard of yet may be continued once it has.
            wanted = {number for number in trained if number is not None}
            self.checkpoints.keep_only(wanted | {record.number for record in self.untold})

    def _promotable(self) -> Collection[int] | None:
        with plugin_code("strategy.promotable"):
            promotable = self.strategy.promotable()
        return check_promotable(promotable, self.problem.recipe.strategy.name)

    def _tell_strategy(self, record: TrialRecord) -> None:
        heard = record.state in (TrialState.DONE, TrialState.PRUNED)
        state = TrialState.INVALID if record.violations else record.state
        with plugin_code("strategy.tell"):
            self.strategy.tell(record.trial(), state, dict(record.values) if heard else {})

    def _count_failure(self, record: TrialRecord) -> None:
        if is_refused(record):
            return
        self.budget.count_failure(record)
        if self.budget.failed == 1:
            self.events.emit(
                "warning",
                number=record.number,
                message=f"Trial {record.number} is the first to fail ({record.state}):\n"
                f"{record.error}\n{self.session.reproduce(str(record.number))}",
            )

    def _report(self, record: TrialRecord, step: int, values: Mapping[str, float]) -> bool:
        if record.phase == "final":
            return True
        if self._out_of_time(record):
            return False
        with plugin_code("strategy.report"):
            return bool(self.strategy.report(record.trial(), step, dict(values)))

    def _out_of_time(self, record: TrialRecord) -> bool:
        """Whether a trial is to end early, for the final trainings need the time.

        The first one is not: without its end there would be nothing to train. A supernet is, as
        what it points at after each epoch can be trained.
        """
        if record.kind == "supernet" and not self.strategy.replaying:
            return self._deadline.needs_rest(self.scheduler.report_s(record.number))
        if self.strategy.replaying or record.kind != "train" or not self._deadline.trial_s:
            return False
        return self._deadline.ends_search()

    def _report_again(self, record: TrialRecord) -> None:
        """Gives an earlier engine's reports to the strategy; its verdicts on them are history."""
        reports = self._reports.pop(record.number, None)
        if not reports or record.phase == "final":
            return
        trial = record.trial()
        with plugin_code("strategy.report"):
            for step, reported in reports:
                values = {k: math.nan if v is None else v for k, v in reported.items()}
                self.strategy.report(trial, step, values)
