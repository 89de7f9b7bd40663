"""Runs a sweep: an engine whose jobs are trials, or whole runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from toolkit.base.errors import ExitCode
from toolkit.contracts import TrialState
from toolkit.engine.engine import run_stages
from toolkit.engine.search import Search
from toolkit.engine.stages import search_all
from toolkit.problem import Problem
from toolkit.run.events import OnEvent
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.selection import primary
from toolkit.sweeps.plan import Plan
from toolkit.sweeps.runs import RunsProblem, run_whole
from toolkit.sweeps.table import Table, make_table, write_table


def run_sweep(
    plan: Plan, folder: Path, *, workers: int | None = None, on_event: OnEvent | None = None
) -> tuple[int, Table]:
    """Runs a sweep in a folder, or goes on with the one that is there; its table is written there.

    Args:
        plan: what to do.
        folder: the run folder; made if missing.
        workers: trials at once, in place of the recipe's `resources.workers`.
        on_event: called with the name and the facts of each event.

    Returns:
        The exit code (one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM) and the table.

    Raises:
        ToolkitError: the sweep cannot go on; its `exit_code` says which kind of fault it is.
    """
    problem: Problem
    if plan.whole:
        problem = RunsProblem(plan)
        code = run_whole(plan, problem, folder, workers=workers, on_event=on_event)
    else:
        problem = Problem(plan.recipe, plan.registry, plan.architecture)
        code = _run_trials(plan, problem, folder, workers=workers, on_event=on_event)
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        records = ledger.trials("search")
    objective, direction = primary(problem.objectives)
    table = make_table(records, plan.axes, objective, direction)
    facts = {
        "recipe": plan.recipe.name,
        "whole_runs": plan.whole,
        "seeds": plan.seeds,
        "exit_code": int(code),
        "ended": sum(record.state.ended for record in records),
    }
    write_table(table, folder, facts)
    if code == ExitCode.OK and not any(record.state is TrialState.DONE for record in records):
        code = ExitCode.ALL_TRIALS_FAILED
    return int(code), table


def _run_trials(
    plan: Plan, problem: Problem, folder: Path, *, workers: int | None, on_event: OnEvent | None
) -> int:
    def stages(search: Search) -> int:
        if search_all(search) == "failures":
            return ExitCode.FAILURE_BUDGET_SPENT
        return ExitCode.OK

    return run_stages(
        problem,
        plan.strategy(problem.tree),
        folder,
        stages,
        purpose=plan.purpose(),
        workers=workers,
        on_event=on_event,
    )
