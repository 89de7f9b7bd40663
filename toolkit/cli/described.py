"""Plugins on the terminal: the list with a line each, and one with all of its options."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import typer

_NARROWEST = 40
_WIDEST = 100


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))


def print_plugins(rows: Iterable[Any]) -> None:
    """Names and purposes under each kind, no line wider than the terminal; broken ones say why.

    Args:
        rows: what `toolkit.list_plugins` returns.
    """
    for position, (kind, group) in enumerate(groupby(rows, lambda row: row.kind)):
        listed = list(group)
        column = max(len(row.name) for row in listed) + 4
        typer.echo(("\n" if position else "") + (kind.replace("_", " ") or "local files"))
        for row in listed:
            start = f"  {row.name}".ljust(column)
            if row.error:
                text = f"{start}{row.origin}: {row.error}"
                typer.secho(textwrap.fill(text, _width(), subsequent_indent=" " * 4), fg="red")
            else:
                typer.echo(
                    start + textwrap.shorten(row.purpose, _width() - column, placeholder=" ...")
                )
    typer.echo("\n`toolkit plugins NAME` explains one and its options.")


def print_plugin(plugin: Any) -> None:
    """What a plugin is, how a recipe names it, and what every option means.

    Args:
        plugin: one of what `toolkit.describe_plugin` returns.
    """
    typer.echo(f"{plugin.name}, {_article(plugin.kind)} {plugin.kind} of {plugin.origin}\n")
    for paragraph in plugin.text.split("\n\n"):
        typer.echo(textwrap.fill(" ".join(paragraph.split()), _width()) + "\n")
    typer.echo(f"In a recipe:  {plugin.used}")
    for option in plugin.options:
        default = f", default {option.default}" if option.default else ""
        facts = f"{option.values}{', required' if option.required else default}"
        typer.echo(f"\n  {option.name}")
        examples = f" Example: {'; '.join(option.examples)}." if option.examples else ""
        for text in (facts, option.meaning + examples):
            indent = " " * 6
            filled = textwrap.fill(text, _width(), initial_indent=indent, subsequent_indent=indent)
            typer.echo(filled)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
