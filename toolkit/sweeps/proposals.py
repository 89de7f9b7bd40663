"""What a sweep proposes: a list of configurations, or those of a strategy, each so many times."""

from __future__ import annotations

import itertools
import random
import statistics
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
from toolkit.errors import RecipeError
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
        return _repeat(Proposal(self._points[index]), index + 1, repeat, self._seed)

    def resume(self, trial: Trial) -> None:
        self._forget(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        known = (trial.token["configuration"] - 1, trial.token["repeat"])
        if known in self._open:
            self._open.remove(known)


@dataclass
class _Configuration:
    """A proposal of the inner strategy, and what has become of it."""

    proposal: Proposal
    asked: set[int] = field(default_factory=set)
    ended: dict[int, tuple[TrialState, Mapping[str, float]]] = field(default_factory=dict)
    known: bool = False
    """Whether the inner strategy has heard of it."""


class Repeated(Strategy):
    """Runs what another strategy proposes once for every seed, and tells it the means."""

    def __init__(self, inner: Strategy, repeats: int) -> None:
        super().__init__(Strategy.Options())
        self._inner, self._repeats = inner, repeats
        self._configurations: dict[int, _Configuration] = {}

    def setup(self, context: SearchContext) -> None:
        self._context = context
        trials = None if context.trials is None else context.trials // self._repeats
        self._inner.setup(replace(context, trials=trials))

    def ask(self) -> Proposal | Wait | Exhausted:
        for number, configuration in self._configurations.items():
            if not configuration.known:
                self._inner.resume(self._seen_by_inner(number))
                configuration.known = True
        for number, configuration in self._configurations.items():
            for repeat in range(self._repeats):
                if repeat not in configuration.asked:
                    configuration.asked.add(repeat)
                    return _repeat(configuration.proposal, number, repeat, self._context.seed)
        proposal = self._inner.ask()
        if not isinstance(proposal, Proposal):
            return proposal
        refuse_promotion(proposal)
        number = max(self._configurations, default=0) + 1
        self._configurations[number] = _Configuration(proposal, {0}, known=True)
        return _repeat(proposal, number, 0, self._context.seed)

    def resume(self, trial: Trial) -> None:
        self._take(trial)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        configuration = self._take(trial)
        configuration.ended[trial.token["repeat"]] = state, values
        if len(configuration.ended) == self._repeats:
            configuration.known = True
            self._inner.tell(
                self._seen_by_inner(trial.token["configuration"]), *_mean(configuration)
            )

    def _take(self, trial: Trial) -> _Configuration:
        number, inner = trial.token["configuration"], trial.token.get("inner")
        if number not in self._configurations:
            proposal = Proposal(trial.point, fidelity=trial.fidelity, token=inner)
            self._configurations[number] = _Configuration(proposal)
        configuration = self._configurations[number]
        configuration.asked.add(trial.token["repeat"])
        return configuration

    def _seen_by_inner(self, number: int) -> Trial:
        """A configuration as one trial: the inner strategy counts configurations."""
        proposal = self._configurations[number].proposal
        return Trial(
            number,
            "train",
            proposal.point,
            proposal.fidelity,
            self._context.seed,
            f"configuration {number}",
            proposal.token,
        )


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


def _repeat(proposal: Proposal, configuration: int, repeat: int, seed: int) -> Proposal:
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


def _mean(configuration: _Configuration) -> tuple[TrialState, dict[str, float]]:
    """State and mean metrics of a configuration: those of the repeats that ended well."""
    done = [values for state, values in configuration.ended.values() if state is TrialState.DONE]
    if not done:
        return next(iter(configuration.ended.values()))[0], {}
    shared = [name for name in done[0] if all(name in values for values in done)]
    return TrialState.DONE, {n: statistics.fmean(values[n] for values in done) for n in shared}
