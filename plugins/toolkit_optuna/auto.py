"""The strategy of recipes that name none: TPE and steps from the best points, by turns."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeInt

from toolkit.analysis.pareto import crowding, no_worse, scores
from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState, Wait
from toolkit.space import Point, SeenPoints
from toolkit.space.variation import mutate
from toolkit_optuna.lean import in_pieces
from toolkit_optuna.strategy import OptunaOptions, OptunaTPE

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

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
        self._known = SeenPoints(context.space, draws=TRIES)
        self._results: deque[tuple[Point, tuple[float, ...]]] = deque(maxlen=WINDOW)
        self._reached = 0
        self._front: list[tuple[Point, tuple[float, ...]]] = []
        trials = max(context.trials or 0, self.options.n_startup_trials)
        self._whole = self._known.size <= trials

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        joint = len(self._context.objectives) == 1
        return in_pieces(
            TPESampler(
                n_startup_trials=self.options.n_startup_trials,
                multivariate=joint,
                group=joint,
                constant_liar=True,
                seed=seed,
            )
        )

    @property
    def choice(self) -> str:
        """What it does with this recipe, in a few words."""
        if self._whole:
            return f"every point of the space, {self._known.size:.0f} in all"
        where = "the best results" if len(self._context.objectives) == 1 else "the Pareto front"
        return f"TPE and steps from {where}, no point twice"

    def ask(self) -> Proposal | Wait | Exhausted:
        if self._known.exhausted:
            return Exhausted()
        rng = random.Random(f"{self._seed()}/{len(self._known)}")
        point = self._propose(rng)
        if point is None:
            return Exhausted()
        self._known.add(point)
        return Proposal(point)

    def _propose(self, rng: random.Random) -> Point | None:
        if self._whole or self._reached < self.options.n_startup_trials:
            point = self._known.draw(rng)
        elif rng.random() < self.options.steps:
            point = self._step(rng) or self._known.draw(rng)
        else:
            proposed, trial = self._ask()
            if proposed not in self._known:
                self._running.append((proposed, trial.number))
                return proposed
            self._drop(trial.number)
            point = self._step(rng) or self._known.draw(rng)
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
            if point not in self._known:
                return point
        return None

    def _elect(self, rng: random.Random) -> Point:
        if len(self._context.objectives) > 1:
            lonely = crowding([known for _, known in self._front])
            two = rng.choices(range(len(self._front)), k=2)
            return self._front[max(two, key=lonely.__getitem__)][0]
        return min(self._results, key=lambda result: result[1])[0]

    def resume(self, trial: Trial) -> None:
        if trial.point is not None:
            self._known.add(trial.point)
        super().resume(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        told = self._told
        super().tell(trial, state, values)
        if self._told == told:
            return
        self._known.add(trial.point)
        reached = scores(values, self._context.objectives)
        if state is TrialState.DONE and reached is not None:
            self._learn(trial.point, reached)

    def _learn(self, point: Point, reached: tuple[float, ...]) -> None:
        self._reached += 1
        self._results.append((point, reached))
        if any(no_worse(known, reached) for _, known in self._front):
            return
        self._front = [entry for entry in self._front if not no_worse(reached, entry[1])]
        self._front.append((point, reached))

    def _note_running(self, point: Point) -> None:
        """Let TPE keep away from a point it did not propose, as long as it runs."""
        from optuna.trial import TrialState as OptunaState
        from optuna.trial import create_trial

        number = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(create_trial(state=OptunaState.RUNNING, **self._decided(point)))
        self._running.append((point, number))
