"""An evaluation on folds: a sweep whose runs differ in the fold that is tested on.

The runs share the workers, and these what they have read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Proposal,
    Slot,
    StopReason,
    TrainJob,
    TrialSpec,
)
from toolkit.contracts.outer import OuterFold
from toolkit.engine import run_retraining, run_search
from toolkit.problem import Problem
from toolkit.recipe import Source
from toolkit.registry import plugin_code
from toolkit.run.events import OnEvent
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.space import Choice
from toolkit.sweeps.axes import Axis
from toolkit.sweeps.plan import Plan
from toolkit.sweeps.runs import RunExecutor, RunsProblem, run_whole

KEY = "validation.outer"
"""What the runs differ in."""
_CLOSE_S = 10.0


@dataclass(frozen=True)
class FoldsPlan(Plan):
    """The folds of an evaluation, each a run with its own search, or of one architecture.

    Attributes:
        folds: which, as `toolkit.contracts.outer.parse_folds` reads it.
    """

    folds: str = ""

    def purpose(self) -> dict[str, Any]:
        given = {} if self.architecture is None else {"architecture": self.architecture}
        return {"command": "evaluate", "folds": self.folds, **given}


def plan_folds(source: Source, overrides: Sequence[str], problem: Problem, folds: str) -> FoldsPlan:
    """Returns what an evaluation will run.

    Args:
        source, overrides: the recipe.
        problem: of it, with the one architecture to train where one is given.
        folds: which, see `FoldsPlan`.

    Raises:
        DataError: the samples cannot be divided so.
    """
    count = problem.source.outer_count(folds)
    values = [OuterFold(folds=folds, fold=number + 1) for number in range(count)]
    points = tuple(value.model_dump_json() for value in values)
    return FoldsPlan(
        source,
        tuple(overrides),
        problem.recipe,
        (Axis(KEY, Choice(points), points, plain=False),),
        whole=True,
        sampling="grid",
        configurations=count,
        seeds=1,
        architecture=problem.architecture,
        registry=problem.registry,
        folds=folds,
    )


def outer_of(plan: Plan, point: Any) -> OuterFold:
    """Returns the fold of a point of the plan's tree."""
    return OuterFold.model_validate(plan.axes[0].value(point))


class FoldsProblem(RunsProblem):
    """What an evaluation runs through: the folds."""

    def trial_folder(self, proposal: Proposal) -> str:
        return f"folds/{outer_of_point(proposal.point).fold:02d}"

    def reproduction(self, folder: Path, which: str) -> str:
        return f"What it left is in {folder / 'folds'}."


def outer_of_point(point: Any) -> OuterFold:
    """Returns the fold of a point, without its plan."""
    for name in KEY.split("."):
        point = point[name]
    return OuterFold.model_validate_json(point)


class LentExecutor(Executor):
    """An executor that stays when the run that uses it has ended; its jobs are of one fold.

    Args:
        lender: where the jobs run.
        outer: the fold.
    """

    def __init__(self, lender: Executor, outer: OuterFold) -> None:
        super().__init__(lender.context)
        self._lender, self._outer = lender, outer.model_dump()
        self._running: set[str] = set()

    def slots(self) -> Sequence[Slot]:
        return self._lender.slots()

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        self._running.add(spec.key)
        self._lender.start(replace(spec, outer=self._outer), slot)

    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in self._lender.events(timeout_s):
            if isinstance(event, Ended):
                self._running.discard(event.key)
            yield event

    def waiting(self, key: str) -> str:
        return self._lender.waiting(key)

    def stop(self, key: str, reason: StopReason) -> None:
        self._lender.stop(key, reason)

    def close(self) -> None:
        for key in tuple(self._running):
            self._lender.stop(key, "now")
        for _ in range(round(4 * _CLOSE_S)):
            if not self._running:
                break
            list(self.events(0.25))


class FoldExecutor(RunExecutor):
    """Makes the run of every fold, on workers that stay for all of them.

    Args:
        context: of the evaluation.
        plan: its folds.
        problem: of the recipe, in no fold.
        on_event: hears the events of every run.
    """

    def __init__(
        self, context: ExecutorContext, plan: FoldsPlan, problem: Problem, on_event: OnEvent | None
    ) -> None:
        super().__init__(context, plan, on_event)
        self._problem = problem
        self._lender: Executor | None = None

    def close(self) -> None:
        super().close()
        if self._lender is not None:
            self._lender.close()

    def _run(self, spec: TrialSpec, folder: Path) -> int:
        assert isinstance(spec.job, TrainJob)
        outer = outer_of(self._plan, spec.job.point)
        run = run_search if self._plan.architecture is None else run_retraining
        return run(
            self._problem.in_fold(outer),
            folder,
            workers=self.context.workers,
            on_event=self._on_event,
            executor=lambda context: LentExecutor(self._lent(context), outer),
            hand_over=False,
        )

    def _lent(self, context: ExecutorContext) -> Executor:
        """The one executor, made as the first run asks for it."""
        if self._lender is None:
            recipe, folder = self._problem.recipe, self.context.folder
            make = self._problem.registry.get("executors", recipe.resources.executor)
            own = replace(context, recipe=recipe.resolved(), folder=folder)
            with plugin_code("executor"):
                self._lender = make(own)
        return self._lender


def run_folds(
    plan: FoldsPlan,
    problem: Problem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
) -> int:
    """Runs every fold that has not been run, one after the other.

    Args:
        plan: what to run.
        problem: of the recipe, in no fold.
        folder: the evaluation's folder; made if missing.

    Returns, raises: see `toolkit.sweeps.runs.run_whole`.
    """
    names = [
        problem.in_fold(outer_of(plan, point)).source.outer_in_words()
        for point in ({"validation": {"outer": p}} for p in plan.axes[0].points or ())
    ]
    return run_whole(
        plan,
        FoldsProblem(plan),
        folder,
        workers=workers,
        on_event=on_event,
        told=None if on_event is None else _told_of_folds(names, folder, on_event),
        executor=lambda context: FoldExecutor(context, plan, problem, on_event),
    )


def _told_of_folds(names: Sequence[str], folder: Path, on_event: OnEvent) -> OnEvent:
    """Gives the evaluation's own events names that tell them from those of its runs."""

    def of_fold(number: int) -> dict[str, Any]:
        with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
            record = ledger.trial(number)
        assert record is not None, "a trial is in the ledger before it is told of"
        fold = outer_of_point(record.point).fold
        return {"fold": fold, "tested_on": names[fold - 1], "folder": record.folder}

    def hear(name: str, facts: Mapping[str, Any]) -> None:
        match name:
            case "run_started":
                kept = {key: facts[key] for key in ("name", "folder", "resumed")}
                on_event("evaluation_started", {**kept, "folds": len(names)})
            case "trial_started":
                on_event("fold_started", of_fold(facts["number"]))
            case "trial_ended":
                kept = {key: facts[key] for key in ("state", "values", "duration_s", "error")}
                on_event("fold_ended", {**of_fold(facts["number"]), **kept})
            case "run_ended":
                on_event("evaluation_ended", facts)
            case "noted":
                on_event(name, facts)

    return hear
