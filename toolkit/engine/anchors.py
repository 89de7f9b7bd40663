"""Anchors: points that a space knows to be good, tried before the strategy proposes any."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    StrategyWrapper,
    Trial,
    TrialState,
    Wait,
)
from toolkit.engine import seeds
from toolkit.problem import Problem
from toolkit.space import is_point, sample

_TOKEN = "anchor"


class Anchored(StrategyWrapper):
    """Proposes a space's anchors first; the strategy inside is told of them.

    Args:
        inner: what searches, not yet set up.
        points: the anchors, points of the run's tree.
    """

    def __init__(self, inner: Strategy, points: list[dict[str, Any]]) -> None:
        super().__init__(inner)
        self._points = points
        self._wanted: list[int] = []

    def setup(self, context: SearchContext) -> None:
        most = len(self._points) if context.trials is None else context.trials // 2
        self._wanted = list(range(min(len(self._points), most)))
        super().setup(context)

    def ask(self) -> Proposal | Wait | Exhausted:
        if not self._wanted:
            return super().ask()
        number = self._wanted.pop(0)
        return Proposal(self._points[number], token={_TOKEN: number})

    def resume(self, trial: Trial) -> None:
        if not self._heard(trial):
            super().resume(trial)

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        return True if _number(trial) is not None else super().report(trial, step, values)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        own = replace(trial, token=None) if self._heard(trial) else trial
        super().tell(own, state, values)

    def _heard(self, trial: Trial) -> bool:
        """Whether a trial is an anchor, which is then not proposed again."""
        number = _number(trial)
        if number in self._wanted:
            self._wanted.remove(number)
        return number is not None


def anchors_of(problem: Problem) -> list[dict[str, Any]]:
    """Returns a space's anchors as points of the run's tree, other searched values drawn."""
    rng = random.Random(seeds.derive(problem.recipe.train.seed, _TOKEN))
    points = []
    for architecture in problem.space().anchors(problem.info):
        point = {**sample(problem.tree, rng), "architecture": dict(architecture)}
        if is_point(problem.tree, point):
            points.append(point)
    return points


def _number(trial: Trial) -> int | None:
    token = trial.token
    if isinstance(token, Mapping) and set(token) == {_TOKEN}:
        return int(token[_TOKEN])
    return None
