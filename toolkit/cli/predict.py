"""`toolkit predict`: what a run's model says of new data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.base.errors import DataError
from toolkit.cli.options import AsJson, RunArgument
from toolkit.cli.output import print_json, print_table


def predict(
    run: RunArgument,
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="New data as the run's task reads them; no labels."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write .csv, .json or .npz instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict new data with the network in a run's best/."""
    from toolkit import Run

    if output is not None:
        _refuse_data(output, data)
    found = Run(run).predictions(data)
    if output is not None:
        found.write(output)
        typer.echo(f"{len(found.names)} predictions in {output}")
        return
    rows = found.rows()
    if as_json:
        print_json(rows)
        return
    print_table(found.columns, [list(row.values()) for row in rows])


def _refuse_data(output: Path, data: Path) -> None:
    """Refuses to write predictions over the data that they are of."""
    if output.exists() and data.exists() and output.samefile(data):
        raise DataError(
            f"{output} holds the data, and predictions would take their place.",
            hint="Name another file with -o.",
        )
