"""Several runs beside each other: what each reached by when, what differs, what the tests tell."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.analysis.significance import Comparison, compare, correct, welch_half_width
from toolkit.base.plain import is_number
from toolkit.base.summary import Statistics
from toolkit.report.facts import Facts, read_facts
from toolkit.report.formats import interval, points
from toolkit.report.plotting import (
    COLOURS,
    DASHES,
    Shown,
    axis_title,
    metric_axis,
    new_figure,
    numbers,
    shown,
    words,
)
from toolkit.run.differences import differing
from toolkit.run.records import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LINES = tuple((colour, dash) for dash in DASHES for colour in ("#0072b2", *COLOURS))
_FEW = 30
"""Results that a line shows as dots, too; one alone would not be seen."""
_UNITS = (("seconds", 1), ("minutes", 60), ("hours", 3600))
_UNTOLD = ("name",)
"""Keys of recipes in which a difference says nothing."""


@dataclass(frozen=True)
class Compared:
    """A run among those that are compared.

    Attributes:
        title: its name, with the folder where the name alone would not tell it from another.
        facts: all that is known of it.
    """

    title: str
    facts: Facts

    @cached_property
    def trained(self) -> list[TrialRecord]:
        """Trials of its search that were trained, in the order in which they ended."""
        known = [r for r, _ in self.facts.search if r.ended is not None and r.source is None]
        return sorted(known, key=lambda record: record.ended or 0.0)

    @property
    def epochs_paid(self) -> float:
        """Epochs that its search has trained."""
        return sum(record.epochs_paid for record, _ in self.facts.search if not record.origin)

    @property
    def best(self) -> float | None:
        """The best validation result of its search."""
        line = self.incumbents([float(number) for number, _ in enumerate(self.trained)])
        return line[-1][1] if line else None

    def incumbents(self, places: Sequence[float]) -> list[tuple[float, float]]:
        """The best so far after each trial that ended well, at the places of these trials."""
        better = max if self.facts.direction == "maximize" else min
        line: list[tuple[float, float]] = []
        for place, record in zip(places, self.trained, strict=True):
            value = record.values.get(self.facts.objective)
            if record.eligible and value is not None and is_number(value):
                line.append((place, better(line[-1][1], value) if line else value))
        return line

    def paid(self) -> list[float]:
        """Epochs paid by the end of each trained trial."""
        total, sums = 0.0, []
        for record in self.trained:
            total += record.epochs_paid
            sums.append(total)
        return sums

    def seconds(self) -> list[float]:
        """Time by the end of each trained trial, without the pauses in which nothing ran."""
        starts = [r.started if r.started is not None else r.ended or 0.0 for r in self.trained]
        paused, busy_until, times = 0.0, min(starts, default=0.0), []
        gaps: list[tuple[float, float]] = []
        for began, record in sorted(zip(starts, self.trained, strict=True), key=lambda e: e[0]):
            if began > busy_until:
                paused += began - busy_until
                gaps.append((began, paused))
            busy_until = max(busy_until, record.ended or 0.0)
        first = min(starts, default=0.0)
        for record in self.trained:
            moment = record.ended or 0.0
            lost = max((sum_ for began, sum_ in gaps if began <= moment), default=0.0)
            times.append(moment - first - lost)
        return times

    @property
    def tested(self) -> Mapping[str, Statistics]:
        """Test results of what it found."""
        found = self.facts.answered
        return found.test if found is not None and self.facts.outcome is not None else {}

    def by_seed(self, metric: str) -> dict[int, float]:
        """Test results of what it found, by the seed of the training."""
        outcome = self.facts.outcome
        own = [] if outcome is None else outcome.trainings_of(self.facts.answer)
        return {t.seed: t.test[metric] for t in own if metric in t.test}


@dataclass(frozen=True)
class Row:
    """A run against the one that did best in the test, or the difference of that from nothing.

    Attributes:
        title: of the run.
        result: its test results.
        paired: whether seeds in both were compared pair by pair.
        comparison: with the best one; None for that itself, and where there are no two results.
    """

    title: str
    result: Statistics
    paired: bool
    comparison: Comparison | None

    def said(self, metric: str) -> str:
        """The difference with its 95 % interval."""
        if self.comparison is None:
            return ""
        text = points(self.comparison.difference, metric)
        half = self.comparison.half_width
        if half is None:
            return text
        return f"{text} ({interval(self.comparison.difference, half, metric)})"


def content(folders: Sequence[Path]) -> dict[str, Any]:
    """Returns what the page of a comparison shows.

    Raises:
        LedgerError: there is no ledger in one of the folders, or it is damaged.
    """
    facts = [read_facts(folder) for folder in folders]
    runs = [Compared(title, one) for title, one in zip(titles(facts), facts, strict=True)]
    metric, direction = facts[0].objective, facts[0].direction
    alike = [run for run in runs if run.facts.objective == metric]
    tested, told = test_rows(runs, metric, direction), differences(runs)
    return {
        "runs": runs,
        "metric": metric,
        "left_out": [run.title for run in runs if run not in alike],
        "charts": {
            "paid": _chart("paid", alike, [run.paid() for run in alike], "epochs paid"),
            "time": _over_time(alike),
        },
        "differences": [row for row in told if not _is_own_option(row, told)],
        "own_options": [row for row in told if _is_own_option(row, told)],
        "tested": tested,
        "paired": any(row.paired for row in tested),
    }


def titles(facts: Sequence[Facts]) -> list[str]:
    """Names of runs, with as much of the folder as tells those of one name apart."""
    names = [one.name for one in facts]
    common = os.path.commonpath([one.folder for one in facts]) if len(facts) > 1 else ""
    return [
        name if names.count(name) == 1 else f"{name} ({os.path.relpath(one.folder, common)})"
        for name, one in zip(names, facts, strict=True)
    ]


def differences(runs: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """Keys of the recipes whose values differ, with the value of each run."""
    first = runs[0].facts.recipe
    keys: dict[str, None] = {}
    for run in runs[1:]:
        keys.update(dict.fromkeys(differing(first, run.facts.recipe)))
    rows = []
    for key in keys:
        if key not in _UNTOLD and not any(other.startswith(f"{key}.") for other in keys):
            rows.append((key, [_written(_at(run.facts.recipe, key)) for run in runs]))
    return rows


def _is_own_option(row: tuple[str, list[str]], rows: Sequence[tuple[str, list[str]]]) -> bool:
    """Whether a key is an option of a plugin that not all runs name: the name tells enough."""
    word, _, option = row[0].partition(".")
    return option != "name" and any(key == f"{word}.name" for key, _ in rows)


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(tree, Mapping) or part not in tree:
            return ""
        tree = tree[part]
    return tree


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_rows(runs: Sequence[Compared], metric: str, direction: str) -> list[Row]:
    """Test results of the runs that have any, best first, each compared with the best.

    Trainings of the same seed are compared pair by pair (a paired t-test, Holm-corrected); where
    no two seeds are in both, the difference of the means has Welch's interval.
    """
    known = [run for run in runs if metric in run.tested]
    ranked = sorted(known, key=lambda run: run.tested[metric].mean, reverse=direction == "maximize")
    if not ranked:
        return []
    best = ranked[0].by_seed(metric)
    rows = [Row(ranked[0].title, ranked[0].tested[metric], False, None)]
    for run in ranked[1:]:
        own = run.by_seed(metric)
        paired = compare(own, best) if len(own.keys() & best.keys()) > 1 else None
        rows.append(Row(run.title, run.tested[metric], paired is not None, paired))
        if paired is None:
            ours, theirs = list(own.values()), list(best.values())
            mean = run.tested[metric].mean - ranked[0].tested[metric].mean
            apart = Comparison(min(len(ours), len(theirs)), mean, welch_half_width(ours, theirs))
            rows[-1] = replace(rows[-1], comparison=apart)
    corrected = correct([row.comparison for row in rows])
    return [replace(row, comparison=c) for row, c in zip(rows, corrected, strict=True)]


def _chart(
    name: str,
    runs: Sequence[Compared],
    places: Sequence[Sequence[float]],
    x: str,
    scale: float = 1.0,
) -> Shown | None:
    """The best so far of each run over what was paid for it."""
    lines = [run.incumbents(own) for run, own in zip(runs, places, strict=True)]
    if not any(lines):
        return None
    figure = new_figure(360)
    metric = runs[0].facts.objective
    for run, line, (colour, dash) in zip(runs, lines, _LINES * len(runs), strict=False):
        _add(figure, run, _corners(line), colour, dash, scale)
    figure.update_xaxes(title=axis_title(x), zeroline=False, rangemode="tozero")
    figure.update_yaxes(title=axis_title(f"best validation {words(metric)}"), **metric_axis(metric))
    return shown(name, figure, f"Best validation {metric} of each run over {x}")


def _over_time(runs: Sequence[Compared]) -> Shown | None:
    """The best so far over seconds, minutes or hours, whichever suits the longest run."""
    seconds = [run.seconds() for run in runs]
    longest = max((max(own) for own in seconds if own), default=0.0)
    unit, length = next(each for each in _UNITS if longest < 120 * each[1] or each is _UNITS[-1])
    return _chart("time", runs, seconds, unit, 1 / length)


def _corners(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where a line of steps turns, and its end."""
    last = len(line) - 1
    return [p for i, p in enumerate(line) if not i or i == last or p[1] != line[i - 1][1]]


def _add(
    figure: go.Figure,
    run: Compared,
    line: Sequence[tuple[float, float]],
    colour: str,
    dash: str,
    scale: float,
) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=numbers([place * scale for place, _ in line]),
            y=numbers([value for _, value in line]),
            mode="lines+markers" if len(line) < _FEW else "lines",
            name=escape(run.title),
            line={"shape": "hv", "color": colour, "dash": dash},
        )
    )
