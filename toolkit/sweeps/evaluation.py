"""What an evaluation on folds found: a row for each fold, and for each network over all folds.

It is written as `evaluation.csv`, with a row for each fold and network, as `evaluation.json` and as
`report.html`.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.analysis.significance import Comparison, compare, correct, mean_half_width
from toolkit.base.errors import ExitCode
from toolkit.base.files import write_atomically
from toolkit.base.plain import finite, is_number
from toolkit.base.summary import format_number
from toolkit.contracts import Direction
from toolkit.problem import Problem
from toolkit.report import write_report
from toolkit.report.formats import is_share
from toolkit.run.events import OnEvent
from toolkit.run.facts import OUTCOME
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import RunOutcome
from toolkit.run.over_folds import EVALUATION
from toolkit.run.records import FOUND, TrialRecord, network_of
from toolkit.run.selection import primary
from toolkit.sweeps.folds import FoldsPlan, outer_of, run_folds

CSV = "evaluation.csv"
HANDED_OVER = "handed over"
"""What each run would hand over, where that is not always what its search found."""


@dataclass(frozen=True)
class FoldRow:
    """A fold, and what was reached on it.

    Attributes:
        number: from 1.
        tested_on: what its test part is called, see `DataSource.outer_in_words`.
        sizes: samples of the parts `train`, `val` and `test`.
        folder: of its run, within the evaluation's folder.
        state: how its run ended.
        error: why it did not end well.
        networks: test metrics by network, each with one value a training.
        handed_over: the network that its run would hand over.
    """

    number: int
    tested_on: str
    sizes: Mapping[str, int]
    folder: str
    state: str
    error: str = ""
    networks: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    handed_over: str = FOUND

    def mean(self, network: str, metric: str) -> float | None:
        """A network's mean over its trainings; None where there is none."""
        values = self.networks.get(network, {}).get(metric, ())
        return statistics.fmean(values) if values and all(map(is_number, values)) else None


@dataclass(frozen=True)
class NetworkRow:
    """A network over all folds, each counting once.

    Attributes:
        name: of the network.
        results: by metric, the mean over its trainings for each fold, by the fold's number.
        half_widths: by metric, half of the 95 % interval of the mean over folds.
        against: compared with the network that is judged, fold by fold; None for that one.
    """

    name: str
    results: Mapping[str, Mapping[int, float]]
    half_widths: Mapping[str, float | None]
    against: Comparison | None = None

    def mean(self, metric: str) -> float | None:
        """The mean over folds; None where there is none."""
        values = list(self.results.get(metric, {}).values())
        return statistics.fmean(values) if values else None

    def interval(self, metric: str) -> tuple[float, float] | None:
        """The 95 % interval of the mean over folds; a share ends at 0 and 1."""
        mean, half = self.mean(metric), self.half_widths.get(metric)
        if mean is None or half is None:
            return None
        low, high = mean - half, mean + half
        return (max(low, 0.0), min(high, 1.0)) if is_share(metric) else (low, high)

    def deviation(self, metric: str) -> float | None:
        """The standard deviation over folds; None for fewer than two."""
        values = list(self.results.get(metric, {}).values())
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Evaluated:
    """All folds, and what can be said of them.

    Attributes:
        name: of the recipe.
        folds: which, as they were asked for.
        metric: the objective that networks are compared by, with its direction.
        nested: whether each fold had a search of its own.
        optimistic: whether the one architecture was chosen with the samples that are tested on.
        rows: the folds, in their order.
        networks: over all folds, the one that is judged first.
        metrics: of the test, that of the comparison first.
    """

    name: str
    folds: str
    metric: str
    direction: Direction
    nested: bool
    optimistic: bool
    rows: tuple[FoldRow, ...]
    networks: tuple[NetworkRow, ...]
    metrics: tuple[str, ...]

    @property
    def done(self) -> list[FoldRow]:
        """The folds that have results."""
        return [row for row in self.rows if row.networks]

    @property
    def notes(self) -> list[str]:
        """What can be said of the results, in sentences."""
        return list(_notes(self))

    def fold_cells(self) -> tuple[list[str], list[list[Any]]]:
        """Header and rows of the folds, as a person reads them."""
        return _fold_cells(self)

    def network_cells(self) -> tuple[list[str], list[list[Any]]]:
        """Header and rows of the networks over all folds, as a person reads them."""
        return _network_cells(self)

    def title(self, name: str) -> str:
        """What a network is called."""
        if name == FOUND:
            return "found by the search" if self.nested else "given architecture"
        return name


def run_evaluation(
    plan: FoldsPlan,
    problem: Problem,
    folder: Path,
    *,
    optimistic: bool = False,
    workers: int | None = None,
    on_event: OnEvent | None = None,
) -> tuple[int, Evaluated]:
    """Runs an evaluation in a folder, or goes on with the one that is there; writes its results.

    Args:
        plan: what to do.
        problem: of the recipe, in no fold.
        folder: the run folder; made if missing.
        optimistic: see `Evaluated`.
        workers: trials at once, in place of the recipe's `resources.workers`.
        on_event: called with the name and the facts of each event.

    Returns:
        The exit code (one of `ExitCode`, or 130 or 143 after SIGINT or SIGTERM) and the results.

    Raises:
        ToolkitError: the evaluation cannot go on.
    """
    code = run_folds(plan, problem, folder, workers=workers, on_event=on_event)
    evaluated = gather(plan, problem, folder, optimistic)
    write(evaluated, folder)
    if code == ExitCode.OK and not evaluated.done:
        code = ExitCode.ALL_TRIALS_FAILED
    return int(code), evaluated


def gather(plan: FoldsPlan, problem: Problem, folder: Path, optimistic: bool) -> Evaluated:
    """Reads what the folds' runs have come to."""
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        records = ledger.trials("search")
    rows = sorted((_row(plan, problem, folder, r) for r in records), key=lambda row: row.number)
    done = [row for row in rows if row.networks]
    names = list(dict.fromkeys(name for row in done for name in row.networks))
    metrics = list(dict.fromkeys(m for row in done for own in row.networks.values() for m in own))
    wanted = [name for name in problem.objectives if name in metrics]
    metric = next(iter([*wanted, *metrics]), primary(problem.objectives)[0])
    metrics.sort(key=lambda name: name != metric)
    judged = HANDED_OVER if HANDED_OVER in names else FOUND
    names.sort(key=lambda name: (name != judged, name != FOUND))
    return Evaluated(
        problem.recipe.name,
        plan.folds,
        metric,
        problem.directions.get(metric, "maximize"),
        plan.architecture is None,
        optimistic,
        tuple(rows),
        tuple(_networks(names, metrics, done, metric)),
        tuple(metrics),
    )


def _row(plan: FoldsPlan, problem: Problem, folder: Path, record: TrialRecord) -> FoldRow:
    outer = outer_of(plan, record.point)
    inside, outcome = problem.in_fold(outer), None
    ledger_path = RunFolder(folder / record.folder).ledger
    if ledger_path.exists():
        with closing(Ledger.open(ledger_path, read_only=True)) as ledger:
            outcome = ledger.get(OUTCOME)
    survey = inside.survey
    assert survey is not None, "a fold's samples are counted"
    return FoldRow(
        outer.fold,
        inside.source.outer_in_words(),
        {part: sum(counts.values()) for part, counts in survey.counts.items()},
        record.folder,
        str(record.state),
        record.error,
        {} if outcome is None else _tested(outcome),
        FOUND if outcome is None else outcome.handed_over,
    )


def _tested(outcome: RunOutcome) -> dict[str, dict[str, list[float]]]:
    """Test metrics of each training by network; random architectures together are one."""
    networks: dict[str, dict[str, list[float]]] = {}
    for training in outcome.trainings:
        names = {network_of(training.label)}
        if training.label == outcome.handed_over:
            names.add(HANDED_OVER)
        for name in names:
            own = networks.setdefault(name, {})
            for metric, value in training.test.items():
                own.setdefault(metric, []).append(value)
    return networks


def _networks(
    names: Sequence[str], metrics: Sequence[str], done: Sequence[FoldRow], metric: str
) -> list[NetworkRow]:
    """The networks over all folds, the first of them compared with each other one."""
    if all(row.handed_over == FOUND for row in done):
        names = [name for name in names if name != HANDED_OVER]
        names = sorted(names, key=lambda name: name != FOUND)
    overlap = statistics.fmean(
        [row.sizes["test"] / (row.sizes["train"] + row.sizes["val"]) for row in done] or [0.0]
    )
    results = {
        name: {
            m: {r.number: v for r in done if (v := r.mean(name, m)) is not None} for m in metrics
        }
        for name in names
    }
    found = [compare(results[names[0]][metric], results[n][metric], overlap) for n in names[1:]]
    against = [None, *correct(found)]
    return [
        NetworkRow(
            name,
            results[name],
            {m: mean_half_width(list(results[name][m].values()), overlap) for m in metrics},
            comparison,
        )
        for name, comparison in zip(names, against, strict=False)
    ]


def _notes(found: Evaluated) -> list[str]:
    notes = []
    undone = [row for row in found.rows if not row.networks]
    if undone:
        numbers = ", ".join(str(row.number) for row in undone)
        notes.append(f"Of {len(found.rows)} folds, {numbers} have no result, and are left out.")
    if found.optimistic:
        notes.append(
            "The results are optimistic: the architecture was chosen by a run on these data, the"
            " samples that are tested on here among them. Without --from, each fold has a search of"
            " its own."
        )
    if len(found.done) > 1:
        notes.append(
            "Intervals hold 95 %, by the corrected resampled t-test (Nadeau and Bengio 2003): the"
            " training samples of the folds overlap. p is corrected by Holm's method."
        )
    return notes


def write(found: Evaluated, folder: Path) -> None:
    """Writes `evaluation.csv`, `evaluation.json` and `report.html` into the run folder."""
    rows = flat_rows(found)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["fold"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / CSV, stream.getvalue())
    write_atomically(folder / EVALUATION, json.dumps(finite(as_json(found)), indent=2) + "\n")
    write_report(folder)


def flat_rows(found: Evaluated) -> list[dict[str, Any]]:
    """Returns a row for each fold and network, with the means over its trainings."""
    return [
        {
            "fold": row.number,
            "tested_on": row.tested_on,
            **{f"{part}_samples": size for part, size in row.sizes.items()},
            "network": network.name,
            "trainings": len(next(iter(row.networks[network.name].values()), ())),
            **{metric: row.mean(network.name, metric) for metric in found.metrics},
        }
        for row in found.done
        for network in found.networks
        if network.name in row.networks
    ]


def as_json(found: Evaluated) -> dict[str, Any]:
    """Returns everything as plain JSON."""
    return {
        "recipe": found.name,
        "folds": found.folds,
        "nested": found.nested,
        "optimistic": found.optimistic,
        "metric": found.metric,
        "direction": found.direction,
        "titles": {network.name: found.title(network.name) for network in found.networks},
        "networks": [network_json(found, network) for network in found.networks],
        "rows": [
            {
                **{name: value for name, value in asdict(row).items() if name != "networks"},
                "results": {
                    network.name: {m: row.mean(network.name, m) for m in found.metrics}
                    for network in found.networks
                    if network.name in row.networks
                },
            }
            for row in found.rows
        ],
        "notes": found.notes,
    }


def network_json(found: Evaluated, network: NetworkRow) -> dict[str, Any]:
    """A network over all folds as plain JSON."""
    results = {}
    for metric in found.metrics:
        results[metric] = {
            "mean": network.mean(metric),
            "deviation": network.deviation(metric),
            "interval": network.interval(metric),
            "folds": len(network.results[metric]),
        }
    against = network.against
    return {
        "network": network.name,
        "results": results,
        "judged_is_ahead_by": None
        if against is None
        else {**asdict(against), "verdict": against.verdict},
    }


def _network_cells(found: Evaluated) -> tuple[list[str], list[list[Any]]]:
    metric = found.metric
    header = ["network", metric, "deviation", "95 % interval", "folds", "difference", "p"]
    rows = []
    for network in found.networks:
        against, interval = network.against, network.interval(metric)
        rows.append(
            [
                found.title(network.name),
                network.mean(metric),
                network.deviation(metric),
                "" if interval is None else " to ".join(map(format_number, interval)),
                len(network.results[metric]),
                None if against is None else _signed(against, metric),
                None if against is None or against.p_holm is None else f"{against.p_holm:.2g}",
            ]
        )
    return header, rows


def _fold_cells(found: Evaluated) -> tuple[list[str], list[list[Any]]]:
    titles = [found.title(network.name) for network in found.networks]
    header = ["fold", "tested on", "searched on", "samples", *titles]
    rows = [
        [
            row.number,
            row.tested_on,
            row.sizes["train"] + row.sizes["val"],
            row.sizes["test"],
            *(row.mean(network.name, found.metric) for network in found.networks),
        ]
        for row in found.rows
    ]
    return header, rows


def _signed(comparison: Comparison, metric: str) -> str:
    half, difference = comparison.half_width, abs(comparison.difference)
    margin = "" if half is None else f" ± {format_number(half, 2)}"
    if half is not None and is_share(metric) and difference <= 1 < difference + half:
        margin = " (too few folds for an interval)"
    return f"{round(comparison.difference, 12):+.4g}{margin}"
