"""A chart of rows: single results as dots, mean and standard deviation beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.report.plotting import (
    FOUND_COLOUR,
    RANDOM_COLOUR,
    axis_title,
    metric_axis,
    new_figure,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Dots:
    """A row: its title, which is escaped, single results, their mean and standard deviation."""

    title: str
    values: Sequence[float]
    mean: float
    deviation: float


def dot_chart(rows: Sequence[Dots], label: str, metric: str) -> go.Figure:
    """Returns the chart; the first row is above, and the one that is looked at.

    Args:
        label: of the axis, escaped.
        metric: whose values they are.
    """
    import plotly.graph_objects as go

    figure = new_figure(80 + 30 * len(rows), showlegend=False)
    for row in reversed(rows):
        colour = FOUND_COLOUR if row is rows[0] else RANDOM_COLOUR
        figure.add_trace(
            go.Scatter(
                x=list(row.values),
                y=[row.title] * len(row.values),
                mode="markers",
                hoverinfo="x",
                marker={"color": colour, "size": 8, "opacity": 0.45},
            )
        )
        bar = {"width": 3, "color": colour}
        figure.add_trace(
            go.Scatter(
                x=[row.mean],
                y=[row.title],
                mode="markers",
                hoverinfo="x",
                error_x={"type": "data", "array": [row.deviation], "thickness": 1.6},
                marker={"color": colour, "symbol": "line-ns", "size": 16, "line": bar},
            )
        )
    figure.update_xaxes(title=axis_title(label), **metric_axis(metric))
    figure.update_yaxes(automargin=True, range=[-0.6, len(rows) - 0.4])
    figure.update_layout(margin={"t": 8})
    return figure
