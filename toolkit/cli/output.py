"""Tables and JSON on standard output: coloured on a terminal, plain elsewhere.

For plugin authors who add a command: `print_json`, `print_table` and `print_facts` are stable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from toolkit.base.plain import finite


def print_json(content: Any) -> None:
    """One line of JSON; numbers that are not finite become null."""
    typer.echo(json.dumps(finite(content), ensure_ascii=False))


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[Any]], red: Sequence[bool] = ()
) -> None:
    """A table; `red` says which rows are about something broken."""
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*header, box=None, header_style="bold", pad_edge=False)
        for index, row in enumerate(cells):
            style = "red" if index < len(red) and red[index] else ""
            table.add_row(*map(Text, row), style=style)
        Console().print(table)
        return
    widths = [
        max(len(row[index]) for row in [list(header), *cells]) for index in range(len(header))
    ]
    for row in [list(header), *cells]:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {_cell(value)}".rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        from toolkit.base.summary import format_number

        return format_number(value)
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value)
