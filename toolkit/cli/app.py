"""The command line, put together of its commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.group import LazyGroup

app = typer.Typer(
    name="toolkit",
    cls=LazyGroup,
    help="AutoML and neural architecture search: one recipe names task, search space and strategy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # To import rich takes longer than all else together.
    context_settings={"max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from toolkit import __version__

        typer.echo(f"toolkit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; ends the process with one of `toolkit.errors.ExitCode`."""
    from toolkit.cli.guard import tolerate

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed by the caller; no file of ours may take its place.
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        setattr(sys, name, tolerate(getattr(sys, name)))
    app(prog_name="toolkit")
