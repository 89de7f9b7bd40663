"""The chart of what a learner draws of itself."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.report.facts import Facts
from toolkit.report.plotting import RANDOM_COLOUR, axis_title, new_figure, words

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


def scatter(facts: Facts) -> go.Figure | None:
    """What the learner that was handed over draws of itself; a colour for each class."""
    import plotly.graph_objects as go

    if not facts.scatter:
        return None
    names = list(facts.scatter.get("class_names") or ())
    figure = new_figure(520)
    classes = sorted({index for series in facts.scatter["series"] for index in series["classes"]})
    for index in classes:
        label = f"class {index}" if not names else "none of the classes"
        label = escape(str(names[index])) if index < len(names) else label
        colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
        for position, series in enumerate(facts.scatter["series"]):
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
    for series in facts.scatter["series"]:
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
    figure.update_xaxes(title=axis_title(words(facts.scatter["x"])), zeroline=False)
    figure.update_yaxes(
        title=axis_title(words(facts.scatter["y"])),
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
