"""`toolkit sweep`: the same recipe with other values, compared in a table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.console import Manner
from toolkit.cli.options import (
    ArchitectureFile,
    AsJson,
    FromRun,
    Overrides,
    Plugins,
    Quiet,
    RecipeArgument,
    Verbose,
    Workers,
)
from toolkit.cli.output import print_json, print_table
from toolkit.cli.running import run_shown

if TYPE_CHECKING:
    from toolkit import Sweep


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
    quiet: Quiet = False,
    verbose: Verbose = False,
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
    import toolkit

    found = run_shown(
        Manner(as_json, quiet, verbose),
        lambda hear: toolkit.sweep(
            recipe,
            values or (),
            grid=grid,
            random=random,
            strategy=strategy,
            trials=trials,
            seeds=seeds,
            architecture=architecture,
            from_run=from_run,
            whole=whole,
            confirmed=yes,
            output=output,
            workers=workers,
            plugins=plugin or (),
            on_event=hear,
            overrides=overrides,
        ),
        lambda ended: _print(ended, as_json),
    )
    if not (found.whole or as_json) and found.comparison.rows:
        best = found.comparison.rows[0].values
        chosen = [*(overrides or ()), *(f"{key}={json.dumps(best[key])}" for key in best)]
        _say_next(recipe, chosen, _source(architecture, from_run), plugin)


def _print(sweep: Sweep, as_json: bool) -> None:
    table, csv = sweep.comparison, sweep.folder / "sweep.csv"
    if as_json:
        for row in sweep.compared():
            print_json(row)
        print_json({"notes": sweep.notes, "csv": str(csv)})
        return
    if not table.rows:
        return
    typer.echo("")
    print_table(table.header(), table.cells(), [not row.validation for row in table.rows])
    for note in sweep.notes:
        typer.echo(f"\n{note}")
    typer.echo(f"\n{csv}")


def _say_next(
    recipe: str, overrides: Sequence[str], source: Sequence[str], plugin: Sequence[Path] | None
) -> None:
    """Say how the best row is trained in full and tested: a sweep of trials reads no test split."""
    plugins = [word for path in plugin or () for word in ("--plugin", str(path))]
    command = ["toolkit", "retrain" if source else "search", recipe, *overrides, *source, *plugins]
    typer.echo(f"\nTo test the best row: {shlex.join(command)}")


def _source(file: Path | None, run: Path | None) -> list[str]:
    if file is not None:
        return ["--architecture", str(file)]
    return [] if run is None else ["--from", str(run)]
