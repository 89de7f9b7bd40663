"""Which of some results is best: the one order of searches, final trainings and hand-overs.

Results are compared by their objectives, the first one first; then by what they reach after few
samples, where that is known (`Learner.few_shot_accuracy`), then by the task's loss, then by the
size of the model, then by their number. So a point that another one dominates is never best.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.analysis.pareto import dominates, hypervolume, no_worse, ranks, scores, turned
from toolkit.base.errors import DamagedLedgerError
from toolkit.base.plain import is_number
from toolkit.contracts import Direction
from toolkit.contracts.constraints import FIRST, KNEE, parse_rule, violations
from toolkit.contracts.jobs import FEW_SHOT
from toolkit.run.records import TrialRecord, candidates

LOSS = "loss"
"""The metric that breaks ties of objectives; lower is better."""

Key: TypeAlias = tuple[float, ...]
Row: TypeAlias = tuple[int, Mapping[str, Any]]
"""A trial's number and its values."""


def primary(objectives: Mapping[str, Direction]) -> tuple[str, Direction]:
    """Returns the name and the direction of the first objective; there is one."""
    return next(iter(objectives.items()))


def best(records: Iterable[TrialRecord], objectives: Mapping[str, Direction]) -> TrialRecord | None:
    """Returns the record that is best, see the module's order.

    Those that lack the primary objective do not count; None if all do.
    """
    metric, _ = primary(objectives)
    known = (record for record in records if metric in record.values)
    return min(known, key=lambda record: _key(record, objectives), default=None)


def ranked(
    records: Iterable[TrialRecord], objectives: Mapping[str, Direction]
) -> list[TrialRecord]:
    """Returns the records that have the primary objective, best first."""
    metric, _ = primary(objectives)
    known = [record for record in records if metric in record.values]
    return sorted(known, key=lambda record: _key(record, objectives))


def by_validation(
    records: Iterable[TrialRecord], objectives: Mapping[str, Direction]
) -> list[TrialRecord]:
    """Returns records as `ranked`, but for what validation cannot tell apart.

    Those level in every objective whose losses differ by less than 0.01 stay in their order: what
    was tried first, a space's anchors, was known to be good.
    """

    def level(record: TrialRecord) -> Key:
        *reached, loss, _, number = _key(record, objectives)
        return (*reached, round(loss, 2) if math.isfinite(loss) else loss, number)

    return sorted(ranked(records, objectives), key=level)


def best_found(
    records: Iterable[TrialRecord], objectives: Mapping[str, Direction], choose: str = FIRST
) -> TrialRecord | None:
    """Returns what a search has found: the best of its eligible trials.

    One that was trained in full comes before any that was not. With several objectives, `choose`
    says which point of the front it is, see `choose_point`.
    """
    eligible = candidates(records)
    if len(objectives) == 1 or choose == FIRST:
        return best(eligible, objectives)
    front = front_of(eligible, objectives)
    if not front:
        return None
    return front[choose_point([_point(record) for record in front], objectives, choose)]


def front_of(
    records: Iterable[TrialRecord], objectives: Mapping[str, Direction]
) -> list[TrialRecord]:
    """Returns the records that no other one dominates, best in the first objective first."""
    known = [(s, r) for r in records if (s := scores(r.values, objectives)) is not None]
    if not known:
        return []
    on_front = ranks([s for s, _ in known]) == 0
    front = [record for (_, record), on in zip(known, on_front, strict=True) if on]
    return sorted(front, key=lambda record: _key(record, objectives))


def spread(
    front: Sequence[TrialRecord],
    results: Iterable[TrialRecord],
    objectives: Mapping[str, Direction],
    wanted: int,
) -> list[int]:
    """Returns the numbers of further points of a front that stand for it beside its first one.

    Args:
        front: what was chosen already, then the others, best in the first objective first.
        results: of the search; the worst value in each objective bounds the hypervolume.
        objectives: with their directions.
        wanted: how many are asked for.
    """
    known = [(record.number, scores(record.values, objectives)) for record in front]
    taken = [own for _, own in known[:1] if own is not None]
    left = {number: own for number, own in known[1:] if own is not None}
    every = [own for record in results if (own := scores(record.values, objectives)) is not None]
    worst = [max(values) for values in zip(*every, *left.values(), strict=True)]
    chosen: list[int] = []
    while left and len(chosen) < wanted:
        first = next(iter(left))
        if chosen or (taken and left[first][0] >= taken[0][0]):
            volumes = {n: hypervolume([*taken, own], worst) for n, own in left.items()}
            first = max(volumes, key=lambda n: volumes[n])
        chosen.append(first)
        taken.append(left.pop(first))
    return chosen


def take_in(leading: Sequence[Row], row: Row, objectives: Mapping[str, Direction]) -> list[Row]:
    """Returns the leading results, best first objective first, once one more has come in.

    Args:
        leading: what led before.
        row: leads too unless it lacks an objective, or another is as good in all of them.
        objectives: metric to `maximize` or `minimize`, the first being the main one.
    """
    own = scores(row[1], objectives) if objectives else None
    if own is None:
        return list(leading)
    known = [(scores(other[1], objectives), other) for other in leading]
    if any(theirs is not None and no_worse(theirs, own) for theirs, _ in known):
        return list(leading)
    kept = [other for theirs, other in known if theirs is not None and not no_worse(own, theirs)]
    first, direction = next(iter(objectives.items()))
    return sorted([*kept, row], key=lambda r: r[1][first], reverse=direction == "maximize")


def _point(record: TrialRecord) -> dict[str, float]:
    size = {} if record.parameters is None else {"parameters": float(record.parameters)}
    return {**size, **record.values}


def _key(record: TrialRecord, objectives: Mapping[str, Direction]) -> Key:
    values = {name: _or_worst(record.values.get(name), d) for name, d in objectives.items()}
    size = math.inf if record.parameters is None else float(record.parameters)
    loss = _or_worst(record.values.get(LOSS), "minimize")
    few_shot = -_or_worst(record.values.get(FEW_SHOT), "maximize")
    return (*turned(values, objectives), few_shot, loss, size, float(record.number))


def _or_worst(value: float | None, direction: Direction) -> float:
    if value is not None and is_number(value):
        return value
    return math.inf if direction == "minimize" else -math.inf


@dataclass(frozen=True)
class Candidate:
    """A network that was trained from scratch, with one training per seed.

    Attributes:
        label: of its trainings.
        trainings: those that are done.
    """

    label: str
    trainings: tuple[TrialRecord, ...]

    def mean(self, metric: str) -> float | None:
        """The mean of a validation metric over the seeds; None where a training lacks it."""
        values = [record.values.get(metric) for record in self.trainings]
        if not all(map(is_number, values)):
            return None
        return statistics.fmean(values)  # type: ignore[arg-type]

    def means(self, names: Iterable[str]) -> dict[str, float]:
        """Means of those metrics that every training has, the parameters among them."""
        found = {name: self.mean(name) for name in names}
        sizes = [r.parameters for r in self.trainings if r.parameters is not None]
        if sizes:
            found.setdefault("parameters", None)
            if found["parameters"] is None:
                found["parameters"] = statistics.fmean(sizes)
        return {name: value for name, value in found.items() if value is not None}

    def variance(self, metric: str) -> float | None:
        """Squared standard error of the mean over the seeds; None for a single training."""
        values = [record.values[metric] for record in self.trainings if metric in record.values]
        return statistics.variance(values) / len(values) if len(values) > 1 else None

    @property
    def feasible(self) -> bool:
        """Whether no training breaks a constraint."""
        return not any(record.violations for record in self.trainings)


def candidates_of(trainings: Iterable[TrialRecord]) -> list[Candidate]:
    """Returns the networks of final trainings, in the order of their first training."""
    networks: dict[str, list[TrialRecord]] = {}
    for record in trainings:
        networks.setdefault(record.label, []).append(record)
    return [Candidate(label, tuple(own)) for label, own in networks.items()]


def winner(
    trainings: Sequence[TrialRecord], objectives: Mapping[str, Direction], choose: str = FIRST
) -> Candidate:
    """Returns the network to hand over, by validation results alone.

    With one objective it is the one whose mean over the seeds is best; another one that is behind
    by no more than the standard error of the difference counts as equal, and among equals the lower
    loss decides, then the smaller model. With several objectives it is a point of the front of
    means, see `choose_point`. Networks that break a constraint count where all do.

    Args:
        trainings: the final trainings that are done; one of them at least has the objectives.
        objectives: what was searched for, the primary objective first.
        choose: which point of the front, where there are several objectives.

    Raises:
        DamagedLedgerError: none has the objectives.
    """
    whole = [c for c in candidates_of(trainings) if len(c.means(objectives)) >= len(objectives)]
    if not whole:
        raise DamagedLedgerError(
            f"The ledger is damaged: no final training has {' and '.join(objectives)}.",
            hint="Restore it from a copy, or start again in a new run folder.",
        )
    able = [c for c in whole if c.feasible] or whole
    if len(objectives) > 1:
        points = [candidate.means([*objectives, LOSS]) for candidate in able]
        return able[choose_point(points, objectives, choose)]
    metric, direction = primary(objectives)
    ahead = min(able, key=lambda candidate: _mean_key(candidate, objectives))
    equal = [c for c in able if c is ahead or _within_noise(c, ahead, metric)]
    return min(equal, key=lambda candidate: _tie_key(candidate, metric, direction))


def _within_noise(candidate: Candidate, ahead: Candidate, metric: str) -> bool:
    """Whether two means differ by no more than the standard error of their difference."""
    ours, theirs = candidate.mean(metric), ahead.mean(metric)
    assert ours is not None and theirs is not None
    difference = abs(ours - theirs)
    variances = [candidate.variance(metric), ahead.variance(metric)]
    known = [variance for variance in variances if variance is not None]
    return difference <= math.sqrt(sum(known)) if len(known) == len(variances) else not difference


def _mean_key(candidate: Candidate, objectives: Mapping[str, Direction]) -> Key:
    means = candidate.means([*objectives, LOSS])
    ordered = turned(means, {name: d for name, d in objectives.items() if name in means})
    size = means.get("parameters", math.inf)
    return (*ordered, means.get(LOSS, math.inf), size, float(candidate.trainings[0].number))


def _tie_key(candidate: Candidate, metric: str, direction: Direction) -> Key:
    key = _mean_key(candidate, {metric: direction})
    return (*key[1:3], key[0], key[3])


def choose_point(
    points: Sequence[Mapping[str, float]], objectives: Mapping[str, Direction], choose: str
) -> int:
    """Returns the index of one of some points that none of them dominates.

    Args:
        points: objectives by name, and what else a rule names.
        objectives: with their directions.
        choose: `first`: the best in the first objective, ties broken by the others; `knee`: the
            nearest to the best of every objective, each as a share of the front's range; or a rule
            such as `accuracy >= 0.9 then parameters`: among those that keep to the bound, or else
            all, the best in the metric after it.

    Raises:
        ValueError: the rule cannot be read, or names what no point has.
    """
    known = [(i, s) for i, point in enumerate(points) if (s := scores(point, objectives))]
    front = [(i, s) for i, s in known if not any(dominates(other, s) for _, other in known)]
    if choose == FIRST:
        return min(front, key=lambda entry: (entry[1], entry[0]))[0]
    if choose == KNEE:
        best_of = [min(values) for values in zip(*(s for _, s in front), strict=True)]
        worst_of = [max(values) for values in zip(*(s for _, s in front), strict=True)]

        def distance(entry: tuple[int, tuple[float, ...]]) -> tuple[float, int]:
            shares = (
                (value - low) / (high - low) if high > low else 0.0
                for value, low, high in zip(entry[1], best_of, worst_of, strict=True)
            )
            return math.hypot(*shares), entry[0]

        return min(front, key=distance)[0]
    bounds, metric = parse_rule(choose)
    keeping = [(i, s) for i, s in front if not violations(bounds, points[i])] or front
    sign = -1.0 if objectives.get(metric) == "maximize" else 1.0
    if any(metric not in points[index] for index, _ in keeping):
        raise ValueError(f"{choose!r} names {metric}, which was not measured")
    return min(keeping, key=lambda entry: (sign * points[entry[0]][metric], entry[1], entry[0]))[0]
