"""The strategy of recipes that name none: TPE and steps from the best points, by turns."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, NonNegativeInt

from toolkit.analysis.pareto import crowding, turned
from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState, Wait
from toolkit.errors import SpaceError
from toolkit.space import Point, sample, validate
from toolkit.space.variation import mutate, points
from toolkit_optuna.strategy import OptunaOptions, OptunaTPE

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

LISTED = 100_000
"""Spaces up to this many points are listed, when draws no longer find one that is left."""
TRIES = 60
"""Draws that may fall on known points before the next way to find one is taken."""
WINDOW = 30
"""Results, the latest ones, of which the best is stepped from: a peak is left in the end."""


class AutoStrategy(OptunaTPE):
    """No point twice; mostly one decision away from the best result, else proposed by TPE.

    TPE models where good points are; steps from the best of the latest results work out what is
    there (regularised evolution with the strongest selection, Real et al., AAAI 2019). What TPE
    proposes a second time becomes such a step. With several objectives steps start from the Pareto
    front. A space of which every point fits into the budget is tried whole, in random order.
    """

    class Options(OptunaOptions):
        """How the two share the work."""

        steps: float = Field(0.8, ge=0, le=1, description="share of steps from the best results")
        n_startup_trials: NonNegativeInt = Field(10, description="random trials to begin with")

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        self._known: set[str] = set()
        self._results: list[tuple[Point, tuple[float, ...]]] = []
        self._front: list[tuple[Point, tuple[float, ...]]] = []
        self._size = context.space.size()
        self._whole = self._size <= max(context.trials or 0, self.options.n_startup_trials)

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        joint = len(self._context.objectives) == 1
        return TPESampler(
            n_startup_trials=self.options.n_startup_trials,
            multivariate=joint,
            group=joint,
            constant_liar=True,
            seed=seed,
        )

    @property
    def choice(self) -> str:
        """What it does with this recipe, in a few words."""
        if self._whole:
            return f"every point of the space, {self._size:.0f} in all"
        where = "the best results" if len(self._context.objectives) == 1 else "the Pareto front"
        return f"TPE and steps from {where}, no point twice"

    def ask(self) -> Proposal | Wait | Exhausted:
        if len(self._known) >= self._size:
            return Exhausted()
        rng = random.Random(f"{self._seed()}/{len(self._known)}")
        point = self._propose(rng)
        if point is None:
            return Exhausted()
        self._known.add(_key(point))
        return Proposal(point)

    def _propose(self, rng: random.Random) -> Point | None:
        if self._whole or len(self._results) < self.options.n_startup_trials:
            point = self._draw(rng)
        elif rng.random() < self.options.steps:
            point = self._step(rng) or self._draw(rng)
        else:
            proposed, trial = self._ask()
            if _key(proposed) not in self._known:
                self._running.append((proposed, trial.number))
                return proposed
            self._drop(trial.number)
            point = self._step(rng) or self._draw(rng)
        if point is not None:
            self._note_running(point)
        return point

    def _step(self, rng: random.Random) -> Point | None:
        """A new point one decision away from a best result; more decisions where none is left."""
        if not self._results:
            return None
        for attempt in range(TRIES):
            count = 1 + 3 * attempt // TRIES
            point = mutate(self._context.space, self._elect(rng), rng, count)
            if _key(point) not in self._known:
                return point
        return None

    def _elect(self, rng: random.Random) -> Point:
        if len(self._context.objectives) > 1:
            lonely = crowding([scores for _, scores in self._front])
            two = rng.choices(range(len(self._front)), k=2)
            return self._front[max(two, key=lonely.__getitem__)][0]
        return min(self._results[-WINDOW:], key=lambda result: result[1])[0]

    def _draw(self, rng: random.Random) -> Point | None:
        for _ in range(TRIES):
            point = sample(self._context.space, rng)
            if _key(point) not in self._known:
                return point
        if self._size > LISTED:
            return point
        left = [point for point in points(self._context.space) if _key(point) not in self._known]
        return rng.choice(left) if left else None

    def resume(self, trial: Trial) -> None:
        if trial.point is not None:
            self._known.add(_key(trial.point))
        super().resume(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        super().tell(trial, state, values)
        try:
            validate(self._context.space, trial.point)
        except SpaceError:
            return
        self._known.add(_key(trial.point))
        objectives = self._context.objectives
        if state is TrialState.DONE and all(
            math.isfinite(values.get(name, math.nan)) for name in objectives
        ):
            self._learn(trial.point, turned(values, objectives))

    def _learn(self, point: Point, scores: tuple[float, ...]) -> None:
        self._results.append((point, scores))
        if any(_no_worse(known, scores) for _, known in self._front):
            return
        self._front = [known for known in self._front if not _no_worse(scores, known[1])]
        self._front.append((point, scores))

    def _note_running(self, point: Point) -> None:
        """Let TPE keep away from a point it did not propose, as long as it runs."""
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        number = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(create_trial(state=OptunaState.RUNNING, **self._decided(point)))
        self._running.append((point, number))


def _no_worse(ours: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(ours, theirs, strict=True))


def _key(point: Any) -> str:
    return json.dumps(point, sort_keys=True)
