"""`toolkit report`: the page of a run, or one page that compares several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="One run folder or more.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="By default RUN/report.html; comparison.html for several runs.",
        ),
    ] = None,
) -> None:
    """Write a run's report, in whatever state the run is; of several runs, a comparison.

    A run that is at work rewrites its report by itself, at most every 10 s.
    """
    import toolkit

    if len(runs) == 1:
        typer.echo(str(toolkit.Run(runs[0]).report(output)))
    else:
        typer.echo(str(toolkit.compare(runs, output or "comparison.html")))
