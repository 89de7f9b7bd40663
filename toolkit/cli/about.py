"""`toolkit plugins`, `toolkit recipes` and `toolkit doctor`: what there is to work with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from toolkit.cli.options import AsJson, Plugins
from toolkit.cli.output import print_json, print_table


def plugins(
    plugin: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Load each, to see if it works.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the plugins: tasks, search spaces, strategies and the rest."""
    from toolkit import list_plugins

    rows = list_plugins(plugin or (), check=check)
    if as_json:
        for row in rows:
            print_json(asdict(row))
        return
    table = [(row.kind or "local file", row.name, row.origin, row.error) for row in rows]
    print_table(("kind", "name", "from", ""), table, [bool(row.error) for row in rows])


def recipes(as_json: AsJson = False) -> None:
    """List the shipped recipes."""
    from toolkit import list_recipes

    shipped = list_recipes()
    if as_json:
        for recipe in shipped:
            print_json({**asdict(recipe), "path": str(recipe.path)})
        return
    table = [(recipe.name, recipe.purpose, recipe.path) for recipe in shipped]
    print_table(("name", "purpose", "file"), table)


def doctor(plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Examine this machine and installation; ends with 1 if something is broken."""
    from toolkit.api.doctor import examine

    findings = examine(plugin or ())
    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        table = [(finding.topic, finding.found, finding.problem) for finding in findings]
        print_table(("", "found", "problem"), table, [bool(item.problem) for item in findings])
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)
