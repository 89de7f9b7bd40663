"""`toolkit retrain`: a given architecture trained, tested and exported, without a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from toolkit.cli.outcome import print_outcome
from toolkit.cli.running import run_shown


def retrain(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    architecture: ArchitectureFile = None,
    from_run: FromRun = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="RUN", help="Run folder; default runs/NAME-retrain."
        ),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train a given architecture as the recipe says, test it, export it.

    Nothing is searched: the architecture comes from a file or from an earlier
    run, also one on other data. Where both are given, it is the file's, and
    its trainings begin with the weights that the run exported, if the space
    can. It is trained train.final.seeds times beside
    the recipe's baselines and random architectures, and tested once. The same
    command on the same run folder resumes.
    """
    import toolkit

    run_shown(
        Manner(as_json, quiet, verbose),
        lambda hear: toolkit.retrain(
            recipe,
            architecture,
            from_run=from_run,
            output=output,
            workers=workers,
            plugins=plugin or (),
            on_event=hear,
            overrides=overrides,
        ),
        lambda run: print_outcome(run, as_json),
    )
