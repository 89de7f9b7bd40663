"""The table of a sweep: one row per configuration, written as `sweep.csv` and `sweep.json`."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.analysis.pareto import turned
from toolkit.analysis.significance import Comparison, compare, correct, describe
from toolkit.base.files import write_atomically
from toolkit.base.plain import finite
from toolkit.base.summary import Statistics, format_metric, format_number
from toolkit.contracts import Direction, TrialState
from toolkit.report import SWEEP, write_report
from toolkit.run.records import TrialRecord
from toolkit.sweeps.axes import Axis

TEST = "test_"
"""Before the names of metrics that were measured on the test split."""
CSV = "sweep.csv"


@dataclass
class Row:
    """A configuration and what it reached.

    Attributes:
        configuration: from 1, in the order of proposing.
        values: swept key -> value.
        trials: its trials, or whole runs, one per seed.
        validation: objective by seed, of those that ended well.
        test: the same on the test split, where it was read.
        against_best: compared with the row that is best in validation; None for that row.
        test_against_best: the same on the test split.
    """

    configuration: int
    values: dict[str, Any]
    trials: list[TrialRecord] = field(default_factory=list)
    validation: dict[int, float] = field(default_factory=dict)
    test: dict[int, float] = field(default_factory=dict)
    against_best: Comparison | None = None
    test_against_best: Comparison | None = None

    @property
    def failed(self) -> int:
        """Trials that ended, and not well."""
        return sum(r.state.ended and r.state is not TrialState.DONE for r in self.trials)

    @property
    def parameters(self) -> float | None:
        """Mean number of parameters."""
        known = [r.parameters for r in self.trials if r.parameters is not None]
        return statistics.fmean(known) if known else None


@dataclass
class Table:
    """All rows, the best in validation first, and what can be said of their differences."""

    objective: str
    direction: Direction
    axes: Sequence[Axis]
    rows: list[Row]
    notes: list[str]

    @property
    def tested(self) -> bool:
        """Whether results on the test split are there."""
        return any(row.test for row in self.rows)

    def header(self) -> list[str]:
        """Column names of `cells`."""
        test = [f"test {self.objective}", "p (test)"] if self.tested else []
        return [
            "row",
            *(axis.key for axis in self.axes),
            "seeds",
            self.objective,
            "p",
            *test,
            "parameters",
            "failed",
        ]

    def cells(self) -> list[list[Any]]:
        """The rows as a person reads them."""
        return [
            [
                row.configuration,
                *(_text(row.values[axis.key]) for axis in self.axes),
                len(row.validation),
                _cell(row.validation),
                _verdict(row, row.against_best),
                *([_cell(row.test), _verdict(row, row.test_against_best)] * self.tested),
                None if row.parameters is None else round(row.parameters),
                row.failed or None,
            ]
            for row in self.rows
        ]


def make_table(
    records: Sequence[TrialRecord], axes: Sequence[Axis], objective: str, direction: Direction
) -> Table:
    """Gather a sweep's trials into rows, and compare these.

    Args:
        records: the sweep's trials; those of whole runs have the test metrics among their values.
        objective: the metric that rows are compared by.
        direction: of the objective.
    """
    rows: dict[str, Row] = {}
    for record in records:
        values = {axis.key: axis.value(record.point) for axis in axes}
        token = record.token if isinstance(record.token, dict) else {}
        row = rows.setdefault(
            json.dumps(values), Row(token.get("configuration", record.number), values)
        )
        repeat = token.get("repeat", 0)
        row.trials.append(record)
        if record.state is TrialState.DONE and repeat not in row.validation:
            row.validation[repeat] = record.values[objective]
            if TEST + objective in record.values:
                row.test[repeat] = record.values[TEST + objective]
    ordered = _best_first(list(rows.values()), objective, direction)
    return Table(objective, direction, axes, ordered, _compare(ordered))


def _best_first(rows: list[Row], objective: str, direction: Direction) -> list[Row]:
    def place(row: Row) -> tuple[bool, tuple[float, ...], int]:
        mean = statistics.fmean(row.validation.values()) if row.validation else 0.0
        rank = turned({objective: mean}, {objective: direction})
        return not row.validation, rank, row.configuration

    return sorted(rows, key=place)


def _compare(rows: Sequence[Row]) -> list[str]:
    """Compare all rows with the first, on both splits; what can be said."""
    if not rows or not rows[0].validation:
        return []
    best, others = rows[0], rows[1:]
    validation = correct([compare(row.validation, best.validation) for row in others])
    test = correct([compare(row.test, best.test) for row in others])
    for row, on_validation, on_test in zip(others, validation, test, strict=True):
        row.against_best, row.test_against_best = on_validation, on_test
    notes = [*describe(validation, "validation"), *describe(test, "test")]
    if others and any(row.against_best for row in others):
        notes.append(
            "The best row was chosen by these validation results, which therefore flatter it."
        )
    return notes


def write_table(table: Table, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `sweep.csv`, `sweep.json` and `report.html` into the run folder.

    Args:
        facts: what else the JSON says of the sweep.
    """
    stream = io.StringIO()
    keys = [axis.key for axis in table.axes]
    columns = _flat(Row(0, dict.fromkeys(keys)), table)
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in flat_rows(table):
        writer.writerow({**row, **{key: _scalar(row[key]) for key in keys}})
    write_atomically(folder / CSV, stream.getvalue())
    content = {
        **facts,
        "objective": table.objective,
        "direction": table.direction,
        "swept": keys,
        "rows": [row_json(row) for row in table.rows],
        "notes": table.notes,
    }
    write_atomically(folder / SWEEP, json.dumps(finite(content), indent=2) + "\n")
    write_report(folder)


def flat_rows(table: Table) -> list[dict[str, Any]]:
    """Returns the rows with a column for each swept key and each statistic."""
    return [_flat(row, table) for row in table.rows]


def _flat(row: Row, table: Table) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "row": row.configuration,
        **row.values,
        "seeds": len(row.validation),
        "failed": row.failed,
    }
    splits = [("validation", row.validation, row.against_best)]
    if table.tested:
        splits.append(("test", row.test, row.test_against_best))
    for split, results, against in splits:
        found = _statistics(results) or {}
        leading = bool(results) and row is table.rows[0]
        cells[f"{split}_mean"], cells[f"{split}_std"] = found.get("mean"), found.get("std")
        cells[f"{split}_p_holm"] = None if against is None else against.p_holm
        cells[f"{split}_verdict"] = "best" if leading else against.verdict if against else None
    return {**cells, "parameters": row.parameters}


def row_json(row: Row) -> dict[str, Any]:
    """A row as plain JSON."""
    return {
        "row": row.configuration,
        "values": row.values,
        "validation": _statistics(row.validation),
        "test": _statistics(row.test),
        "against_best": _comparison(row.against_best),
        "test_against_best": _comparison(row.test_against_best),
        "parameters": row.parameters,
        "trials": [
            {
                "number": record.number,
                "seed": record.seed,
                "state": str(record.state),
                "values": dict(record.values),
                "duration_s": record.duration_s,
                "folder": record.folder,
                "source": record.source,
                "error": record.error.strip().splitlines()[-1:] or None,
            }
            for record in row.trials
        ],
    }


def _statistics(results: Mapping[int, float]) -> dict[str, Any] | None:
    """Statistics of results in order of seeds, and how many they are; None where there are none."""
    if not results:
        return None
    found = Statistics.of([results[repeat] for repeat in sorted(results)])
    return {**asdict(found), "n": len(results)}


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {**asdict(comparison), "verdict": comparison.verdict}


def _cell(results: Mapping[int, float]) -> str:
    return format_metric(_statistics(results)) if results else ""


def _verdict(row: Row, comparison: Comparison | None) -> str:
    if comparison is None:
        return "" if not row.validation else "best" if row.against_best is None else ""
    if comparison.p_holm is None:
        return ""
    return f"{comparison.p_holm:.2g}" + (" *" if comparison.verdict == "differs" else "")


def _text(value: Any) -> Any:
    return format_number(value, 6) if isinstance(value, float) else _scalar(value)


def _scalar(value: Any) -> Any:
    """Text and numbers as they are, anything else as JSON."""
    if isinstance(value, float):
        return value
    return (
        value if isinstance(value, str | int) and not isinstance(value, bool) else json.dumps(value)
    )
