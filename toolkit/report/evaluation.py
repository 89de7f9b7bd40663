"""The page of an evaluation on folds: what each network reached over all folds, and on each."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.report.dots import Dots, dot_chart
from toolkit.report.plotting import shown, words

if TYPE_CHECKING:
    import plotly.graph_objects as go


def render_evaluation(page: Mapping[str, Any], folder: str) -> str:
    """Returns the page; every value goes through the template's escaping.

    Args:
        page: what `evaluation.json` holds.
        folder: the run folder.
    """
    from toolkit.report import render_with

    chart = shown("folds", _chart(page), "Test results of each network on each fold")
    names = {each["network"]: each["network"] for each in page["networks"]}
    content: dict[str, Any] = {"page": {"titles": names, **page}, "folder": folder}
    content |= {"chart_of_folds": chart, "with_charts": chart is not None}
    return render_with(Path(__file__).parent, "evaluation.html", content)


def _chart(page: Mapping[str, Any]) -> go.Figure | None:
    """A dot for each fold, a row for each network."""
    metric, titles = page["metric"], page.get("titles", {})
    rows = []
    for network in page["networks"]:
        name, result = network["network"], network["results"][metric]
        values = [row["results"].get(name, {}).get(metric) for row in page["rows"]]
        known = [value for value in values if value is not None]
        if known:
            title = escape(str(titles.get(name, name)))
            rows.append(Dots(title, known, result["mean"], result["deviation"] or 0.0))
    return dot_chart(rows, f"test {words(metric)}", metric) if rows else None
