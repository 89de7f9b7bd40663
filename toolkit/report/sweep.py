"""The page of a sweep: its combinations beside each other, and the objective over each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.report import formats
from toolkit.report.dots import Dots, dot_chart
from toolkit.report.plotting import (
    FOUND_COLOUR,
    axis_title,
    metric_axis,
    new_figure,
    numbers,
    shown,
    words,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_ROWS = 40
"""Combinations in the chart; of more, the best ones are shown."""
_DECADES = 100
"""Numbers that span so large a factor have an axis by their logarithm."""


def render_sweep(page: Mapping[str, Any], folder: str) -> str:
    """Returns the page; every value goes through the template's escaping, charts escape theirs.

    Args:
        page: what `sweep.json` holds.
        folder: the run folder.
    """
    from toolkit.report import render_with

    metric, rows = page["objective"], page["rows"]
    slices = [
        shown(f"slice-{number}", _slice(rows, name, metric), f"{metric} over {name}")
        for number, name in enumerate(page["swept"], 1)
        if len({str(row["values"].get(name)) for row in rows}) > 1
    ]
    results = shown("results", _results(rows, metric), f"{metric} of each combination, by seed")
    content = {
        "page": {**page, "rows": [{**row, "failed": len(_failed(row))} for row in rows]},
        "folder": folder,
        "charts": {"results": results},
        "slices": [each for each in slices if each is not None],
        "failures": [(row["row"], trial) for row in rows for trial in _failed(row)][:MOST_ROWS],
        "most": MOST_ROWS,
        "with_charts": results is not None,
    }
    return render_with(Path(__file__).parent, "sweep.html", content)


def _failed(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Trials that ended, and not well."""
    open_or_done = ("done", "queued", "running")
    return [trial for trial in row["trials"] if trial["state"] not in open_or_done]


def _title(row: Mapping[str, Any]) -> str:
    """What was tried, in short: `lr 0.01, width 32`."""
    values = row["values"].items()
    said = ", ".join(f"{name.rpartition('.')[2]} {formats.chosen(value)}" for name, value in values)
    short = said if len(said) <= 36 else said[:35] + "…"
    return escape(f"{row['row']}: {short}")


def _results(rows: Sequence[Mapping[str, Any]], metric: str) -> go.Figure | None:
    """Every seed's result as a dot, with the mean and standard deviation beside, best above."""
    known = [(_title(row), row["validation"]) for row in rows if row["validation"]][:MOST_ROWS]
    dots = [Dots(title, own["seeds"], own["mean"], own["std"]) for title, own in known]
    return dot_chart(dots, f"validation {words(metric)}", metric) if len(dots) > 1 else None


def _slice(rows: Sequence[Mapping[str, Any]], name: str, metric: str) -> go.Figure | None:
    """The mean of each combination over one swept value."""
    import plotly.graph_objects as go

    known = [row for row in rows if row["validation"]]
    values = [row["values"].get(name) for row in known]
    if not known:
        return None
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    wide = numeric and min(values) > 0 and max(values) / min(values) >= _DECADES
    figure = new_figure(260, showlegend=False)
    figure.add_trace(
        go.Scatter(
            x=numbers(values) if numeric else [formats.chosen(value) for value in values],
            y=numbers([row["validation"]["mean"] for row in known]),
            mode="markers",
            marker={"color": FOUND_COLOUR, "size": 8, "opacity": 0.6},
            hovertemplate="%{x}: %{y}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title=axis_title(escape(name)), zeroline=False, type="log" if wide else None
    )
    if not numeric:
        figure.update_xaxes(type="category")
    figure.update_yaxes(**metric_axis(metric))
    figure.update_layout(margin={"t": 8, "l": 48})
    return figure
