"""The engine: runs a recipe in a run folder, from its first trial to its report.

A killed or stopped run goes on when the same command is given again: what is known is in the
ledger, what was running is queued again and continues from its checkpoint, and the strategy is
told once more what it had been told.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from toolkit import seeds
from toolkit.budget import FAILURES, REPEATS, SearchBudget
from toolkit.contracts import (
    Executor,
    ExecutorContext,
    Exhausted,
    Proposal,
    TrialSpec,
    TrialState,
    Wait,
)
from toolkit.errors import ExitCode, PluginError, SpaceError
from toolkit.final import finish
from toolkit.jobs import search_context
from toolkit.journal import Journal, OnEvent
from toolkit.ledger import Ledger, TrialRecord
from toolkit.problem import Problem
from toolkit.recipe import Recipe
from toolkit.registry import Registry
from toolkit.run_folder import RunFolder
from toolkit.scheduler import Interrupted, Scheduler, job_failure
from toolkit.space import sample, validate

logger = logging.getLogger("toolkit")


def run_search(
    recipe: Recipe,
    registry: Registry,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
) -> int:
    """Run a recipe in a folder, or go on with the run that is there.

    Args:
        recipe: what to run.
        registry: where its plugins come from.
        folder: the run folder; made if missing.
        workers: trials at once, in place of the recipe's `resources.workers`.
        on_event: called with the name and the facts of each event (`toolkit.journal.EVENTS`).

    Returns:
        The exit code: one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the run cannot go on; its `exit_code` says which kind of fault it is.
    """
    problem = Problem(recipe, registry)
    strategy = problem.strategy()
    search_context(problem, None)  # impossible spaces are refused before anything is written
    run = RunFolder(folder)
    with run.lock(), _logging_to(run.log), closing(Ledger.open(run.ledger)) as ledger:
        resumed = run.claim(ledger, recipe.resolved(), recipe.source or None)
        ledger.set_meta("plugin_paths", [str(path) for path in registry.plugin_paths])
        executor = _make_executor(recipe, registry, run, workers)
        trackers = [registry.build("trackers", name) for name in recipe.track]
        with closing(executor), closing(Journal(run.events, trackers, on_event)) as journal:
            scheduler = Scheduler(
                run.path, ledger, executor, journal, problem.objectives,
                recipe.resources.trial_timeout,
            )  # fmt: skip
            budget = SearchBudget(
                recipe.budget, strategy.defaults, ledger.trials("search"),
                ledger.meta("search_s", 0.0),
            )  # fmt: skip
            strategy.setup(search_context(problem, budget.trials))
            search = Search(problem, strategy, run, ledger, scheduler, journal, budget)
            journal.emit(
                "run_started", name=recipe.name, folder=str(run.path), resumed=resumed,
                trials=budget.trials, time_s=recipe.budget.time, slots=scheduler.slot_count,
                device=executor.slots()[0].device, objectives=problem.objectives,
            )  # fmt: skip
            with scheduler.signals():
                code = _run_stages(search)
            journal.emit("run_ended", exit_code=int(code), folder=str(run.path))
            return code


def _run_stages(search: Search) -> int:
    """Smoke, search, final trainings, test, export, report."""
    scheduler, ledger, journal = search.scheduler, search.ledger, search.journal
    try:
        search.restore()
        search.smoke()
        began = search.budget.asked
        reason = search.run()
        journal.emit(
            "search_ended", reason=reason, trials=search.budget.asked, failed=search.budget.failed,
            new=search.budget.asked - began, search_s=search.budget.seconds,
        )  # fmt: skip
        if reason == "failures":
            return ExitCode.FAILURE_BUDGET_SPENT
        if not finish(search.problem, search.folder, ledger, scheduler, journal):
            return ExitCode.ALL_TRIALS_FAILED
        return ExitCode.OK
    except Interrupted:
        return 128 + scheduler.interrupts[0]


class Search:
    """The search: strategy, budget and scheduler, and the loop between them."""

    def __init__(
        self,
        problem: Problem,
        strategy: Any,
        folder: RunFolder,
        ledger: Ledger,
        scheduler: Scheduler,
        journal: Journal,
        budget: SearchBudget,
    ) -> None:
        self.problem, self.strategy, self.folder = problem, strategy, folder
        self.ledger, self.scheduler, self.journal = ledger, scheduler, journal
        self.budget = budget
        self.untold: list[TrialRecord] = []
        self.finished = ""
        self._known: dict[tuple[str, str], TrialRecord] = {}
        self._next_number = 1
        self._told = 0
        self._deterministic = problem.recipe.resources.deterministic
        scheduler.on_report = self._report

    def restore(self) -> None:
        """Take up what the ledger holds: queue what was running, tell the strategy the rest."""
        records = self.ledger.trials()
        if not records:
            return
        self._next_number = records[-1].number + 1
        search = [record for record in records if record.phase == "search"]
        told = sorted((r for r in search if r.told is not None), key=lambda r: r.told or 0)
        for record in told:
            self._remember(record)
            self.strategy.tell(record.trial(), record.state, _told_values(record))
        self._told = (told[-1].told or 0) if told else 0
        self.untold = [r for r in search if r.state.ended and r.told is None]
        for record in search:
            if not record.state.ended:
                if record.state is not TrialState.QUEUED:
                    self.ledger.put(replace(record, state=TrialState.LOST))
                record = replace(record, state=TrialState.QUEUED)
                self.ledger.put(record)
                self.scheduler.requeued.append(record)
        for record in (*self.untold, *self.scheduler.requeued):
            self.strategy.resume(record.trial())
        self.ledger.commit()
        self.journal.emit(
            "resumed", ended=len(told) + len(self.untold), requeued=len(self.scheduler.requeued)
        )

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
            "smoke", "smoke", {"point": point, "fidelity": {}},
            seeds.derive(recipe.train.seed, "smoke"), str(self.folder.path / "trials" / "smoke"),
        )  # fmt: skip
        self.ledger.set_meta("smoke_job", asdict(spec))
        self.ledger.commit()
        began = time.monotonic()
        body = self.scheduler.run_job(spec)
        if body["state"] != TrialState.DONE:
            raise job_failure(
                "The first batch failed, so the search was not begun", body,
                f"To reproduce it: {self._reproduce('smoke')}",
            )  # fmt: skip
        self.ledger.set_meta("smoke_passed", True)
        self.ledger.commit()
        self.journal.emit("smoke_passed", duration_s=time.monotonic() - began)

    def run(self) -> str:
        """Search until nothing more may or can be tried; why it ended.

        Raises:
            Interrupted: the engine was asked to stop; what ran is queued again.
        """
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
            self.untold += self.scheduler.wait()
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
                self.finished = "trials"
            elif self.budget.repeats >= REPEATS:
                self.finished = "exhausted"
            else:
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
        fidelity = dict(proposal.fidelity)
        fingerprint = "supernet"
        if proposal.kind == "train":
            fidelity = {**recipe.fidelity.model_dump(exclude_none=True), **fidelity}
            fingerprint = self._fingerprint(proposal.point)
        record = TrialRecord(
            number, "search", proposal.kind, TrialState.QUEUED, proposal.point, fingerprint,
            seeds.derive(recipe.train.seed, number), fidelity=fidelity, token=proposal.token,
            folder=RunFolder.trial_name("search", number, fingerprint, "", 0),
        )  # fmt: skip
        known = self._known.get(_identity(record))
        if known is not None and recipe.budget.dedup != "repeat":
            record = replace(record, source=known.number, folder="", ended=time.time())
            if recipe.budget.dedup == "reject":
                error = f"Trial {known.number} tried the same (budget.dedup is reject)."
                record = replace(record, state=TrialState.INVALID, error=error)
            else:
                record = replace(
                    record, state=TrialState.DONE, values=known.values, parameters=known.parameters
                )
        self.budget.count(record)
        self.ledger.put(record)
        return record

    def _fingerprint(self, point: Mapping[str, Any] | None) -> str:
        try:
            validate(self.problem.tree, point)
        except SpaceError as error:
            raise PluginError(
                f"The strategy {self.problem.recipe.strategy.name} proposed a point outside the"
                f" space. {error.message}"
            ) from error
        assert point is not None
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
        self.ledger.commit()
        self._remember(record)
        if record.state in FAILURES:
            self._count_failure(record)
        self.journal.trial_ended(record)
        self.strategy.tell(record.trial(), record.state, _told_values(record))

    def _remember(self, record: TrialRecord) -> None:
        if record.state is TrialState.DONE and record.kind == "train":
            self._known.setdefault(_identity(record), record)

    def _count_failure(self, record: TrialRecord) -> None:
        self.budget.count_failure(record)
        if self.budget.failed == 1 and record.source is None:
            self.journal.emit(
                "warning", number=record.number,
                message=f"Trial {record.number} is the first to fail ({record.state}):\n"
                f"{record.error}\nTo reproduce it: {self._reproduce(str(record.number))}",
            )  # fmt: skip

    def _report(self, record: TrialRecord, step: int, values: Mapping[str, float]) -> bool:
        if record.phase == "final":
            return True
        return bool(self.strategy.report(record.trial(), step, values))

    def _reproduce(self, which: str) -> str:
        return f"python -m toolkit.jobs {self.folder.path} {which}"


def _identity(record: TrialRecord) -> tuple[str, str]:
    """Equal for trials of which one answers the other: seeds follow from numbers."""
    return record.fingerprint, repr(sorted(record.fidelity.items()))


def _told_values(record: TrialRecord) -> Mapping[str, float]:
    return record.values if record.state in (TrialState.DONE, TrialState.PRUNED) else {}


def _make_executor(
    recipe: Recipe, registry: Registry, run: RunFolder, workers: int | None
) -> Executor:
    resources = recipe.resources
    context = ExecutorContext(
        recipe=recipe.resolved(),
        plugin_paths=tuple(str(path) for path in registry.plugin_paths),
        folder=run.path,
        workers=workers or resources.workers,
        gpus=resources.gpus,
        threads=resources.threads,
    )
    executor: Executor = registry.get("executors", resources.executor)(context)
    return executor


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
