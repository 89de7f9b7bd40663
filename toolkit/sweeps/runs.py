"""Whole runs as jobs of an engine: every configuration and seed is a run of its own, in `runs/`.

The sweep's own ledger has one trial per run; the run's folder has all the rest. A run that was cut
short goes on where it was.
"""

from __future__ import annotations

import signal
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.base.errors import ExitCode, LedgerError, ResumeError, RunLockedError, ToolkitError
from toolkit.base.plain import digest
from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Exhausted,
    Outcome,
    Proposal,
    SearchContext,
    Slot,
    Started,
    StopReason,
    StrategyWrapper,
    TrainJob,
    TrialSpec,
    TrialState,
    Wait,
)
from toolkit.engine import run_retraining, run_search
from toolkit.engine.engine import MakeExecutor, run_stages
from toolkit.engine.search import Search
from toolkit.engine.stages import search_on
from toolkit.problem import Problem
from toolkit.recipe.schema import Budget, Resources
from toolkit.run.events import OnEvent
from toolkit.run.facts import OUTCOME
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.space import Space
from toolkit.sweeps.plan import Plan
from toolkit.sweeps.table import TEST

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RunsProblem(Problem):
    """What a sweep of whole runs searches: the axes' values, each of which makes a run.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.probes()[0], plan.registry)
        self._axes = plan.tree
        self.bounds = ()  # Each run keeps to its own.
        total = None if plan.configurations is None else plan.configurations * plan.seeds
        # What the recipe says of trials, trackers and time is meant for each run.
        self.recipe = plan.recipe.model_copy(
            update={
                "budget": Budget(trials=total, failures=sys.maxsize),
                "resources": Resources(),
                "track": [],
            }
        )

    @cached_property
    def tree(self) -> Space:
        return self._axes

    @cached_property
    def searched_tree(self) -> Space:
        return self._axes

    @cached_property
    def survey(self) -> None:
        return None  # Each run looks at its own data.

    @property
    def depends_on_values(self) -> bool:
        return False  # Axes know nothing of each other.

    def fingerprint(self, point: Mapping[str, Any]) -> str:
        return digest([point])

    def fidelity(
        self, point: Mapping[str, Any] | None, proposed: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {}

    def search_epochs(self) -> None:
        return None

    def epochs_of(
        self, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any], *, final: bool
    ) -> None:
        return None

    def trial_folder(self, proposal: Proposal) -> str:
        token = proposal.token
        return f"runs/{token['configuration']:04d}-seed{token['repeat']}"

    def reproduction(self, folder: Path, which: str) -> str:
        return f"What it left is in {folder / 'runs'}."


class RunExecutor(Executor):
    """Makes a whole run of every job, in this process and one after the other.

    Args:
        context: of the sweep.
        plan: says which recipe a point of the sweep means.
        on_event: hears the events of every run.
    """

    def __init__(self, context: ExecutorContext, plan: Plan, on_event: OnEvent | None) -> None:
        super().__init__(context)
        self._plan, self._on_event = plan, on_event
        self._next: TrialSpec | None = None
        self._stopped = False
        # The sweep's engine has not begun to heed signals yet.
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def slots(self) -> Sequence[Slot]:
        return (Slot(0),)

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        self._next = spec

    def events(self, timeout_s: float) -> Iterator[Event]:
        spec, self._next = self._next, None
        if spec is None:
            return
        yield Started(spec.key)
        outcome = Outcome(TrialState.QUEUED) if self._stopped else self._outcome(spec)
        yield Ended(spec.key, outcome)

    def stop(self, key: str, reason: StopReason) -> None:
        self._stopped = True  # A run under way hears of it by itself.

    def close(self) -> None:
        self._next = None

    def _outcome(self, spec: TrialSpec) -> Outcome:
        """Runs, or goes on with, the run of a job.

        Raises:
            RunLockedError, ResumeError, LedgerError: to be mended by the user; the run itself has
                not failed.
        """
        folder = Path(spec.folder)
        try:
            with self._signals_as_before():
                code = self._run(spec, folder)
        except (RunLockedError, ResumeError, LedgerError):
            raise
        except ToolkitError as failure:
            return Outcome(TrialState.FAILED, error=str(failure))
        if code >= 128:
            signal.raise_signal(code - 128)  # The sweep's engine shall hear it, too.
            return Outcome(TrialState.QUEUED)
        if code != ExitCode.OK:
            name = folder.relative_to(self.context.folder)
            error = f"The run ended with exit code {code}; see {name}."
            return Outcome(TrialState.FAILED, error=error)
        return _result(folder)

    def _run(self, spec: TrialSpec, folder: Path) -> int:
        assert isinstance(spec.job, TrainJob)
        plan = self._plan
        chosen = [axis.override(axis.drawn(spec.job.point)) for axis in plan.axes]
        recipe = plan.load(*chosen, f"train.seed={spec.seed}")
        run = run_search if plan.architecture is None else run_retraining
        problem = Problem(recipe, plan.registry, plan.architecture)
        return run(problem, folder, workers=self.context.workers, on_event=self._on_event)

    @contextmanager
    def _signals_as_before(self) -> Iterator[None]:
        """Has signals do what they did before the sweep, where the run does not heed them itself.

        The sweep's engine is not at work meanwhile, and could only remember them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = {number: signal.signal(number, old) for number, old in self._handlers.items()}
        try:
            yield
        finally:
            for number, handler in heeded.items():
                signal.signal(number, handler)


def _result(folder: Path) -> Outcome:
    """Returns the result of a run that ended well: means over its final trainings, and its test."""
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        outcome = ledger.get(OUTCOME)
    assert outcome is not None, "the run has ended well"
    values = {
        name: statistics.fmean(training.values[name] for training in outcome.found)
        for name in outcome.found[0].values
    }
    test = {TEST + name: result.mean for name, result in outcome.test.items()}
    return Outcome(TrialState.DONE, {**values, **test}, parameters=outcome.parameters)


class _Seeded(StrategyWrapper):
    """Has the runs of a configuration seeded with the recipe's seed and those that follow it."""

    def setup(self, context: SearchContext) -> None:
        self._seed = context.seed
        super().setup(context)

    def ask(self) -> Proposal | Wait | Exhausted:
        proposal = super().ask()
        if isinstance(proposal, Proposal):
            return replace(proposal, seed=self._seed + proposal.token["repeat"])
        return proposal


def run_whole(
    plan: Plan,
    problem: RunsProblem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    told: OnEvent | None = None,
    executor: MakeExecutor | None = None,
) -> int:
    """Runs every configuration of a plan that has not been run, one after the other.

    Args:
        plan: what to run.
        problem: of the plan.
        folder: the sweep's folder; made if missing.
        on_event: hears the events of every run, and those of the sweep by names of their own.
        told: hears the sweep's events as an engine tells them, in place of the latter.
        executor: makes what makes the runs, by default a `RunExecutor`.

    Returns:
        The exit code: `ExitCode.OK`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the sweep cannot go on. One run's failure does not end it.
    """
    # What was wrong may be mended, and a run keeps what it has; but what a strategy has heard of a
    # failure, and built upon, stays.
    again = () if plan.sampling == "strategy" else (TrialState.FAILED,)

    def stages(search: Search) -> int:
        search.restore(again)
        search_on(search)
        return ExitCode.OK

    return run_stages(
        problem,
        _Seeded(plan.strategy(plan.tree)),
        folder,
        stages,
        purpose=plan.purpose(),
        given=plan.recipe,
        workers=workers,
        on_event=told or (None if on_event is None else _told_of_runs(plan, folder, on_event)),
        executor=executor or (lambda context: RunExecutor(context, plan, on_event)),
    )


def _told_of_runs(plan: Plan, folder: Path, on_event: OnEvent) -> OnEvent:
    """Gives the sweep's own events names that tell them from those of its runs."""

    def hear(name: str, facts: Mapping[str, Any]) -> None:
        match name:
            case "run_started":
                kept = {key: facts[key] for key in ("name", "folder", "resumed")}
                more = {"runs": facts["trials"], "objectives": facts["objectives"]}
                on_event("sweep_started", {**kept, **more})
            case "trial_started":
                on_event("sweep_run_started", _beginning(plan, folder, facts["number"]))
            case "trial_ended":
                kept = {key: facts[key] for key in _ENDING}
                on_event("sweep_run_ended", kept)
            case "run_ended":
                on_event("sweep_ended", facts)
            case "noted":
                on_event(name, facts)

    return hear


_ENDING = ("number", "state", "values", "parameters", "duration_s", "error")


def _beginning(plan: Plan, folder: Path, number: int) -> dict[str, Any]:
    """What is told of a run that begins."""
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        record = ledger.trial(number)
    assert record is not None, "a trial is in the ledger before it is told of"
    values = {axis.key: axis.value(record.point) for axis in plan.axes}
    return {"number": number, "values": values, "seed": record.seed, "folder": record.folder}
