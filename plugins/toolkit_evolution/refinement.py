"""Half at random, half steps from the best results, and an end when nothing is gained."""

from __future__ import annotations

import random
from statistics import fmean

from pydantic import Field, PositiveInt

from toolkit import contracts
from toolkit.contracts import Exhausted, Proposal, SearchContext, Wait
from toolkit.space import Point
from toolkit.space.variation import mutate
from toolkit_evolution.history import TreeStrategy

TRIES = 50
"""Children that may turn out to be known before a point is drawn at random."""


class Refinement(TreeStrategy):
    """Random points, then one or two decisions of one of the best exchanged; few trials are enough.

    For spaces whose evaluations are noisy and whose best points are averaged: a longer search
    raises what is measured on the validation data alone. It ends once the mean of the best
    `answer` results has not risen for some trials.
    """

    class Options(contracts.Options):
        """How the trials are shared out."""

        random: float = Field(0.5, ge=0, le=1, description="share of random trials to begin with")
        later: float = Field(0.15, ge=0, le=1, description="share of random trials after that")
        best: PositiveInt = Field(5, description="results of which one is stepped from")
        answer: PositiveInt = Field(10, description="results that are averaged in the end")
        patience: PositiveInt = Field(
            12, description="trials without a gain in the mean of these after which it ends"
        )

    def default_trials(self) -> int | None:
        """Say how many trials are enough."""
        return 30

    def setup(self, context: SearchContext) -> None:
        """Take the tree in."""
        super().setup(context)
        self._trials = context.trials or 30

    def ask(self) -> Proposal | Wait | Exhausted:
        """Propose the next point, as long as something is gained."""
        return Exhausted() if self._gains_nothing() else super().ask()

    def propose(self, rng: random.Random) -> Point | None:
        """Step from one of the best results; None for a random point."""
        options: Refinement.Options = self.options
        few = len(self.seen) < options.random * self._trials
        if few or not self.told or rng.random() < options.later:
            return None
        best = sorted(self.told, key=lambda result: result.scores)[: options.best]
        for attempt in range(TRIES):
            steps = rng.choice((1, 2)) + attempt // 10
            child = mutate(self.space, rng.choice(best).point, rng, steps)
            if child not in self.seen:
                return child
        return None

    def _gains_nothing(self) -> bool:
        options: Refinement.Options = self.options
        told, patience = self.told, options.patience
        if len(told) < max(options.random * self._trials, options.answer) + patience:
            return False
        return self._mean(len(told)) >= self._mean(len(told) - patience) - 1e-9

    def _mean(self, count: int) -> float:
        """The mean of the best of the first results; less is better."""
        first = sorted(result.scores[0] for result in self.told[:count])
        return fmean(first[: self.options.answer])
