"""What a strategy of this package has been told, and how results compare."""

from __future__ import annotations

import json
import math
import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from toolkit.analysis.pareto import crowding
from toolkit.contracts import (
    Direction,
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.errors import SpaceError
from toolkit.space import Point, Space, sample, validate
from toolkit.space.variation import points

DRAWS = 200
"""Draws that may fall on known points before the tree is listed instead."""
LISTED = 100_000
"""Trees up to this many points are listed to find those that are left."""


class Result:
    """A point and its objectives, each turned so that more is better.

    `dominators` counts the results that dominate it.
    """

    def __init__(self, point: Point, scores: tuple[float, ...]) -> None:
        self.point, self.scores = point, scores
        self.dominators = 0

    def dominates(self, other: Result) -> bool:
        """Whether it is nowhere worse and somewhere better (Pareto)."""
        pairs = list(zip(self.scores, other.scores, strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def best(results: list[Result], rng: random.Random) -> Result:
    """The best result; with several objectives the lonelier of two that no other dominates."""
    if len(results[0].scores) == 1:
        return max(results, key=lambda result: result.scores)
    front = [r for r in results if not any(other.dominates(r) for other in results)]
    lonely = crowding([result.scores for result in front])
    return front[max(rng.choices(range(len(front)), k=2), key=lonely.__getitem__)]


class TreeStrategy(Strategy):
    """Base: no point is proposed twice, and draws depend on the seed and on what was told."""

    def setup(self, context: SearchContext) -> None:
        self.space: Space = context.space
        self.objectives: Mapping[str, Direction] = context.objectives
        self.told: list[Result] = []
        self.seed = context.seed
        self._size = context.space.size()
        self._seen: set[str] = set()
        self._heard = 0

    @abstractmethod
    def propose(self, rng: random.Random) -> Point | None:
        """A point that ought to be new, or None to have one drawn."""

    def ask(self) -> Proposal | Wait | Exhausted:
        if len(self._seen) >= self._size:
            return Exhausted()
        rng = random.Random(f"{self.seed}/{self._heard}/{len(self._seen)}")
        point = self.propose(rng)
        if point is None or self.knows(point):
            point = self._draw(rng)
        if point is None:
            return Exhausted()
        self._seen.add(_key(point))
        return Proposal(point)

    def resume(self, trial: Trial) -> None:
        self._remember(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if not self._remember(trial):
            return
        self._heard += 1
        if state is TrialState.DONE:
            scores = tuple(
                values.get(name, math.nan) * (1 if direction == "maximize" else -1)
                for name, direction in self.objectives.items()
            )
            if all(map(math.isfinite, scores)):
                self._learn(Result(trial.point, scores))

    def _learn(self, result: Result) -> None:
        if len(self.objectives) > 1:
            for known in self.told:
                known.dominators += result.dominates(known)
                result.dominators += known.dominates(result)
        self.told.append(result)

    @property
    def proposed(self) -> int:
        """Number of points proposed or told."""
        return len(self._seen)

    def knows(self, point: Point) -> bool:
        """Whether a point has been proposed or told."""
        return _key(point) in self._seen

    def _remember(self, trial: Trial) -> bool:
        """Note a trial's point; False if it is none of this tree."""
        try:
            validate(self.space, trial.point)
        except SpaceError:
            return False
        self._seen.add(_key(trial.point))
        return True

    def _draw(self, rng: random.Random) -> Point | None:
        for _ in range(DRAWS):
            point = sample(self.space, rng)
            if not self.knows(point):
                return point
        if self._size > LISTED:
            return point
        left = [point for point in points(self.space) if not self.knows(point)]
        return rng.choice(left) if left else None


def _key(point: Any) -> str:
    return json.dumps(point, sort_keys=True)
