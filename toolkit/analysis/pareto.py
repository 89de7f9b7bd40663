"""Several objectives: dominance, non-dominated ranks, the Pareto front and its hypervolume.

All of it is written for objectives to be minimised; `turned` and `scores` bring others into that
form. Comparisons with NaN are false: what has one dominates nothing, and nothing dominates it.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.base.plain import Direction, is_number

if TYPE_CHECKING:
    import numpy as np

REFERENCE_TRIALS = 10
"""Results after which the reference point of a run stays as it is."""
MARGIN = 0.1
"""Share of the range of those results by which the reference point is worse than their worst."""


def turned(values: Mapping[str, float], objectives: Mapping[str, Direction]) -> tuple[float, ...]:
    """A trial's objectives as numbers to be minimised, in the objectives' order."""
    return tuple(
        -values[name] if direction == "maximize" else values[name]
        for name, direction in objectives.items()
    )


def scores(
    values: Mapping[str, float], objectives: Mapping[str, Direction]
) -> tuple[float, ...] | None:
    """Returns `turned` objectives; None where one is missing or not finite."""
    if all(is_number(values.get(name)) for name in objectives):
        return turned(values, objectives)
    return None


def no_worse(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Says whether a point is as good as another, or better, in every objective."""
    return all(a <= b for a, b in zip(ours, theirs, strict=True))


def dominates(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Says whether a point is no worse than another in any objective, and better in one."""
    return no_worse(ours, theirs) and any(a < b for a, b in zip(ours, theirs, strict=True))


def ranks(points: Any) -> np.ndarray:
    """Non-dominated ranks of points (n, m), to be minimised: 0 on the front, 1 behind it, and on.

    Equal points have equal ranks. Points with NaN come last, in a rank of their own.

    Source: efficient non-dominated sort with binary search (Zhang et al., IEEE TEVC 2015): points
    in lexicographic order can only be dominated by earlier ones, and a point dominated by nothing
    in one front is dominated by nothing in the later ones.
    """
    import numpy as np

    values = np.asarray(points, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"points have shape {values.shape}, expected (n, m)")
    finite = ~np.isnan(values).any(axis=1)
    unique, inverse = np.unique(values[finite], axis=0, return_inverse=True)
    found = np.empty(len(unique), dtype=int)
    fronts: list[_Front] = []
    for index, point in enumerate(unique):
        low, high = 0, len(fronts)
        while low < high:
            middle = (low + high) // 2
            if fronts[middle].dominates(point):
                low = middle + 1
            else:
                high = middle
        if low == len(fronts):
            fronts.append(_Front(values.shape[1]))
        fronts[low].add(point)
        found[index] = low
    result = np.full(len(values), len(fronts), dtype=int)
    result[finite] = found[inverse.reshape(-1)]
    return result


class _Front:
    """Points of one rank, met in lexicographic order, in an array that grows."""

    def __init__(self, objectives: int) -> None:
        import numpy as np

        self._points, self._count = np.empty((8, objectives)), 0
        self._least = np.inf

    def dominates(self, point: np.ndarray) -> bool:
        """Whether one of them dominates a point that comes later in the order."""
        if len(point) == 2:  # The first objective is no worse already.
            return bool(self._least <= point[1])
        return bool((self._points[: self._count, 1:] <= point[1:]).all(axis=1).any())

    def add(self, point: np.ndarray) -> None:
        import numpy as np

        if self._count == len(self._points):
            self._points = np.concatenate([self._points, np.empty_like(self._points)])
        self._points[self._count] = point
        self._count += 1
        self._least = min(self._least, point[-1])


def front(points: Any) -> np.ndarray:
    """Indices of the points (n, m) that nothing dominates, in their order; none has NaN."""
    import numpy as np

    values = np.asarray(points, dtype=float)
    if not len(values):
        return np.empty(0, dtype=int)
    keep = (ranks(values) == 0) & ~np.isnan(values).any(axis=1)
    return np.flatnonzero(keep)


def hypervolume(points: Any, reference: Sequence[float]) -> float:
    """Volume that points (n, m), to be minimised, dominate within a reference point (m,).

    Exact. Points that are not better than the reference in every objective add nothing. For two
    objectives a sweep, O(n log n); for more, the exclusive volumes of While, Bradstreet and Barone
    (WFG, IEEE TEVC 2012), exponential in m at worst.
    """
    import numpy as np

    worst = np.asarray(reference, dtype=float)
    values = np.asarray(points, dtype=float).reshape(-1, len(worst))
    values = values[(values < worst).all(axis=1)]
    if not len(values):
        return 0.0
    values = np.unique(values[front(values)], axis=0)
    if len(worst) == 1:
        return float(worst[0] - values[0, 0])
    if len(worst) == 2:
        return _sweep(values, worst)
    return _wfg(values[::-1], worst)


def _sweep(values: np.ndarray, worst: np.ndarray) -> float:
    """Two objectives: `values` ascend in the first and so descend in the second."""
    import numpy as np

    above = np.concatenate([[worst[1]], values[:-1, 1]])
    return float(((worst[0] - values[:, 0]) * (above - values[:, 1])).sum())


def _wfg(values: np.ndarray, worst: np.ndarray) -> float:
    """Sum over points of what each dominates alone, beside those after it."""
    import numpy as np

    if len(worst) == 2:
        return _sweep(values[np.argsort(values[:, 0])], worst)
    total = 0.0
    for index, point in enumerate(values):
        total += float(np.prod(worst - point))
        limited = np.maximum(values[index + 1 :], point)
        if len(limited):
            # Sorted by the first objective, descending, so that all of them share it with `point`.
            rest = np.unique(limited[:, 1:], axis=0)
            total -= (worst[0] - point[0]) * _wfg(rest[front(rest)][::-1], worst[1:])
    return float(total)


class Archive:
    """The Pareto front of a run's results as they come in, and its hypervolume.

    The reference point is, in each objective, the worst of the first `REFERENCE_TRIALS` results
    and a tenth of their range beyond; from then on it stays, so that hypervolumes of a run compare.

    Args:
        objectives: metric -> direction.
    """

    def __init__(self, objectives: Mapping[str, Direction]) -> None:
        self.objectives = dict(objectives)
        self.count = 0
        self._front: dict[int, tuple[float, ...]] = {}
        self._first: list[tuple[float, ...]] = []

    def add(self, number: int, values: Mapping[str, float]) -> bool:
        """Take a trial's result in; whether the front or the reference point is another now."""
        point = turned(values, self.objectives)
        self.count += 1
        first = len(self._first) < REFERENCE_TRIALS
        if first:
            self._first.append(point)
        if any(no_worse(other, point) for other in self._front.values()):
            return first
        self._front = {
            key: other for key, other in self._front.items() if not no_worse(point, other)
        }
        self._front[number] = point
        return True

    @property
    def trials(self) -> list[int]:
        """Numbers of the trials on the front, by the first objective, best first."""
        return sorted(self._front, key=lambda number: self._front[number])

    @property
    def reference(self) -> dict[str, float]:
        """The reference point, in the objectives' own terms; empty before the first result."""
        if not self._first:
            return {}
        return {
            name: -value if direction == "maximize" else value
            for (name, direction), value in zip(
                self.objectives.items(), self._reference(), strict=True
            )
        }

    @property
    def hypervolume(self) -> float:
        """Of the front, within the reference point."""
        if not self._first:
            return 0.0
        return hypervolume(list(self._front.values()), self._reference())

    def to_json(self, *, exact: bool = False) -> dict[str, Any]:
        """Plain JSON, as the ledger keeps it.

        Args:
            exact: give the hypervolume in any case; it takes long with more than three objectives,
                and is None there otherwise.
        """
        cheap = len(self.objectives) <= 3
        return {
            "objectives": self.objectives,
            "reference": self.reference,
            "trials": self.trials,
            "hypervolume": self.hypervolume if exact or cheap else None,
            "results": self.count,
        }

    def _reference(self) -> list[float]:
        columns = list(zip(*self._first, strict=True))
        return [max(column) + MARGIN * (max(column) - min(column)) for column in columns]


def history(
    results: Iterable[tuple[int, Mapping[str, float]]], objectives: Mapping[str, Direction]
) -> list[tuple[int, float]]:
    """Hypervolume after each of some results (number, values), within the run's last reference."""
    known = list(results)
    if not known:
        return []
    archive = Archive(objectives)
    for number, values in known[:REFERENCE_TRIALS]:
        archive.add(number, values)
    reference = archive._reference()
    archive, line = Archive(objectives), []
    volume = 0.0
    for number, values in known:
        if archive.add(number, values):
            volume = hypervolume(list(archive._front.values()), reference)
        line.append((number, volume))
    return line


def crowding(points: Sequence[Sequence[float]]) -> list[float]:
    """Crowding distance of each point of a front (Deb et al., 2002, section III-B).

    The larger, the lonelier; infinite at the ends of each objective.
    """
    distances = [0.0] * len(points)
    for values in zip(*points, strict=True):
        order = sorted(range(len(points)), key=values.__getitem__)
        span = (values[order[-1]] - values[order[0]]) or 1.0
        distances[order[0]] = distances[order[-1]] = math.inf
        for left, here, right in zip(order, order[1:], order[2:], strict=False):
            distances[here] += (values[right] - values[left]) / span
    return distances
