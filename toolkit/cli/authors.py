"""`toolkit plugins new` and `toolkit plugins check`: for those who write plugins."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import AsJson
from toolkit.cli.output import print_json


def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="search-space, task, strategy or executor.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in recipes: my_space.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where its folder is made.")
    ] = Path(),
) -> None:
    """Write a package with a plugin, its test and a recipe, all of which run as written."""
    from toolkit import new_plugin

    for path in new_plugin(kind, name, output):
        typer.echo(str(path))
    typer.echo("\nREADME.md there says how to install, run and check it.")


def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A .py file, a package or a project's folder.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe", metavar="FILE", help="Says which options and data to try it with."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a plugin lacks: its contract's suite, its options, its tests; ends with 5."""
    from toolkit import check_plugin
    from toolkit.base.errors import ExitCode

    faults = total = 0
    for finding in check_plugin(path, recipe):
        total += 1
        faults += bool(finding.fault)
        if as_json:
            print_json(asdict(finding))
        elif finding.fault:
            typer.secho(f"MISSING  {finding.plugin}: {finding.promise}", fg="red")
            typer.echo(f"         {finding.fault}")
        else:
            typer.echo(f"ok       {finding.plugin}: {finding.promise}")
    if not as_json:
        typer.echo(f"\n{total - faults} of {total} are right.")
    if faults:
        raise typer.Exit(int(ExitCode.PLUGIN))
