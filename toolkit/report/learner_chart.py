"""Charts of what a learner draws of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.report.plotting import (
    RANDOM_COLOUR,
    axis_title,
    new_figure,
    words,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

CLASS_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8b6914",
    "#7a5195",
    "#2f4b7c",
    "#a05195",
)
_SYMBOLS = {"dot": "circle", "circle": "circle-open", "cross": "x", "star": "star"}
_SIZES = {"dot": 5, "circle": 7, "cross": 9, "star": 16}


def chart(drawing: Mapping[str, Any], names: Sequence[str]) -> go.Figure | None:
    """What the learner that was handed over draws of itself; None where that is no chart."""
    if drawing["kind"] == "scatter":
        return _scatter(drawing, names)
    return _heat(drawing) if drawing["kind"] == "heat" else None


def _heat(drawing: Mapping[str, Any]) -> go.Figure:
    """A table of numbers as colours: white for nothing, blue above it, orange below."""
    import plotly.graph_objects as go

    known = [abs(value) for row in drawing["values"] for value in row if value is not None]
    largest = max(known, default=1.0) or 1.0
    trace = go.Heatmap(
        x=[escape(str(name)) for name in drawing["columns"]],
        y=[escape(str(name)) for name in drawing["rows"]],
        z=[list(row) for row in drawing["values"]],
        zmin=-largest,
        zmax=largest,
        colorscale=[[0, "#e8a06a"], [0.5, "#fbfcfd"], [1, "#5ba4d4"]],
        xgap=2,
        ygap=2,
        texttemplate="%{z:.2f}",
        textfont={"color": "#17202a"},
        hovertemplate="%{y}: %{x}<br>%{z:.4f}<extra></extra>",
        showscale=False,
    )
    figure = new_figure(110 + 34 * len(drawing["rows"]), trace)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(automargin=True)
    return figure


def _scatter(drawing: Mapping[str, Any], names: Sequence[str]) -> go.Figure:
    """Points in the plane; a colour for each class."""
    import plotly.graph_objects as go

    figure = new_figure(520)
    classes = sorted({index for series in drawing["series"] for index in series["classes"]})
    for index in classes:
        label = f"class {index}" if not names else "none of the classes"
        label = escape(str(names[index])) if index < len(names) else label
        colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
        for position, series in enumerate(drawing["series"]):
            points = [
                p
                for p, own in zip(series["points"], series["classes"], strict=True)
                if own == index
            ]
            figure.add_trace(
                go.Scatter(
                    x=[point[0] for point in points],
                    y=[point[1] for point in points],
                    mode="markers",
                    name=label,
                    legendgroup=str(index),
                    showlegend=position == 0,
                    marker=_marker(series["marker"], colour),
                    text=[f"{words(series['name'])}, {label}"] * len(points),
                    hoverinfo="text",
                )
            )
    for series in drawing["series"]:
        # What the markers mean, in one colour; the classes have theirs.
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=words(series["name"]),
                marker=_marker(series["marker"], RANDOM_COLOUR),
            )
        )
    figure.update_xaxes(title=axis_title(words(drawing["x"])), zeroline=False)
    figure.update_yaxes(
        title=axis_title(words(drawing["y"])),
        zeroline=False,
        automargin=True,
        scaleanchor="x",
    )
    figure.update_layout(
        legend={"orientation": "v", "y": 1, "yanchor": "top", "x": 1.01, "xanchor": "left"}
    )
    return figure


def _marker(kind: str, colour: str) -> dict[str, Any]:
    marker = {"color": colour, "symbol": _SYMBOLS.get(kind, "circle"), "size": _SIZES.get(kind, 7)}
    if kind == "dot":
        return {**marker, "opacity": 0.45}
    if kind == "star":
        return {**marker, "line": {"color": "white", "width": 1.5}}
    return marker
