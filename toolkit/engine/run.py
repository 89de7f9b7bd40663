"""The engine: runs a recipe in a run folder, from its first trial to its report.

A killed or stopped run goes on when the same command is given again: what is known is in the
ledger, what was running is queued again and continues from its checkpoint, and the strategy is
told once more what it had been told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from toolkit.clock import SYSTEM, Clock
from toolkit.contracts import Executor, ExecutorContext, Strategy
from toolkit.engine.budget import SearchBudget
from toolkit.engine.compatibility import completed, widened
from toolkit.engine.extension import META as EXTENSIONS
from toolkit.engine.extension import extended
from toolkit.engine.final import finish
from toolkit.engine.scheduler import Interrupted, Scheduler
from toolkit.engine.search import Search
from toolkit.engine.warm_start import Source, warm_start
from toolkit.errors import ExitCode
from toolkit.problem import Problem
from toolkit.recipe.options import build
from toolkit.registry import plugin_code
from toolkit.run.events import Journal, OnEvent
from toolkit.run.folder import SEARCH, RunFolder
from toolkit.run.ledger import Ledger

logger = logging.getLogger("toolkit")

Stages = Callable[[Search], int]
"""Work in an open run folder; returns the exit code."""
MakeExecutor = Callable[[ExecutorContext], Executor]


def run_search(
    problem: Problem,
    folder: Path,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    earlier: Path | None = None,
    extend: Mapping[str, float] = {},
    executor: MakeExecutor | None = None,
    clock: Clock = SYSTEM,
) -> int:
    """Run a recipe in a folder, or go on with the run that is there.

    Args:
        problem: of the recipe to run.
        folder: the run folder; made if missing.
        workers: trials at once, in place of the recipe's `resources.workers`.
        on_event: called with the name and the facts of each event, see `toolkit.run.events`.
        earlier: folder of a run whose finished trials are told to the strategy first.
        extend: what to add to the run's totals, such as `{"trials": 50}`.
        executor: makes the executor, in place of the recipe's `resources.executor`.
        clock: of budgets, deadlines and timestamps.

    Returns:
        The exit code: one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the run cannot go on; its `exit_code` says which kind of fault it is.
    """
    return run_stages(
        problem,
        problem.strategy(),
        folder,
        _search_and_finish,
        workers=workers,
        on_event=on_event,
        earlier=earlier,
        extend=extend,
        executor=executor,
        clock=clock,
    )


def run_stages(
    problem: Problem,
    strategy: Strategy,
    folder: Path,
    stages: Stages,
    *,
    purpose: Mapping[str, Any] = SEARCH,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    earlier: Path | None = None,
    extend: Mapping[str, float] = {},
    executor: MakeExecutor | None = None,
    clock: Clock = SYSTEM,
) -> int:
    """Open a run folder, with all an engine needs, and do some stages of work in it.

    Args:
        problem: of the recipe to run.
        strategy: proposes the trials, whatever the recipe says; not yet set up.
        stages: the work; what it returns is the exit code.
        purpose: the command, and what it was given beside the recipe (`RunFolder.claim`).

    Returns, raises, and takes what else it takes, as `run_search` does.
    """
    recipe, registry, run = problem.recipe, problem.registry, RunFolder(folder)
    # An impossible space, or one this strategy cannot serve, is refused before anything is written.
    source = None if earlier is None else Source(earlier)
    totals, extensions = extended(recipe.budget, strategy.default_trials(), run.ledger, extend)
    context = problem.search_context(totals.trials)
    with plugin_code("strategy.setup"):
        strategy.setup(context)
    with run.lock(), _logging_to(run.log), closing(Ledger.open(run.ledger)) as ledger:
        resumed = run.claim(
            ledger,
            recipe.resolved(),
            recipe.source or None,
            purpose,
            complete=lambda known: completed(known, registry),
            widened=lambda known, changed: widened(
                known, problem, registry, changed, ledger.trials()
            ),
        )
        ledger.set_meta(EXTENSIONS, extensions)
        ledger.set_meta("plugin_paths", [str(path) for path in registry.plugin_paths])
        ledger.set_meta("budget_trials", context.trials)
        ledger.set_meta("directions", dict(problem.directions))
        trackers = [build(registry, "trackers", name) for name in recipe.track]
        with (
            _executor(problem, run, workers, executor) as opened,
            closing(Journal(run.events, trackers, on_event)) as journal,
        ):
            scheduler = Scheduler(
                run.path,
                ledger,
                opened,
                journal,
                problem.objectives,
                recipe.resources.trial_timeout,
                bounds=problem.bounds,
                clock=clock,
            )
            if source is not None:
                warm_start(source, problem, registry, ledger, journal)
            records = ledger.trials()
            budget = SearchBudget(
                totals,
                context.trials,
                [record for record in records if record.phase == "search"],
                ledger.meta("search_s", 0.0),
                clock,
            )
            search = Search(problem, strategy, run, ledger, scheduler, journal, budget, records)
            journal.emit(
                "run_started",
                name=recipe.name,
                folder=str(run.path),
                resumed=resumed,
                trials=budget.trials,
                time_s=totals.time,
                slots=scheduler.slot_count,
                device=opened.slots()[0].device,
                objectives=problem.objectives,
            )
            with scheduler.signals():
                try:
                    code = stages(search)
                except Interrupted:
                    code = 128 + scheduler.interrupts[0]
            journal.emit("run_ended", exit_code=int(code), folder=str(run.path))
            return code


def search_all(search: Search) -> str:
    """Smoke and search; why the search ended."""
    search.restore()
    search.smoke()
    began = search.budget.asked
    reason = search.run()
    search.note_front()
    search.journal.emit(
        "search_ended",
        reason=reason,
        trials=search.budget.asked,
        failed=search.budget.failed,
        new=search.budget.asked - began,
        search_s=search.budget.seconds,
        **_results(search),
    )
    warning = _infeasibility(search, reason)
    if warning:
        search.journal.emit("warning", message=warning)
    return reason


def _results(search: Search) -> dict[str, Any]:
    """What the end of a search tells of constraints and of the Pareto front."""
    facts: dict[str, Any] = {}
    if search.rejections.count:
        facts["rejected"] = search.rejections.count
    if search.archive is not None and search.archive.count:
        facts["front"] = len(search.archive.trials)
        facts["hypervolume"] = search.archive.hypervolume
    return facts


def _infeasibility(search: Search, reason: str) -> str:
    """What to say where the constraints ended a search, or left nothing of it."""
    if not search.problem.bounds:
        return ""
    records = search.ledger.trials("search")
    if any(record.eligible for record in records) and reason != "constraints":
        return ""
    why = search.rejections.explain(records)
    if reason == "constraints":
        many = search.rejections.in_a_row
        return f"{many} proposals in a row break a constraint, so the search ended. {why}"
    return f"No trial keeps to the constraints. {why}" if why else ""


def _search_and_finish(search: Search) -> int:
    """Smoke, search, final trainings, test, export, report."""
    if search_all(search) == "failures":
        return ExitCode.FAILURE_BUDGET_SPENT
    if not finish(search.problem, search.folder, search.ledger, search.scheduler, search.journal):
        return ExitCode.ALL_TRIALS_FAILED
    return ExitCode.OK


@contextmanager
def _executor(
    problem: Problem, run: RunFolder, workers: int | None, make: MakeExecutor | None
) -> Iterator[Executor]:
    resources = problem.recipe.resources
    context = ExecutorContext(
        recipe=problem.recipe.resolved(),
        plugin_paths=tuple(str(path) for path in problem.registry.plugin_paths),
        folder=run.path,
        workers=workers or resources.workers,
        gpus=resources.gpus,
        threads=resources.threads,
        objectives=problem.objectives,
    )
    make = make or problem.registry.get("executors", resources.executor)
    with plugin_code("executor"):
        executor = make(context)
    try:
        yield executor
    finally:
        with plugin_code("executor.close"):
            executor.close()


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
