"""Charts of a search with several objectives: its Pareto front, and that one's hypervolume."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.analysis.pareto import history
from toolkit.report.facts import Facts
from toolkit.report.plotting import (
    COLOURS,
    FOUND_COLOUR,
    MOST_POINTS,
    RANDOM_COLOUR,
    axis_title,
    metric_axis,
    new_figure,
    numbers,
    thinned,
    words,
)
from toolkit.run.records import TrialRecord, candidates

if TYPE_CHECKING:
    import plotly.graph_objects as go

_DECADES = 1.5
"""Spread, in powers of ten, from which on an axis of costs is logarithmic."""


def front(facts: Facts) -> go.Figure | None:
    """Trials by the two first objectives: the front marked, dominated and infeasible ones pale."""
    import plotly.graph_objects as go

    if not facts.front:
        return None
    first, second = list(facts.front["objectives"])[:2]
    trained = [record for record, _ in facts.search if record.kind == "train"]
    known = [r for r in trained if _has(r, first) and _has(r, second)]
    marked = set(facts.front["trials"])
    parts = {
        "on the front": [r for r in known if r.number in marked],
        "dominated": [r for r in known if r.eligible and r.number not in marked],
        "breaks a constraint": [r for r in known if r.violations],
    }
    styles: dict[str, dict[str, Any]] = {
        "on the front": {"color": FOUND_COLOUR, "size": 11},
        "dominated": {"color": RANDOM_COLOUR, "size": 7, "opacity": 0.6},
        "breaks a constraint": {"color": COLOURS[0], "size": 8, "symbol": "x-thin-open"},
    }
    figure = new_figure(380)
    for name in ("dominated", "breaks a constraint", "on the front"):
        own = thinned(parts[name], MOST_POINTS)
        records = sorted(own, key=lambda record: record.values[second])
        if not records:
            continue
        linked = name == "on the front" and len(facts.front["objectives"]) == 2
        shape = {"shape": "hv", "color": FOUND_COLOUR, "width": 1.5}
        figure.add_trace(
            go.Scatter(
                x=numbers([record.values[second] for record in records]),
                y=numbers([record.values[first] for record in records]),
                mode="lines+markers" if linked else "markers",
                name=name,
                marker=styles[name],
                line=shape,
                customdata=numbers([record.number for record in records]),
                hovertemplate="%{x}, %{y}<br>trial %{customdata}<extra></extra>",
            )
        )
    _axis(figure.update_xaxes, second, [record.values[second] for record in known])
    _axis(figure.update_yaxes, first, [])
    return figure


def hypervolume(facts: Facts) -> go.Figure | None:
    """Hypervolume of the front after each trial."""
    import plotly.graph_objects as go

    objectives = facts.front["objectives"] if facts.front else {}
    if not 1 < len(objectives) <= 3:
        return None
    records = candidates(record for record, _ in facts.search)
    told = sorted(records, key=lambda record: (record.told is None, record.told))
    results = [(r.number, r.values) for r in told if all(_has(r, name) for name in objectives)]
    line = history(results, objectives)
    if len(line) < 2 or not any(volume for _, volume in line):
        return None
    figure = new_figure(260, showlegend=False)
    figure.add_trace(
        go.Scatter(
            x=numbers(list(range(1, len(line) + 1))),
            y=numbers([volume for _, volume in line]),
            mode="lines",
            line={"shape": "hv", "color": FOUND_COLOUR},
            customdata=numbers([number for number, _ in line]),
            hovertemplate="%{y}<br>trial %{customdata}<extra></extra>",
        )
    )
    figure.update_xaxes(title=axis_title("trials, as they ended"), zeroline=False)
    figure.update_yaxes(title=axis_title("hypervolume"), zeroline=False, automargin=True)
    return figure


def _axis(update: Any, name: str, values: Sequence[float]) -> None:
    least, most = min(values, default=0), max(values, default=0)
    wide = least > 0 and math.log10(most / least) > _DECADES
    update(
        title=axis_title(_named(name)),
        type="log" if wide else "linear",
        **metric_axis(name),
    )


def _named(name: str) -> str:
    units: Mapping[str, str] = {"_ms": " (ms)", "_mb": " (MB)", "_s": " (s)"}
    for end, unit in units.items():
        if name.endswith(end):
            return words(name.removesuffix(end)) + unit
    return words(name).replace("multiply adds", "multiply-adds")


def _has(record: TrialRecord, name: str) -> bool:
    return isinstance(record.values.get(name), int | float)
