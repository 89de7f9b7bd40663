"""`toolkit export`: a trained network of a run, handed over like the one in best/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import RunArgument


def export(
    run: RunArgument,
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="NAME", help="found, spdnet, random-1, ..."),
    ] = None,
    trial: Annotated[
        int | None, typer.Option("--trial", metavar="NUMBER", help="Of a final training.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Beside the source: torch-export, onnx, state-dict, all. Repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="By default RUN/exports/NAME."),
    ] = None,
) -> None:
    """Write any network that a run has trained from scratch, with weights and card."""
    from toolkit import Run

    typer.echo(str(Run(run).export(network=network, trial=trial, output=output, to=to or ())))
