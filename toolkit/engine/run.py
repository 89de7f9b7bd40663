"""The engine: runs a recipe in a run folder, from its first trial to its report.

A killed or stopped run goes on when the same command is given again: what is known is in the
ledger, what was running is queued again and continues from its checkpoint, and the strategy is
told once more what it had been told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from toolkit.contracts import Executor, ExecutorContext
from toolkit.engine.budget import SearchBudget, total_trials
from toolkit.engine.final import finish
from toolkit.engine.journal import Journal, OnEvent
from toolkit.engine.scheduler import Interrupted, Scheduler
from toolkit.engine.search import Search, plugin_code
from toolkit.errors import ExitCode
from toolkit.jobs import search_context
from toolkit.ledger import Ledger
from toolkit.problem import Problem
from toolkit.recipe import Recipe
from toolkit.registry import Registry
from toolkit.run_folder import RunFolder

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
        on_event: called with the name and the facts of each event, see `toolkit.engine.journal`.

    Returns:
        The exit code: one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM.

    Raises:
        ToolkitError: the run cannot go on; its `exit_code` says which kind of fault it is.
    """
    problem = Problem(recipe, registry)
    strategy = problem.strategy()
    # An impossible space, or one this strategy cannot serve, is refused before anything is written.
    context = search_context(problem, total_trials(recipe.budget, strategy.default_trials()))
    with plugin_code("strategy.setup"):
        strategy.setup(context)
    run = RunFolder(folder)
    with run.lock(), _logging_to(run.log), closing(Ledger.open(run.ledger)) as ledger:
        resumed = run.claim(ledger, recipe.resolved(), recipe.source or None)
        ledger.set_meta("plugin_paths", [str(path) for path in registry.plugin_paths])
        ledger.set_meta("budget_trials", context.trials)
        executor = _make_executor(recipe, registry, run, workers)
        trackers = [registry.build("trackers", name) for name in recipe.track]
        with closing(executor), closing(Journal(run.events, trackers, on_event)) as journal:
            scheduler = Scheduler(
                run.path, ledger, executor, journal, problem.objectives,
                recipe.resources.trial_timeout,
            )  # fmt: skip
            budget = SearchBudget(
                recipe.budget, context.trials, ledger.trials("search"),
                ledger.meta("search_s", 0.0),
            )  # fmt: skip
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
