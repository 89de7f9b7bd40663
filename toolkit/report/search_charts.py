"""Charts of searched values: parallel coordinates, slices, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.base.plain import is_number
from toolkit.report.facts import Facts
from toolkit.report.plotting import (
    FOUND_COLOUR,
    MOST_POINTS,
    axis_title,
    metric_axis,
    new_figure,
    numbers,
    thinned,
    words,
)
from toolkit.run.records import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_AXES, MOST_LINES, MOST_WORDS = 10, 400, 9
_MOST_IN_SLICE = MOST_POINTS // 2
"""Beyond these a chart cannot be read: axes, lines, and names on one axis."""
_SHADES = ("#b8c4ce", "#94bdd9", "#5ba4d4", "#0072b2", "#d55e00")
"""From the worst fifth of trials to the best one."""


def parallel(facts: Facts) -> go.Figure | None:
    """A line for each trial through its searched values to its result, the best fifth in front."""
    import plotly.graph_objects as go

    names = facts.varied[:MOST_AXES]
    records = thinned(_ranked(facts), MOST_LINES)
    if not names or len(records) < 3:
        return None
    places = {name: _scale([facts.choices[r.number].get(name) for r in records]) for name in names}
    places[facts.objective] = _scale([r.values[facts.objective] for r in records])
    axes = [*names, facts.objective]
    traces, shapes, annotations = [], [], []
    for shade, colour in enumerate(_SHADES):
        xs: list[float | None] = []
        ys: list[float | None] = []
        texts: list[str] = []
        for index, record in enumerate(records):
            if index * len(_SHADES) // len(records) != shade:
                continue
            for x, axis in enumerate(axes):
                chosen = facts.choices[record.number]
                value = record.values[axis] if axis == facts.objective else chosen.get(axis)
                xs.append(x)
                ys.append(places[axis].place(value))
                texts.append(f"trial {record.number}<br>{words(axis)}: {escape(_said(value))}")
            xs.append(None)
            ys.append(None)
            texts.append("")
        name = "best fifth" if shade == len(_SHADES) - 1 else "worst fifth" if not shade else ""
        line = {"color": colour, "width": 2.2 if shade == len(_SHADES) - 1 else 1.1}
        trace = go.Scatter(
            x=xs,
            y=ys,
            mode="lines",
            text=texts,
            hoverinfo="text",
            line=line,
            name=name,
            showlegend=bool(name),
        )
        traces.append(trace)
    for x, axis in enumerate(axes):
        ends = {"x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
        grey = {"width": 1, "color": "rgba(128,140,152,0.5)"}
        shapes.append({"type": "line", **ends, "line": grey})
        for text, y in places[axis].marks:
            mark = {
                "x": x,
                "y": y,
                "text": escape(text),
                "showarrow": False,
                "font": {"size": 11},
                "xanchor": "left",
                "yanchor": "bottom" if y > 0.99 else "top" if y < 0.01 else "middle",
            }
            annotations.append(mark)
    figure = new_figure(420, *traces, showlegend=True, shapes=shapes, annotations=annotations)
    figure.update_xaxes(
        tickvals=list(range(len(axes))),
        ticktext=[words(_short(axis)) for axis in axes],
        showgrid=False,
        zeroline=False,
        automargin=True,
        range=[-0.1, len(axes) - 0.6],
    )
    figure.update_yaxes(visible=False, range=[-0.1, 1.1])
    figure.update_layout(margin={"l": 56})
    return figure


def slices(facts: Facts) -> dict[str, go.Figure]:
    """The objective over each searched value alone."""
    import plotly.graph_objects as go

    records, figures = thinned(_ranked(facts), _MOST_IN_SLICE), {}
    for name in facts.varied[:MOST_AXES]:
        own = [r for r in records if facts.choices[r.number].get(name) is not None]
        values = [facts.choices[r.number][name] for r in own]
        numeric = _numeric(values)
        figure = new_figure(230, showlegend=False)
        figure.add_trace(
            go.Scatter(
                x=numbers(values) if numeric else [_said(value) for value in values],
                y=numbers([record.values[facts.objective] for record in own]),
                mode="markers",
                marker={"color": FOUND_COLOUR, "size": 7 if len(own) < 200 else 4, "opacity": 0.5},
                customdata=numbers([record.number for record in own]),
                hovertemplate="%{x}: %{y}<br>trial %{customdata}<extra></extra>",
            )
        )
        kind = ("log" if _wide(values) else "linear") if numeric else "category"
        figure.update_xaxes(
            title=axis_title(words(name)),
            type=kind,
            categoryorder="category ascending",
            automargin=True,
            zeroline=False,
            nticks=5,
        )
        figure.update_yaxes(nticks=5, **metric_axis(facts.objective))
        figure.update_layout(margin={"l": 48, "r": 12, "t": 8, "b": 48})
        figures[name] = figure
    return figures


def _ranked(facts: Facts) -> list[TrialRecord]:
    """Done trials with a result, the worst one first."""
    sign = 1 if facts.direction == "maximize" else -1
    done = [r for r, _ in facts.search if str(r.state) == "done" and r.kind == "train"]
    known = [record for record in done if is_number(record.values.get(facts.objective))]
    return sorted(known, key=lambda record: sign * record.values[facts.objective])


class _Numbers:
    """Places of numbers between 0 and 1, by their logarithm where they span two decades."""

    def __init__(self, values: Sequence[float]) -> None:
        self._log = _wide(values)
        ends = [self._of(min(values)), self._of(max(values))]
        self._low, self._span = ends[0], (ends[1] - ends[0]) or 1.0
        marks = dict.fromkeys((min(values), max(values)))
        self.marks = [(_said(value), self.place(value) or 0.0) for value in marks]

    def _of(self, value: float) -> float:
        return math.log(value) if self._log else value

    def place(self, value: Any) -> float | None:
        return (self._of(value) - self._low) / self._span if is_number(value) else None


class _Names:
    """Places of names between 0 and 1, evenly."""

    def __init__(self, values: Sequence[Any]) -> None:
        distinct = {_said(value): value for value in values}
        names = sorted(distinct, key=lambda name: _order(distinct[name]))
        self._places = {n: i / max(len(names) - 1, 1) for i, n in enumerate(names)}
        self.marks = list(self._places.items()) if len(names) <= MOST_WORDS else []

    def place(self, value: Any) -> float | None:
        return None if value is None else self._places[_said(value)]


def _scale(values: Sequence[Any]) -> _Numbers | _Names:
    known = [value for value in values if value is not None]
    return _Numbers(known) if known and _numeric(known) else _Names(known)


def _numeric(values: Sequence[Any]) -> bool:
    """Whether all are numbers: truth values are names, also among numbers."""
    return all(is_number(value) and not isinstance(value, bool) for value in values)


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size before names by letter."""
    named = not _numeric([value])
    return named, 0.0 if named else float(value), str(value)


def _wide(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) / min(values) >= 100


def _short(name: str) -> str:
    return name if len(name) <= 18 else "…" + name[-17:]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def importance(shares: Mapping[str, float]) -> go.Figure | None:
    """A bar for each searched value: how much of what sets good trials apart it explains."""
    import plotly.graph_objects as go

    top = sorted(shares.items(), key=lambda entry: entry[1])[-MOST_AXES:]
    if not top:
        return None
    figure = new_figure(70 + 30 * len(top), showlegend=False)
    figure.add_trace(
        go.Bar(
            x=[share for _, share in top],
            y=[words(name) for name, _ in top],
            orientation="h",
            marker={"color": FOUND_COLOUR},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=axis_title("share of importance"), rangemode="tozero")
    figure.update_yaxes(automargin=True)
    figure.update_layout(margin={"t": 8})
    return figure
