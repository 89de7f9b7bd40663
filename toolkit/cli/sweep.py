"""`toolkit sweep`: the same recipe with other values, compared in a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.guard import working_in
from toolkit.cli.retrain import ArchitectureFile, FromRun, given_point
from toolkit.cli.search import (
    AsJson,
    Overrides,
    Plugins,
    RecipeArgument,
    Workers,
    end,
    plugins_print_elsewhere,
)

if TYPE_CHECKING:
    from toolkit.sweeps import Plan, Table


def sweep(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            "-s",
            metavar="KEY=VALUES",
            help="What to sweep: a=1,2 or a=log(1e-4,1e-1), uniform(0,1), int(1,8); a third number"
            " asks for so many points. Default: what the recipe searches.",
        ),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Every combination; the default where there are points.")
    ] = False,
    random: Annotated[
        int | None, typer.Option("--random", metavar="N", min=1, help="N random combinations.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", metavar="NAME", help="A strategy chooses, e.g. optuna.tpe."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", min=1, help="Combinations that --strategy may try."),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="K", min=1, help="Repeat each with K seeds.")
    ] = 1,
    architecture: ArchitectureFile = None,
    from_run: FromRun = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Whole runs, also where trials would do.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run a grid of more than 10,000.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Run folder; default runs/NAME-sweep."),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Try a recipe with several values, with several seeds, and compare them in a table.

    Where one architecture is to be trained (--architecture, --from, or a
    space that holds one) and the swept keys lie under train or space, each
    combination and seed is one trial: all in one engine, judged on the
    validation split. Otherwise each is a whole run of the recipe in RUN/runs,
    with its own search, final trainings and test.

    The table says what can be told from noise; it is kept as sweep.csv and
    sweep.json. The same command on the same run folder resumes, also with
    more seeds or a larger N.
    """
    from toolkit.cli.console import make_display
    from toolkit.registry import Registry
    from toolkit.sweeps import Request, make_plan, parse_axis, run_sweep

    stdout = sys.stdout
    with plugins_print_elsewhere(as_json):
        axes = tuple(parse_axis(text) for text in values or ())
        point = given_point(architecture, from_run, recipe)
        request = Request(
            axes,
            grid,
            random,
            strategy,
            trials,
            seeds,
            None if point is None else point["architecture"],
            whole,
            yes,
        )
        plan = make_plan(recipe, overrides or (), request, Registry(plugin or ()))
        folder = output if output is not None else Path("runs") / f"{plan.recipe.name}-sweep"
        working_in(folder)
        _check(plan)
        display = make_display(as_json, stdout)
        try:
            code, table = run_sweep(plan, folder, workers=workers, on_event=display.event)
        finally:
            display.close()
    _print(table, folder, as_json)
    if not (plan.whole or as_json or code) and table.rows:
        source = _source(architecture, from_run)
        best = table.rows[0].values
        _say_next(recipe, [*(overrides or ()), *_settings(best)], source, plugin)
    end(code, folder)


def _check(plan: Plan) -> None:
    """Find what does not fit before anything runs: for whole runs, with every single value."""
    from toolkit.problem import assemble

    if not plan.whole:
        assemble(plan.recipe, plan.registry, architecture=plan.architecture)
        return
    for recipe in plan.probes():
        assemble(
            recipe,
            plan.registry,
            strategy=plan.architecture is None,
            architecture=plan.architecture,
        )


def _print(table: Table, folder: Path, as_json: bool) -> None:
    from toolkit.cli.output import print_json, print_table
    from toolkit.sweeps.table import row_json

    if as_json:
        for row in table.rows:
            print_json(row_json(row))
        print_json({"notes": table.notes, "csv": str(folder / "sweep.csv")})
        return
    if not table.rows:
        return
    typer.echo("")
    print_table(table.header(), table.cells(), [not row.validation for row in table.rows])
    for note in table.notes:
        typer.echo(f"\n{note}")
    typer.echo(f"\n{folder / 'sweep.csv'}")


def _say_next(
    recipe: str, overrides: Sequence[str], source: Sequence[str], plugin: Sequence[Path] | None
) -> None:
    """Say how the best row is trained in full and tested: a sweep of trials reads no test split."""
    import shlex

    plugins = [word for path in plugin or () for word in ("--plugin", str(path))]
    command = ["toolkit", "retrain" if source else "search", recipe, *overrides, *source, *plugins]
    typer.echo(f"\nTo test the best row: {shlex.join(command)}")


def _source(file: Path | None, run: Path | None) -> list[str]:
    if file is not None:
        return ["--architecture", str(file)]
    return [] if run is None else ["--from", str(run)]


def _settings(values: Mapping[str, Any]) -> list[str]:
    import json

    return [f"{key}={json.dumps(value)}" for key, value in values.items()]
