"""`toolkit predict`: what a run's model says of new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

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
        _refuse_data(output, [data])
        _refuse_data(output, data_of(Run(run).recipe))
    found = Run(run).predictions(data)
    if output is not None:
        found.write(output)
        count = len(found.names)
        typer.echo(f"{count} prediction{'' if count == 1 else 's'} in {output}")
        return
    rows = found.rows()
    if as_json:
        print_json(rows)
        return
    print_table(found.columns, [list(row.values()) for row in rows])


def _refuse_data(output: Path, known: Sequence[Path]) -> None:
    """Refuses to write predictions over the data that they are of, or those of the training."""
    if output.exists() and any(path.exists() and output.samefile(path) for path in known):
        raise DataError(
            f"{output} holds the data, and predictions would take their place.",
            hint="Name another file with -o.",
        )


def data_of(recipe: Mapping[str, Any]) -> list[Path]:
    """The paths that a run's task names."""
    task = recipe.get("task")
    texts = [text for text in task.values() if isinstance(text, str)] if task else []
    return [Path(text) for text in texts if Path(text).is_absolute()]
