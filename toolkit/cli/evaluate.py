"""`toolkit evaluate`: a recipe judged on folds that together test every sample."""

from __future__ import annotations

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
    from toolkit import Evaluation


def evaluate(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    folds: Annotated[
        str,
        typer.Option(
            "--folds",
            metavar="KIND",
            help="leave_one_group_out, groups:K, stratified:K or repeated:KxR.",
        ),
    ] = "stratified:5",
    architecture: ArchitectureFile = None,
    from_run: FromRun = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="RUN", help="Run folder; default runs/NAME-evaluation."
        ),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Judge a recipe on folds: search on all samples but one fold, test on it.

    Every fold is a run in RUN/folds with its own search, final trainings and
    test, so that nothing of what is tested on was searched on. With --from or
    --architecture one architecture is trained on every fold instead.

    The table has each network's mean, deviation and 95 % interval over the
    folds, and compares them fold by fold; it is kept as evaluation.csv,
    evaluation.json and report.html. The same command on the same run folder
    resumes.
    """
    import toolkit

    run_shown(
        Manner(as_json, quiet, verbose),
        lambda hear: toolkit.evaluate(
            recipe,
            folds,
            architecture=architecture,
            from_run=from_run,
            output=output,
            workers=workers,
            plugins=plugin or (),
            on_event=hear,
            overrides=overrides,
        ),
        lambda ended: _print(ended, as_json),
    )


def _print(found: Evaluation, as_json: bool) -> None:
    if as_json:
        print_json(found.summary())
        return
    if not found.evaluated.networks:
        return
    typer.echo("")
    print_table(*found.evaluated.fold_cells())
    typer.echo("")
    print_table(*found.evaluated.network_cells())
    for note in found.notes:
        typer.echo(f"\n{note}")
    typer.echo(f"\n{found.folder / 'report.html'}")
