"""What a sweep proposes: the configurations of a grid, or random ones, each so many times."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.base.errors import RecipeError
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
from toolkit.space import Leaf, Point, Space, sample_leaf
from toolkit.sweeps.axes import Axis

_DRAWS = 100
"""Draws for each random configuration before the space counts as drawn out."""


def grid_points(tree: Space, axes: Sequence[Axis]) -> Iterator[Point]:
    """Every combination of the axes' points, the last axis fastest."""
    for values in itertools.product(*(axis.points or () for axis in axes)):
        yield _point(tree, {axis.key: v for axis, v in zip(axes, values, strict=True)})


def random_points(tree: Space, axes: Sequence[Axis], count: int, seed: int) -> list[Point]:
    """So many distinct random points, fewer if there are no more; the first do not depend on it."""
    rng = random.Random(seeds.derive(seed, "sweep"))
    found: list[Point] = []
    seen: set[str] = set()
    for _ in range(_DRAWS * count):
        if len(found) == count:
            break
        values = {axis.key: sample_leaf(axis.leaf, rng) for axis in axes}
        if repr(values) not in seen:
            seen.add(repr(values))
            found.append(_point(tree, values))
    return found


def _point(tree: Space, values: Mapping[str, Any]) -> Point:
    """The tree's point with these values; whatever else is in the tree has one value only."""
    rng = random.Random(0)

    def decide(path: str, leaf: Leaf) -> Any:
        return values[path] if path in values else sample_leaf(leaf, rng)

    return tree.walk(decide)


class Listed(Strategy):
    """Proposes the points of a list in order, each once for every seed."""

    hears_reports = False

    def __init__(self, points: Sequence[Point], repeats: int) -> None:
        super().__init__(Strategy.Options())
        self._points, self._repeats = points, repeats

    def default_trials(self) -> int:
        return len(self._points) * self._repeats

    def setup(self, context: SearchContext) -> None:
        self._seed = context.seed
        self._open = deque(itertools.product(range(len(self._points)), range(self._repeats)))

    def ask(self) -> Proposal | Wait | Exhausted:
        if not self._open:
            return Exhausted()
        index, repeat = self._open.popleft()
        return repeat_of(Proposal(self._points[index]), index + 1, repeat, self._seed)

    def resume(self, trial: Trial) -> None:
        self._forget(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        known = (trial.token["configuration"] - 1, trial.token["repeat"])
        if known in self._open:
            self._open.remove(known)


def refuse_promotion(proposal: Proposal) -> None:
    """Refuse proposals that go on with an earlier training.

    Raises:
        RecipeError: it is one.
    """
    if proposal.continues is not None:
        raise RecipeError(
            "--strategy: this strategy goes on with trainings it has begun, and repeated trials"
            " and whole runs cannot be gone on with.",
            hint="Use --seeds 1 with a fixed architecture, or another strategy, e.g. optuna.tpe.",
        )


def repeat_of(proposal: Proposal, configuration: int, repeat: int, seed: int) -> Proposal:
    """One of a configuration's trials; equal repeats share their seed, so that they are pairs."""
    token: dict[str, Any] = {"configuration": configuration, "repeat": repeat}
    if proposal.token is not None:
        token["inner"] = proposal.token
    return Proposal(
        proposal.point,
        fidelity=proposal.fidelity,
        token=token,
        seed=seeds.derive(seed, "repeat", repeat),
    )
