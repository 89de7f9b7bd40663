"""What a strategy of this package has been told, and how results compare."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.analysis.pareto import crowding, dominates, scores
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
from toolkit.space import Point, SeenPoints, Space, is_point


@dataclass(eq=False)
class Result:
    """A point and its objectives, each turned so that less is better.

    Attributes:
        dominators: how many results dominate it.
    """

    point: Point
    scores: tuple[float, ...]
    dominators: int = 0


def best(results: list[Result], rng: random.Random) -> Result:
    """The best result; with several objectives the lonelier of two that no other dominates."""
    if len(results[0].scores) == 1:
        return min(results, key=lambda result: result.scores)
    front = [r for r in results if not any(dominates(o.scores, r.scores) for o in results)]
    # Turned back: which of equal results stands at an end of the front depends on the direction.
    lonely = crowding([[-score for score in result.scores] for result in front])
    return front[max(rng.choices(range(len(front)), k=2), key=lonely.__getitem__)]


class TreeStrategy(Strategy):
    """Base: no point is proposed twice, and draws depend on the seed and on what was told."""

    hears_reports = False

    def setup(self, context: SearchContext) -> None:
        self.space: Space = context.space
        self.objectives: Mapping[str, Direction] = context.objectives
        self.told: list[Result] = []
        self.seed = context.seed
        self.seen = SeenPoints(context.space)
        self._heard = 0

    @abstractmethod
    def propose(self, rng: random.Random) -> Point | None:
        """A point that ought to be new, or None to have one drawn."""

    def ask(self) -> Proposal | Wait | Exhausted:
        if self.seen.exhausted:
            return Exhausted()
        rng = random.Random(f"{self.seed}/{self._heard}/{len(self.seen)}")
        point = self.propose(rng)
        if point is None or point in self.seen:
            point = self.seen.draw(rng)
        if point is None:
            return Exhausted()
        self.seen.add(point)
        return Proposal(point)

    def resume(self, trial: Trial) -> None:
        self._remember(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if not self._remember(trial):
            return
        self._heard += 1
        reached = scores(values, self.objectives)
        if state is TrialState.DONE and reached is not None:
            self._learn(Result(trial.point, reached))

    def _learn(self, result: Result) -> None:
        if len(self.objectives) > 1:
            for known in self.told:
                known.dominators += dominates(result.scores, known.scores)
                result.dominators += dominates(known.scores, result.scores)
        self.told.append(result)

    def _remember(self, trial: Trial) -> bool:
        """Note a trial's point; False if it is none of this tree."""
        if not is_point(self.space, trial.point):
            return False
        self.seen.add(trial.point)
        return True
