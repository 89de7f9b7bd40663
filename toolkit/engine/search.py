"""The search: asks the strategy, runs trials, tells the strategy; the loop and its bookkeeping."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from toolkit.analysis.pareto import Archive
from toolkit.contracts import (
    Exhausted,
    Proposal,
    SmokeJob,
    Strategy,
    TrialSpec,
    TrialState,
    Wait,
)
from toolkit.engine import seeds
from toolkit.engine.budget import FAILURES, REPEATS, SearchBudget, is_refused
from toolkit.engine.checkpoints import Checkpoints
from toolkit.engine.history import History
from toolkit.engine.rejections import Rejections
from toolkit.engine.scheduler import Interrupted, Scheduler, job_failure
from toolkit.errors import PluginError, SpaceError
from toolkit.problem import Problem
from toolkit.registry import plugin_code
from toolkit.run.events import Journal
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.space import sample, validate


class Search:
    """The search: strategy, budget and scheduler, and the loop between them."""

    def __init__(
        self,
        problem: Problem,
        strategy: Strategy,
        folder: RunFolder,
        ledger: Ledger,
        scheduler: Scheduler,
        journal: Journal,
        budget: SearchBudget,
        records: Sequence[TrialRecord] | None = None,
    ) -> None:
        self.problem, self.strategy, self.folder = problem, strategy, folder
        self.ledger, self.scheduler, self.journal = ledger, scheduler, journal
        self.budget, self.clock = budget, scheduler.clock
        self._records = records
        self._reports: dict[int, list[tuple[int, dict[str, float | None]]]] = {}
        self.untold: list[TrialRecord] = []
        self.finished = ""
        self.checkpoints = Checkpoints(folder.path)
        self.history = History(problem.recipe.train.seed)
        self.rejections = Rejections(problem.bounds)
        several = len(problem.objectives) > 1
        self.archive = Archive(problem.objectives) if several else None
        self._full = False
        self._next_number = 1
        self._told = 0
        self._deterministic = problem.recipe.resources.deterministic
        scheduler.on_report = self._report

    def restore(self) -> None:
        """Take up what the ledger holds: queue what was running, tell the strategy the rest."""
        records = self.ledger.trials() if self._records is None else self._records
        self._records = None
        if not records:
            return
        if self.strategy.hears_reports:
            self._reports = self.ledger.reports()
        self._next_number = records[-1].number + 1
        search = [record for record in records if record.phase == "search"]
        self.strategy.replaying = True
        told = sorted((r for r in search if r.told is not None), key=lambda r: r.told or 0)
        for record in told:
            self._take(record)
            self._report_again(record)
            self._tell_strategy(record)
        self._told = (told[-1].told or 0) if told else 0
        self.untold = [r for r in search if r.state.ended and r.told is None]
        for record in search:
            if not record.state.ended:
                if record.state is not TrialState.QUEUED:
                    self.ledger.put(replace(record, state=TrialState.LOST))
                record = replace(record, state=TrialState.QUEUED)
                self.ledger.put(record)
                self.scheduler.requeued.append(record)
        self._restore_checkpoints(told)
        for record in (*self.untold, *self.scheduler.requeued):
            with plugin_code("strategy.resume"):
                self.strategy.resume(record.trial())
            self._report_again(record)
        self._reports.clear()
        self.strategy.replaying = False
        self.ledger.commit()
        self.journal.emit(
            "resumed", ended=len(told) + len(self.untold), requeued=len(self.scheduler.requeued)
        )

    def _restore_checkpoints(self, told: Iterable[TrialRecord]) -> None:
        """Find the checkpoints that are left; hand on those that trials wait for."""
        if self._promotable() is not None:
            for record in (*told, *self.untold):
                if record.folder and record.kind == "train":
                    self.checkpoints.keep(record.number, record.folder)
        for record in self.scheduler.requeued:
            if record.continues is not None and not self.checkpoints.exists(record.folder):
                self._hand_on(record)

    def smoke(self) -> None:
        """Run one batch of a random architecture, so that a fault shows before the search.

        Raises:
            ToolkitError: it failed; the message is the whole failure and how to reproduce it.
        """
        if self.ledger.meta("smoke_passed"):
            return
        recipe = self.problem.recipe
        point = sample(self.problem.tree, random.Random(seeds.derive(recipe.train.seed, "smoke")))
        spec = TrialSpec(
            "smoke",
            SmokeJob(point),
            seeds.derive(recipe.train.seed, "smoke"),
            str(self.folder.path / "trials" / "smoke"),
        )
        self.ledger.set_meta("smoke_job", asdict(spec))
        self.ledger.commit()
        began = self.clock.monotonic()
        outcome = self.scheduler.run_job(spec)
        if outcome.state is not TrialState.DONE:
            raise job_failure(
                "The first batch failed, so the search was not begun",
                outcome,
                f"To reproduce it: {self._reproduce('smoke')}",
            )
        self.ledger.set_meta("smoke_passed", True)
        self.ledger.commit()
        self.journal.emit("smoke_passed", duration_s=self.clock.monotonic() - began)

    def run(self) -> str:
        """Search until nothing more may or can be tried; why it ended.

        Raises:
            Interrupted: the engine was asked to stop; what ran is queued again.
        """
        self.budget.begin()
        while True:
            while (ended := self._next_to_tell()) is not None:
                self._tell(ended)
                if self._deterministic:
                    break
            spent = self.budget.spent()
            while not spent and self.scheduler.free():
                record = self._next()
                if record is None:
                    break
                self.scheduler.start(record)
            if self._next_to_tell() is not None:
                continue
            if not self.scheduler.running:
                break
            for ended in self.scheduler.wait():
                self.budget.settle(ended)
                self.untold.append(ended)
            self.ledger.set_meta("search_s", self.budget.seconds)
        self.ledger.set_meta("search_s", self.budget.seconds)
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
                record = self._enter(proposal)
                if record.state is TrialState.QUEUED:
                    return record
                self._tell(record)
        return None

    def _enter(self, proposal: Proposal) -> TrialRecord:
        """A proposal as a new trial: queued, or at once answered from the ledger or refused."""
        recipe, number = self.problem.recipe, self._next_number
        self._next_number += 1
        fidelity, fingerprint, parent = dict(proposal.fidelity), "supernet", None
        if proposal.kind == "train":
            fingerprint = self._fingerprint(proposal.point)
            fidelity = self.problem.fidelity(proposal.point, proposal.fidelity)
            parent = self.history.parent(proposal, fingerprint)
        seed = self.history.seed(number) if proposal.seed is None else proposal.seed
        record = TrialRecord(
            number,
            "search",
            proposal.kind,
            TrialState.QUEUED,
            proposal.point,
            fingerprint,
            seed if parent is None else parent.seed,
            fidelity=fidelity,
            token=proposal.token,
            continues=proposal.continues,
            folder=RunFolder.trial_name("search", number, fingerprint, "", 0),
        )
        refused = self.rejections.known(fingerprint)
        known = self.history.answer(record)
        if refused is not None:
            record = replace(
                record,
                state=TrialState.INVALID,
                source=refused.number,
                folder="",
                ended=self.clock.time(),
                error=refused.error,
                violations=refused.violations,
                values=refused.values,
                parameters=refused.parameters,
            )
        elif known is not None and recipe.budget.dedup != "repeat":
            record = replace(record, source=known.number, folder="", ended=self.clock.time())
            if recipe.budget.dedup == "reject":
                error = f"Trial {known.number} tried the same (budget.dedup is reject)."
                record = replace(record, state=TrialState.INVALID, error=error)
            else:
                record = replace(
                    record,
                    state=TrialState.DONE,
                    values=known.values,
                    error=known.error,
                    parameters=known.parameters,
                    violations=known.violations,
                )
        if record.state is TrialState.QUEUED:
            # One that an engine left here when it was killed is none of this trial's.
            self.checkpoints.delete(record.folder)
            self._hand_on(record)
        self.budget.count(record)
        self.ledger.put(record)
        return record

    def _hand_on(self, record: TrialRecord) -> None:
        """Give a trial the checkpoint that it continues, if it continues one."""
        parent = None if record.continues is None else self.history.trained(record.continues)
        if parent is not None and not self.checkpoints.hand_on(parent.number, record.folder):
            self.journal.emit(
                "warning",
                number=record.number,
                message=f"The checkpoint of trial {parent.number} is gone, so that trial"
                f" {record.number}, which continues it, is trained from zero.",
            )

    def _fingerprint(self, point: Mapping[str, Any] | None) -> str:
        try:
            validate(self.problem.tree, point)
        except SpaceError as error:
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} proposed a point outside the"
                f" space. {error.message}"
            ) from error
        assert point is not None
        with plugin_code("space.graph"):
            return self.problem.fingerprint(point)

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
        if self._take(record) and self.archive is not None:
            self.ledger.set_meta("front", self.archive.to_json())
        self.ledger.commit()
        if record.state in FAILURES:
            self._count_failure(record)
        self.journal.trial_ended(record)
        self._tell_strategy(record)
        self._tidy(record)

    def _take(self, record: TrialRecord) -> bool:
        """Take an ended trial's result in; whether the Pareto front is another now."""
        self.history.remember(record)
        self.rejections.take(record)
        known = all(name in record.values for name in self.problem.objectives)
        if self.archive is None or not (record.eligible and known):
            return False
        if record.in_full and not self._full:
            # Whole trainings are not compared with parts of such, see `candidates`.
            self.archive, self._full = Archive(self.problem.objectives), True
        elif self._full and not record.in_full:
            return False
        return self.archive.add(record.number, record.values)

    def note_front(self) -> None:
        """Write the Pareto front of what was found, its hypervolume included."""
        if self.archive is not None:
            self.ledger.set_meta("front", self.archive.to_json(exact=True))
            self.ledger.commit()

    def _tidy(self, record: TrialRecord) -> None:
        """Drop checkpoints that nothing will go on from: results are safe in the ledger by now."""
        promotable = self._promotable()
        if record.kind == "train" and record.folder:
            if promotable is None:
                self.checkpoints.delete(record.folder)
            else:
                self.checkpoints.keep(record.number, record.folder)
        if promotable is not None:
            trained = map(self.history.trained, promotable)
            self.checkpoints.keep_only({record.number for record in trained if record is not None})

    def _promotable(self) -> Collection[int] | None:
        with plugin_code("strategy.promotable"):
            return self.strategy.promotable()

    def _tell_strategy(self, record: TrialRecord) -> None:
        heard = record.state in (TrialState.DONE, TrialState.PRUNED)
        state = TrialState.INVALID if record.violations else record.state
        with plugin_code("strategy.tell"):
            self.strategy.tell(record.trial(), state, record.values if heard else {})

    def _count_failure(self, record: TrialRecord) -> None:
        if is_refused(record):
            return
        self.budget.count_failure(record)
        if self.budget.failed == 1:
            self.journal.emit(
                "warning",
                number=record.number,
                message=f"Trial {record.number} is the first to fail ({record.state}):\n"
                f"{record.error}\nTo reproduce it: {self._reproduce(str(record.number))}",
            )

    def _report(self, record: TrialRecord, step: int, values: Mapping[str, float]) -> bool:
        if record.phase == "final":
            return True
        with plugin_code("strategy.report"):
            return bool(self.strategy.report(record.trial(), step, values))

    def _report_again(self, record: TrialRecord) -> None:
        """Give an earlier engine's reports to the strategy; its verdicts on them are history."""
        for step, reported in self._reports.get(record.number, ()):
            values = {k: math.nan if v is None else v for k, v in reported.items()}
            self._report(record, step, values)

    def _reproduce(self, which: str) -> str:
        return f"python -m toolkit.worker.reproduce {self.folder.path} {which}"
