"""`toolkit init`: a first recipe."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import Plugins


def init(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="task.KEY=VALUE", help="Options that the task needs to read them."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Your data, a file or a folder."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="The task that reads them; else what can."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The recipe to write.")
    ] = Path("recipe.yaml"),
    plugin: Plugins = None,
) -> None:
    """Look at your data and write a commented recipe that runs."""
    from toolkit import write_recipe

    path = write_recipe(data, task, output, plugin or (), overrides or ())
    typer.echo(str(path))
    extra = "".join(f" --plugin {shlex.quote(str(each))}" for each in plugin or ())
    typer.echo(f"\nRun it with  toolkit search {shlex.quote(str(path))}{extra}")
