"""The report of a run: one HTML file that opens anywhere, offline, whatever state the run is in."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from toolkit.analysis.summary import format_cost
from toolkit.base.files import write_atomically
from toolkit.report.facts import Facts, read_facts

_HERE = Path(__file__).parent


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder, from what its ledger and its files say.

    Args:
        folder: a run folder; the run may be complete, at work, interrupted or failed.

    Returns:
        The report's path.

    Raises:
        LedgerError: there is no ledger in the folder, or it is damaged.
    """
    path = folder / "report.html"
    write_atomically(path, render(read_facts(folder)))
    return path


def render(facts: Facts) -> str:
    """The page. Every value goes through the template's escaping; charts escape theirs."""
    import jinja2
    from plotly.offline import get_plotlyjs

    from toolkit.report import charts, formats, learner_chart, pareto_charts, plotting, verdict

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        metric=formats.metric,
        cost=format_cost,
        duration=formats.duration,
        count=formats.count,
        last_line=formats.last_line,
    )
    figures = {
        **charts.all_figures(facts),
        "front": pareto_charts.front(facts),
        "hypervolume": pareto_charts.hypervolume(facts),
        "scatter": learner_chart.scatter(facts),
    }
    shown = {name: plotting.to_html(name, figure) for name, figure in figures.items()}
    page: dict[str, Any] = {
        "facts": facts,
        "verdict": verdict.judge(facts),
        "drawing": _embed(facts.drawing),
        "charts": shown,
        "css": (_HERE / "page.css").read_text(encoding="utf-8"),
        "plotly": get_plotlyjs() if any(shown.values()) else "",
    }
    return environment.get_template("page.html").render(page)


def _embed(drawing: bytes | None) -> str:
    """A drawing as an image's address: browsers run no script inside an image."""
    if not drawing:
        return ""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode()
