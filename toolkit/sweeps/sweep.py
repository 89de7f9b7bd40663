"""Runs a sweep: as trials of one engine, or as one whole run after the other."""

from __future__ import annotations

from pathlib import Path

from toolkit.contracts import TrialState
from toolkit.engine.engine import run_stages
from toolkit.engine.search import Search
from toolkit.engine.stages import search_all
from toolkit.errors import ExitCode
from toolkit.problem import Problem
from toolkit.run.events import OnEvent
from toolkit.run.ledger import Ledger
from toolkit.run.selection import primary
from toolkit.sweeps.plan import Plan
from toolkit.sweeps.table import Table, make_table, write_table
from toolkit.sweeps.whole import run_whole


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
    problem = Problem(plan.recipe if not plan.whole else plan.probes()[0], plan.registry)
    objective, direction = primary(problem.objectives)
    if plan.whole:
        code = run_whole(plan, problem, folder, workers=workers, on_event=on_event)
    else:
        code = _run_trials(plan, folder, workers=workers, on_event=on_event)
    ledger = Ledger.open(folder / "ledger.sqlite", read_only=True)
    try:
        records = ledger.trials("search")
    finally:
        ledger.close()
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


def _run_trials(plan: Plan, folder: Path, *, workers: int | None, on_event: OnEvent | None) -> int:
    problem = Problem(plan.recipe, plan.registry, plan.architecture)

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
