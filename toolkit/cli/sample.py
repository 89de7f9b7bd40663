"""`toolkit sample`: new images of a class, by a run's generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import RunArgument


def sample(
    run: RunArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the PNG files.")
    ],
    name: Annotated[str, typer.Option("--class", metavar="NAME", help="Which class to make.")] = "",
    count: Annotated[int, typer.Option("-n", metavar="N", help="How many images.")] = 16,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Equal seeds give equal images.")
    ] = 0,
) -> None:
    """Write new images of a class, made by the generator in a run's best/."""
    from toolkit import Run

    paths = Run(run).write_samples(name, count, output, seed=seed)
    typer.echo(f"{len(paths)} images of {name} in {output}")
