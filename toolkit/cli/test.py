"""`toolkit test`: a trial of a run that was not tested with it, trained from scratch and tested."""

from __future__ import annotations

from typing import Annotated

import typer

from toolkit.cli.console import Manner
from toolkit.cli.options import AsJson, Quiet, RunArgument, Verbose, Workers
from toolkit.cli.outcome import print_outcome
from toolkit.cli.running import run_shown


def test(
    run: RunArgument,
    trial: Annotated[
        int | None,
        typer.Option("--trial", metavar="NUMBER", help="By default the best so far."),
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train and test a trial that came after the run's test.

    It is trained as what was found was, with nothing beside it, in a folder of
    its own below RUN/tests. The run's own outcome stays.
    """
    import toolkit

    run_shown(
        Manner(as_json, quiet, verbose),
        lambda hear: toolkit.test(run, trial, workers=workers, on_event=hear),
        lambda tested: print_outcome(tested, as_json),
    )
    typer.echo(toolkit.Run(run).test_reads, err=True)
