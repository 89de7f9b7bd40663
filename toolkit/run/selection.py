"""The best of some trials, by the primary objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from toolkit.analysis.pareto import turned
from toolkit.contracts import Direction
from toolkit.run.records import TrialRecord, candidates


def primary(objectives: Mapping[str, Direction]) -> tuple[str, Direction]:
    """Returns the name and the direction of the first objective; there is one."""
    return next(iter(objectives.items()))


def best(records: Iterable[TrialRecord], objectives: Mapping[str, Direction]) -> TrialRecord | None:
    """Returns the record that is best in the primary objective, the first among equals.

    Those that lack it do not count; None if all do.
    """
    metric, direction = primary(objectives)
    known = [record for record in records if metric in record.values]
    return min(known, key=lambda r: turned(r.values, {metric: direction}), default=None)


def best_found(
    records: Iterable[TrialRecord], objectives: Mapping[str, Direction]
) -> TrialRecord | None:
    """Returns what a search has found: the best of its eligible trials.

    One that was trained in full comes before any that was not.
    """
    return best(candidates(records), objectives)
