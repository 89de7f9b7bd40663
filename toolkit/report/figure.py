"""Charts as the page's library draws them: traces and a layout, plain data from the beginning.

What plotly's Python package would make of the same words, without its import and its checks of
each value, which take longer than all the rest of a report.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Trace: TypeAlias = dict[str, Any]


def scatter(**words: Any) -> Trace:
    """Points, lines, or both."""
    return {**words, "type": "scatter"}


def bar(**words: Any) -> Trace:
    """A bar for each value."""
    return {**words, "type": "bar"}


def heatmap(**words: Any) -> Trace:
    """A table of numbers as colours."""
    return {**words, "type": "heatmap"}


class Figure:
    """A chart, of words of plotly's: https://plotly.com/javascript/reference.

    Attributes:
        data: its traces.
        layout: axes, margins, legend and what else is around them.
    """

    def __init__(self, traces: Iterable[Trace] = ()) -> None:
        self.data, self.layout = list(traces), dict[str, Any]()

    def add_trace(self, trace: Trace) -> None:
        """Draws a trace above those that are there."""
        self.data.append(trace)

    def update_layout(self, **words: Any) -> None:
        """Sets parts of the layout; what a part does not name stays."""
        _update(self.layout, words)

    def update_xaxes(self, **words: Any) -> None:
        """Sets what is said of the x axis."""
        _update(self.layout, {"xaxis": words})

    def update_yaxes(self, **words: Any) -> None:
        """Sets what is said of the y axis on the left."""
        _update(self.layout, {"yaxis": words})

    def add_vline(self, x: float, line: Mapping[str, Any]) -> None:
        """Draws a line from the lower to the upper end of the y axis."""
        ends = {"x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
        self.layout.setdefault("shapes", []).append({"line": line, "type": "line", **ends})

    def add_annotation(self, **words: Any) -> None:
        """Writes a text into the chart."""
        self.layout.setdefault("annotations", []).append(words)

    def plain(self) -> dict[str, Any]:
        """Returns traces and layout as plain JSON, arrays packed."""
        return {"data": _plain(self.data), "layout": _plain(self.layout)}


def _update(known: dict[str, Any], words: Mapping[str, Any]) -> None:
    """Takes words in, those within words too; None, and a part without any, say nothing."""
    for name, value in words.items():
        if isinstance(value, Mapping):
            if value:
                _update(known.setdefault(name, {}), value)
        elif value is not None:
            known[name] = value


def _plain(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items() if value is not None}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(content, numpy.ndarray):
        values = numpy.asarray(content, dtype="<f8")
        return {"dtype": "f8", "bdata": base64.b64encode(values.tobytes()).decode()}
    return content
