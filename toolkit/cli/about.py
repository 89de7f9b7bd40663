"""`toolkit plugins`, `toolkit recipes` and `toolkit doctor`: what there is to work with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.output import print_json, print_table
from toolkit.cli.search import AsJson, Plugins


def plugins(
    plugin: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Load each, to see if it works.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the plugins: tasks, search spaces, strategies and the rest."""
    from toolkit.registry import Registry

    rows = Registry(plugin or (), tolerant=True).rows(check=check)
    if as_json:
        for row in rows:
            print_json(asdict(row))
        return
    table = [(row.kind or "local file", row.name, row.origin, row.error) for row in rows]
    print_table(("kind", "name", "from", ""), table, [bool(row.error) for row in rows])


def recipes(as_json: AsJson = False) -> None:
    """List the shipped recipes."""
    from toolkit.recipe import shipped_recipes

    rows = [(name, _purpose(path), path) for name, path in shipped_recipes().items()]
    if as_json:
        for name, purpose, path in rows:
            print_json({"name": name, "purpose": purpose, "path": str(path)})
        return
    print_table(("name", "purpose", "file"), rows)


def _purpose(path: Path) -> str:
    """The comment a recipe begins with, its first line."""
    first = (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def doctor(plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Examine this machine and installation; ends with 1 if something is broken."""
    from toolkit.cli.doctor import examine

    findings = examine(plugin or ())
    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        table = [(finding.topic, finding.found, finding.problem) for finding in findings]
        print_table(("", "found", "problem"), table, [bool(item.problem) for item in findings])
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)
