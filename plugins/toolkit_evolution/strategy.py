"""Strategies of the toolkit's own, over trees of any depth and without repeats."""

from __future__ import annotations

import random

from pydantic import Field, NonNegativeInt, PositiveInt

from toolkit import contracts
from toolkit.contracts import SearchContext
from toolkit.space import Point
from toolkit.space.variation import cross, mutate, neighbours
from toolkit_evolution.history import Result, TreeStrategy, best

TRIES = 50
"""Children that may turn out to be known before a point is drawn at random."""


class RandomStrategy(TreeStrategy):
    """Independent uniform draws without repeats."""

    def propose(self, rng: random.Random) -> Point | None:
        return None


class RegularizedEvolution(TreeStrategy):
    """Regularised evolution with aging (Real et al., AAAI 2019), Algorithm 1.

    The population is the last `population` results. Each child is the mutated best of a random
    `sample` of them; the oldest dies, however good it was. With several objectives the best is the
    less crowded of two that no other of the sample dominates.

    The defaults suit some hundred trainings, where the paper had thousands: evolution begins after
    few random points, and selects strongly. Aging alone then leads away from a peak, which works
    because no child is tried twice.
    """

    class Options(contracts.Options):
        """Sizes and rates of the evolution."""

        initial: PositiveInt = Field(10, description="random points to begin with")
        population: PositiveInt = Field(30, description="results that are alive")
        sample: PositiveInt = Field(30, description="size of the tournament that elects a parent")
        crossover: float = Field(
            0.0, ge=0, le=1, description="share of children that two tournaments' winners have"
        )
        mutations: NonNegativeInt = Field(1, description="decisions changed in a child")

    def propose(self, rng: random.Random) -> Point | None:
        options: RegularizedEvolution.Options = self.options
        alive = self.told[-options.population :]
        if not alive or len(self.seen) < min(options.initial, options.population):
            return None
        for attempt in range(TRIES):
            child = self._elect(alive, rng).point
            crossed = rng.random() < options.crossover
            if crossed:
                child = cross(self.space, child, self._elect(alive, rng).point, rng)
            # A crowd of known neighbours is left by larger steps.
            steps = options.mutations + attempt // 10
            child = mutate(self.space, child, rng, max(steps, 0 if crossed else 1))
            if child not in self.seen:
                return child
        return None

    def _elect(self, alive: list[Result], rng: random.Random) -> Result:
        return best(rng.sample(alive, min(self.options.sample, len(alive))), rng)


class LocalSearch(TreeStrategy):
    """Local search (White et al., UAI 2021) that never gets stuck.

    After random points come the neighbours of the best point, one decision away each; when all of
    them are known, those of the next best. With several objectives the best points are those that
    the fewest others dominate.
    """

    class Options(contracts.Options):
        """How the search begins."""

        initial: PositiveInt = Field(10, description="random points to begin with")

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self._left: set[int] = set()

    def propose(self, rng: random.Random) -> Point | None:
        if len(self.seen) < self.options.initial:
            return None
        for result in self._ranked(rng):
            if id(result) in self._left:
                continue
            # Seeded by the point, so that its neighbours along continuous decisions stay the same.
            around = random.Random(f"{self.seed}/{result.point!r}")
            for point in neighbours(self.space, result.point, around):
                if point not in self.seen:
                    return point
            self._left.add(id(result))
        return None

    def _ranked(self, rng: random.Random) -> list[Result]:
        if len(self.objectives) == 1:
            return sorted(self.told, key=lambda result: result.scores)
        # Drawn among equals, so that the whole front is worked on.
        return sorted(self.told, key=lambda result: (result.dominators, rng.random()))
