"""The `toolkit` command. Its modules import what is heavy inside of the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli import (
    about,
    evaluate,
    export,
    predict,
    read,
    report,
    retrain,
    runs,
    sample,
    search,
    start,
    sweep,
    test,
    watch,
)
from toolkit.cli.contributed import commands
from toolkit.cli.guard import guarded, tolerate
from toolkit.cli.verbs import WithVerbs

WRITING = "`plugins new KIND NAME` writes a plugin, `plugins check PATH` says what one lacks."
app = typer.Typer(
    name="toolkit",
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


_BEFORE: tuple[Callable[..., None], ...] = (
    start.init,
    search.search,
    sweep.sweep,
    retrain.retrain,
    evaluate.evaluate,
    search.validate,
    read.status,
    read.trials,
    read.show,
    read.logs,
    read.best,
    report.report,
    watch.watch,
    predict.predict,
    sample.sample,
    export.export,
    test.test,
    runs.runs,
    runs.reproduce,
    runs.delete,
)
_AFTER: tuple[Callable[..., None], ...] = (
    about.schema,
    about.recipes,
    about.doctor,
    about.completion,
)
for _command in _BEFORE:
    app.command()(guarded(_command))
app.command(cls=WithVerbs, epilog=WRITING)(guarded(about.plugins))
for _command in _AFTER:
    app.command()(guarded(_command))
for _name, _contributed in commands():
    app.command(_name)(guarded(_contributed))


def main() -> None:
    """Run the command line; ends the process with one of `toolkit.errors.ExitCode`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed by the caller; no file of ours may take its place.
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        setattr(sys, name, tolerate(getattr(sys, name)))
    app(prog_name="toolkit")
