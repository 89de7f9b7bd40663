"""What all charts of the report are made of: figures, axes, labels, colours."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from toolkit.base.plain import finite
from toolkit.report.formats import is_share

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's colours, which colour-blind readers can tell apart.
FOUND_COLOUR, RANDOM_COLOUR = "#0072b2", "#8a929b"
COLOURS = (
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#7a5195",
    "#8b6914",
    "#56b4e9",
    "#a01b5c",
    "#4f7a28",
    "#b58a8a",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Where there are more networks than colours, the next ones are drawn in another dash."""
INK = "#667380"
MOST_POINTS = 2000
"""Points of one chart; more of them cannot be told apart, and slow a browser down."""
_MANY = 200
T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """A chart, ready for the page.

    Attributes:
        name: part of its id, `chart-NAME`.
        alt: what it shows, for those who do not see it.
        height: in pixels.
        spec: traces, layout and what the page's own controls need, as JSON that is safe in HTML.
    """

    name: str
    alt: str
    height: int
    spec: str


def shown(name: str, figure: go.Figure | None, alt: str, **controls: Any) -> Shown | None:
    """Returns a chart for the page; None where there is none.

    Args:
        controls: `frames`, `graph` or `menu`, see `page.js`.
    """
    if figure is None:
        return None
    plain = json.loads(figure.to_json())
    spec = {"data": plain["data"], "layout": plain["layout"], **controls}
    text = json.dumps(finite(spec), separators=(",", ":")).replace("<", "\\u003c")
    return Shown(name, alt, int(figure.layout.height), text)


def numbers(values: Sequence[float | None]) -> Any:
    """Numbers for a trace; many of them as an array, which takes less time and less room."""
    if len(values) < _MANY:
        return list(values)
    import numpy as np

    return np.array(values, dtype=float)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Returns at most so many items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def new_figure(height: int, *traces: Any, **layout: Any) -> go.Figure:
    """A chart of so many pixels in the report's looks, of these traces or empty at first."""
    import plotly.graph_objects as go

    # All at once: each later change of a layout takes plotly as long as this.
    looks = {
        "template": "none",
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 13},
        "margin": {"l": 64, "r": 16, "t": 28, "b": 48},
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        # Labels of two axes meet where both begin; micro is no unit of a learning rate.
        "xaxis": {"ticklabelstandoff": 5, "exponentformat": "e"},
        "yaxis": {"ticklabelstandoff": 3, "exponentformat": "e"},
    }
    return go.Figure(list(traces), looks | layout)


def label_axes(figure: go.Figure, x: str, y: str, metric: str = "") -> None:
    """Name the axes; whole numbers along x, the values of a metric along y."""
    drawn = [trace.x for trace in figure.data if trace.x is not None and len(trace.x)]
    last = max((max(steps) for steps in drawn), default=1)
    first = min((min(steps) for steps in drawn), default=0)
    figure.update_xaxes(
        title=axis_title(words(x)),
        zeroline=False,
        tick0=0,
        dtick=next(n for n in _steps() if (last - first) / n <= 12),
    )
    figure.update_yaxes(title=axis_title(words(y)), **metric_axis(metric))


def metric_axis(metric: str) -> dict[str, Any]:
    """Looks of an axis with the values of a metric."""
    return {
        "zeroline": False,
        "automargin": True,
        "tickformat": tick_format(metric),
        "autorangeoptions": limits(metric),
    }


def axis_title(text: str) -> dict[str, Any]:
    """An axis's title, of text that is escaped."""
    return {"text": text, "standoff": 14, "font": {"size": 13}}


def _steps() -> Iterator[int]:
    """Distances between ticks of whole numbers: 1, 2, 5, 10, 20, ..."""
    for power in itertools.count():
        yield from (10**power, 2 * 10**power, 5 * 10**power)


def tick_format(metric: str) -> str:
    """Percent where a metric is a share, else plotly's choice."""
    return ".1~%" if is_share(metric) else ""


def limits(metric: str) -> dict[str, float]:
    """How far an axis may reach by itself: a share lies between 0 and 1."""
    return {"clipmin": 0.0, "clipmax": 1.01} if is_share(metric) else {}


def words(name: str) -> str:
    """A name as a person reads it, escaped."""
    return escape(name.replace("_", " "))
