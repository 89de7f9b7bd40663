"""Successors: points that a space makes of the best results, tried once the search has ended."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toolkit.analysis.pareto import scores
from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine import seeds
from toolkit.engine.pilot import pilot_of
from toolkit.engine.planned import Planned
from toolkit.problem import Problem
from toolkit.space import point_key

BEST = 3
"""Results whose successors are tried."""
_SHARE = 3
"""One in so many trials may be theirs."""
_TRIES = 20
_TOKEN = "successor"


class Succeeded(Planned):
    """Leaves the last trials to the successors of the best results.

    They come once the strategy inside has used up its own trials or has nothing to propose, and all
    that it proposed has ended.

    Args:
        inner: what searches, not yet set up.
        successors: makes points of one.
        each: of how many a typical point has.
    """

    def __init__(
        self,
        inner: Strategy,
        successors: Callable[[Mapping[str, Any]], Sequence[dict[str, Any]]],
        each: int,
    ) -> None:
        super().__init__(inner, _TOKEN)
        self._successors, self._each = successors, each
        self._asked = self._open = 0
        self._results: list[tuple[float, int, dict[str, Any]]] = []
        self._tried: set[str] = set()
        self._follows = False

    def default_trials(self) -> int | None:
        own = self.inner.default_trials()
        return None if own is None else own + BEST * self._each

    def setup(self, context: SearchContext) -> None:
        self._objectives, trials = context.objectives, context.trials
        self._own = None
        if trials is not None:
            self._own = trials - min(BEST * self._each, trials // _SHARE)
        super().setup(replace(context, trials=self._own))

    def resume(self, trial: Trial) -> None:
        super().resume(trial)
        if not self.planned(trial):
            self._asked, self._open = self._asked + 1, self._open + 1

    def ask(self) -> Proposal | Wait | Exhausted:
        if not self._follows:
            if self._own is None or self._asked < self._own:
                proposal = self.inner.ask()
                if isinstance(proposal, Proposal):
                    self._asked, self._open = self._asked + 1, self._open + 1
                if not isinstance(proposal, Exhausted):
                    return proposal
                if _advises_against(self.inner):
                    return proposal
            if self._open:
                return Wait()
            self._follow()
        if not self.wanted:
            return Exhausted()
        return Proposal(self.wanted.pop(0), token={_TOKEN: True})

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if self.planned(trial):
            self._strike(trial)
            return  # It is no point of what the strategy inside searches.
        if not trial.origin:
            self._open -= not self.replaying
            self._asked += self.replaying - (state is TrialState.INVALID)
        reached = scores(values, self._objectives)
        if state is TrialState.DONE and reached is not None and trial.point is not None:
            self._results.append((reached[0], trial.number, dict(trial.point)))
        super().tell(trial, state, values)

    def _follow(self) -> None:
        """Plans the successors of the best results that have any, the best one's first."""
        self._follows, bases = True, 0
        planned: dict[str, dict[str, Any]] = {}
        for _, _, point in sorted(self._results, key=lambda result: result[:2]):
            made = {point_key(each): each for each in self._successors(point)}
            if made.keys() <= planned.keys():  # There are none, or a better one has the same.
                continue
            planned |= made
            bases += 1
            if bases == BEST:
                break
        self.wanted = [each for key, each in planned.items() if key not in self._tried]

    def _strike(self, trial: Trial) -> None:
        """An earlier engine has proposed it."""
        if trial.point is not None:
            self._tried.add(point_key(trial.point))
            if trial.point in self.wanted:
                self.wanted.remove(trial.point)


def with_successors(problem: Problem, strategy: Strategy) -> Strategy:
    """Returns a strategy that ends with the successors of the best, where the space makes any."""
    if not problem.has_successors:
        return strategy
    rng = random.Random(seeds.derive(problem.recipe.train.seed, _TOKEN))
    for _ in range(_TRIES):
        if each := len(problem.successors(problem.draw(rng, problem.searched_tree))):
            return Succeeded(strategy, problem.successors, each)
    return strategy


def _advises_against(strategy: Strategy) -> bool:
    """Whether a pilot has found that no search can pay."""
    pilot = pilot_of(strategy)
    return pilot is not None and pilot.result is not None and not pilot.result.searches
