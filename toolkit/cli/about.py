"""`toolkit plugins`, `schema`, `recipes` and `toolkit doctor`: what there is to work with."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from toolkit.cli.described import print_plugin, print_plugins
from toolkit.cli.options import AsJson, Plugins
from toolkit.cli.output import print_json, print_table


def plugins(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Explain this one and its options.")
    ] = None,
    plugin: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Load each, to see if it works.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the plugins, or explain one: what it is, and its options."""
    from toolkit import describe_plugin, list_plugins

    if name is not None:
        for described in describe_plugin(name, plugin or ()):
            print_json(asdict(described)) if as_json else print_plugin(described)
        return
    rows = list_plugins(plugin or (), check=check)
    if as_json:
        for row in rows:
            print_json(asdict(row))
        return
    print_plugins(rows)


def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of recipes, for editors."""
    from toolkit import recipe_schema

    typer.echo(json.dumps(recipe_schema(plugin or ()), indent=2))


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


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what a shell runs to complete commands, runs, recipes, plugins and keys."""
    from toolkit.base.errors import RecipeError
    from toolkit.cli.completion.scripts import SCRIPTS

    if shell not in SCRIPTS:
        known = ", ".join(SCRIPTS)
        raise RecipeError(f"The shell is {shell!r}, expected one of {known}.")
    typer.echo(SCRIPTS[shell], nl=False)


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
