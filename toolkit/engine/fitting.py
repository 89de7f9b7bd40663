"""Points as their own values have them, behind a strategy that knows one tree for all values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from toolkit.contracts import (
    Exhausted,
    OneShotStrategy,
    Proposal,
    Strategy,
    StrategyWrapper,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine.proposals import check_proposal
from toolkit.problem import Problem
from toolkit.space import is_point

_TOKEN = "proposed"


class Fitting(StrategyWrapper):
    """Has what a strategy proposes fitted, see `Problem.fitting`, and tells it of its own points.

    The strategy knows its trials by what it proposed, in a resumed run as in an undisturbed one. Of
    a point that was changed this stands in the trial's token, beside the strategy's own.

    Args:
        inner: the recipe's strategy, not yet set up.
        problem: of the recipe.
    """

    def __init__(self, inner: Strategy, problem: Problem) -> None:
        super().__init__(inner)
        self._problem = problem

    def ask(self) -> Proposal | Wait | Exhausted:
        proposal = self.inner.ask()
        if isinstance(proposal, Wait | Exhausted):
            return proposal
        proposal = check_proposal(proposal, self._problem.recipe.strategy.name)
        if proposal.point is None or not is_point(self._problem.tree, proposal.point):
            return proposal  # It is refused where it is admitted.
        fitting = self._problem.fitting(proposal.point)
        if fitting == proposal.point:
            return proposal
        return replace(proposal, point=fitting, token={_TOKEN: [proposal.point, proposal.token]})

    def resume(self, trial: Trial) -> None:
        super().resume(_as_proposed(trial))

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        return super().report(_as_proposed(trial), step, values)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        super().tell(_as_proposed(trial), state, values)


def with_fitting(problem: Problem, strategy: Strategy) -> Strategy:
    """Returns a strategy whose points are fitted, where architectures depend on other values."""
    if isinstance(strategy, OneShotStrategy) or not problem.depends_on_values:
        return strategy
    return Fitting(strategy, problem)


def _as_proposed(trial: Trial) -> Trial:
    """A trial with the point and the token that the strategy gave it."""
    if isinstance(trial.token, Mapping) and set(trial.token) == {_TOKEN}:
        point, token = trial.token[_TOKEN]
        return replace(trial, point=point, token=token)
    return trial
