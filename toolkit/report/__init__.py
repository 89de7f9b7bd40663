"""The report of a run: one HTML file that opens anywhere, offline, whatever state the run is in."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import DamagedLedgerError
from toolkit.base.files import json_within, write_atomically
from toolkit.base.summary import duration_in_words, format_cost
from toolkit.contracts.costs import COSTS
from toolkit.report.facts import Facts, read_facts
from toolkit.run.over_folds import EVALUATION

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent
SWEEP = "sweep.json"
"""The file in which a sweep keeps its results."""
MOST_ROWS = 2000
"""Trials in the table; of more, the last ones are shown."""
ALT = {
    "results": "Test results of each training of each network, with mean and standard deviation",
    "supernet": "The supernet's validation metric and the entropy of its weights, by epoch",
    "progress": "Result of each search trial by its number, and the best so far",
    "given": "Values given for the test samples over the true ones",
    "residuals": "Errors of these values over the true ones",
    "front": "Search trials by the two first objectives, with the Pareto front",
    "hypervolume": "Hypervolume of the front after each trial",
    "parallel": "Parallel coordinates of searched values and result, a line for each trial",
    "importance": "Importance of each searched value",
}
"""What each chart shows, for those who do not see it."""


def write_report(folder: Path, output: Path | None = None) -> Path:
    """Writes the report of a run folder, from what its ledger and its files say.

    A sweep or an evaluation on folds that has a result has a page of its own.

    Args:
        folder: a run folder; the run may be complete, at work, interrupted or failed.
        output: the file to write; by default `report.html` in the folder.

    Returns:
        The report's path.

    Raises:
        LedgerError: there is no ledger in the folder, or it is damaged.
    """
    path = output or folder / "report.html"
    write_atomically(path, _page_of_many(folder) or render(read_facts(folder)))
    return path


def _page_of_many(folder: Path) -> str:
    """The page of a sweep or of an evaluation on folds; empty where there is no result of one."""
    from jinja2 import TemplateError

    from toolkit.report.evaluation import render_evaluation
    from toolkit.report.sweep import render_sweep

    for name, render_one in ((SWEEP, render_sweep), (EVALUATION, render_evaluation)):
        if (folder / name).is_file():
            try:
                page = json_within(folder, folder / name)
                return render_one(page, str(folder.absolute()))
            except (
                OSError,
                ValueError,
                TypeError,
                LookupError,
                AttributeError,
                TemplateError,
            ) as e:
                raise DamagedLedgerError(
                    f"{folder / name} is damaged: {type(e).__name__}: {e}.",
                    hint="Give the run's command once more: it is written anew.",
                ) from e
    return ""


def write_comparison(folders: Sequence[Path], output: Path) -> Path:
    """Writes one page that compares runs: what each reached by when, and how they differ.

    Args:
        folders: run folders, in whatever state.
        output: the file to write.

    Raises:
        LedgerError: there is no ledger in one of them, or it is damaged.
    """
    from toolkit.report import comparison

    content = comparison.content(folders)
    content["with_charts"] = any(content["charts"].values())
    write_atomically(output, render_with(_HERE, "comparison.html", content))
    return output


def render(facts: Facts) -> str:
    """The page. Every value goes through the template's escaping; charts escape theirs."""
    from toolkit.report import (
        charts,
        importance,
        learner_chart,
        pareto_charts,
        plotting,
        search_charts,
        verdict,
    )

    shares = importance.importance_of(facts)
    figures = {
        **charts.all_figures(facts),
        "front": pareto_charts.front(facts),
        "hypervolume": pareto_charts.hypervolume(facts),
        "parallel": search_charts.parallel(facts),
        "importance": search_charts.importance(shares),
    }
    slices = search_charts.slices(facts)
    shown = {name: plotting.shown(name, figure, ALT[name]) for name, figure in figures.items()}
    page: dict[str, Any] = {
        "facts": facts,
        "verdict": verdict.judge(facts),
        "drawing": _embed(facts.drawing),
        "found_drawing": _embed(facts.found_drawing),
        "drawn": [
            (each, plotting.shown(_name_of(position, each), figure, str(each["title"])))
            for position, each in enumerate(facts.drawings)
            for figure in [learner_chart.chart(each, facts.drawn_classes)]
        ],
        "charts": {**shown, "curves": charts.curves(facts)},
        "weights": charts.edge_weights(facts),
        "slices": [
            plotting.shown(f"slice-{number}", figure, f"{facts.objective} over {name}")
            for number, (name, figure) in enumerate(slices.items(), 1)
        ],
        "most_rows": MOST_ROWS,
        "most_points": plotting.MOST_POINTS,
        "cost_names": COSTS,
    }
    own = [chart for _, chart in page["drawn"]]
    page["with_charts"] = any([page["weights"], *page["charts"].values(), *own])
    return render_with(_HERE, "page.html", page)


def render_with(folder: Path, template: str, content: Mapping[str, Any]) -> str:
    """Renders a whole page: its content, with the report's looks, script and library of charts.

    Args:
        folder: of the template, which may import the report's own parts.
        template: its file.
        content: what it shows; `with_charts` says whether there are charts.
    """
    return (
        environment(folder)
        .get_template(template)
        .render(
            content,
            css=(_HERE / "page.css").read_text(encoding="utf-8"),
            script=(_HERE / "page.js").read_text(encoding="utf-8"),
            plotly=_packed_plotly() if content["with_charts"] else "",
        )
    )


def _name_of(position: int, drawing: Mapping[str, Any]) -> str:
    """What a learner's chart is called in the page."""
    return f"{drawing['kind']}-{position}" if position else str(drawing["kind"])


@cache
def environment(folder: Path = _HERE) -> jinja2.Environment:
    """Templates of a folder, and this one's, compiled once; every value is escaped."""
    import jinja2

    from toolkit.report import formats, terms

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        metric=formats.metric,
        cost=format_cost,
        duration=duration_in_words,
        count=formats.count,
        last_line=formats.last_line,
        chosen=formats.chosen,
        interval=formats.interval,
        points=formats.points,
        parts=formats.parts,
        code=formats.code,
        terms=terms.used_in,
    )
    return made


@cache
def plotly_script() -> str:
    """Plotly's library for charts with two axes, version 4.1.1, MIT licence (`plotly-LICENSE`)."""
    return (_HERE / "plotly-cartesian.min.js").read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """The library as text that a page can unpack: a third of its size."""
    return base64.b64encode(gzip.compress(plotly_script().encode(), mtime=0)).decode()


def _embed(drawing: bytes | None) -> str:
    """A drawing as an image's address: browsers run no script inside an image."""
    if not drawing:
        return ""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode()
