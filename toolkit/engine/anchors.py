"""Anchors: points that a space knows to be good, tried before the strategy proposes any."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from toolkit.contracts import Exhausted, Proposal, SearchContext, Strategy, Wait
from toolkit.engine import seeds
from toolkit.engine.planned import Planned
from toolkit.problem import Problem
from toolkit.space import is_point, sample

_TOKEN = "anchor"


class Anchored(Planned):
    """Proposes a space's anchors first; the strategy inside is told of them.

    Args:
        inner: what searches, not yet set up.
        points: the anchors, points of the run's tree.
    """

    def __init__(self, inner: Strategy, points: list[dict[str, Any]]) -> None:
        super().__init__(inner, _TOKEN)
        self._points = points

    def setup(self, context: SearchContext) -> None:
        most = len(self._points) if context.trials is None else context.trials // 2
        self.wanted = list(range(min(len(self._points), most)))
        super().setup(context)

    def ask(self) -> Proposal | Wait | Exhausted:
        if not self.wanted:
            return super().ask()
        number = self.wanted.pop(0)
        return Proposal(self._points[number], token={_TOKEN: number})


def is_anchor(token: Any) -> bool:
    """Says whether a trial with this token was an anchor."""
    return isinstance(token, Mapping) and set(token) == {_TOKEN}


def anchors_of(problem: Problem) -> list[dict[str, Any]]:
    """Returns a space's anchors as points of the run's tree, other searched values drawn."""
    rng = random.Random(seeds.derive(problem.recipe.train.seed, _TOKEN))
    points = []
    for architecture in problem.space().anchors(problem.info):
        point = {**sample(problem.tree, rng), "architecture": dict(architecture)}
        if is_point(problem.tree, point):
            points.append(problem.fitting(point))
    return points
