"""What to try next."""

from __future__ import annotations

import random
from collections.abc import Mapping

from pydantic import Field

from toolkit import contracts
from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState
from toolkit.space import Point, SeenPoints, is_point, mutate


class MyName(contracts.Strategy):
    """Climbs: random points first, then the best point so far with one decision changed."""

    hears_reports = False

    class Options(contracts.Options):
        """How the climb begins."""

        initial: int = Field(5, ge=1, description="random points to begin with")

    def setup(self, context: SearchContext) -> None:
        self.space, self.seed = context.space, context.seed
        self.metric, self.direction = next(iter(context.objectives.items()))
        self.seen = SeenPoints(context.space)
        self.best: tuple[float, Point] | None = None
        self.told = 0

    def ask(self) -> Proposal | Exhausted:
        # Draws depend on the seed and on what was told, so that a resumed run goes on.
        rng = random.Random(f"{self.seed}/{self.told}/{len(self.seen)}")
        point = None
        if self.best is not None and len(self.seen) >= self.options.initial:
            point = mutate(self.space, self.best[1], rng)
        if point is None or point in self.seen:
            point = self.seen.draw(rng)  # None where no point is left.
        if point is None:
            return Exhausted()
        self.seen.add(point)
        return Proposal(point)

    def resume(self, trial: Trial) -> None:
        self._remember(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        known = self._remember(trial)
        self.told += 1
        if not known or state is not TrialState.DONE or self.metric not in values:
            return
        score = values[self.metric] * (1 if self.direction == "maximize" else -1)
        if self.best is None or score > self.best[0]:
            self.best = score, trial.point

    def _remember(self, trial: Trial) -> bool:
        """Notes a trial's point; False if it is none of this tree, but of an earlier run's."""
        if not is_point(self.space, trial.point):
            return False
        self.seen.add(trial.point)
        return True
