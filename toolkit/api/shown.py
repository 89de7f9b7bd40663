"""A run as a notebook shows it: a few lines of HTML, without script or style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from toolkit.base.errors import ToolkitError
from toolkit.base.summary import format_number


def run_as_html(run: Any) -> str:
    """Returns how far a `toolkit.Run` is, and how its networks did in the test, all escaped."""
    try:
        status = run.status
    except ToolkitError as error:
        return f"<p>{escape(str(run.folder))}: {escape(error.message)}</p>"
    facts = [("folder", str(run.folder)), ("state", run.state)]
    facts.append(("strategy", str(status["strategy"] or "")))
    counts = ", ".join(f"{count} {state}" for state, count in status["trials"].items())
    budget = f" of {status['budget']}" if status["budget"] else ""
    facts.append(("trials", f"{counts or 'none'}{budget}"))
    if best := status["best"]:
        values = {name: value for name, value in best.items() if name != "number"}
        listed = ", ".join(f"{name} {format_number(value)}" for name, value in values.items())
        facts.append(("best so far", f"trial {best['number']}: {listed}"))
    if run.handed_over:
        facts.append(("best/ holds", run.handed_over))
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in facts
    )
    return f"<div><strong>{escape(run.name)}</strong><table>{rows}</table>{_networks(run)}</div>"


def _networks(run: Any) -> str:
    tested = run.networks
    metrics = list(tested[0].test) if tested else []
    if not metrics:
        return ""
    body = [
        [row.title, *(str(row.test[name]) if name in row.test else "" for name in metrics)]
        for row in tested
    ]
    return (
        f"<table>{_row('th', ['test', *metrics])}{''.join(_row('td', row) for row in body)}</table>"
    )


def _row(tag: str, cells: Iterable[str] | Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
