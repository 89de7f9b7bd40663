"""Strategies driven as the engine drives them, in searches that train nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.contracts import (
    Direction,
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
)
from toolkit.space import Space, point_key


def make(
    cls: type[Strategy],
    tree: Space,
    options: Mapping[str, Any] | None = None,
    objectives: Mapping[str, Direction] | None = None,
    *,
    seed: int = 0,
    trials: int | None = None,
    epochs: int | None = None,
) -> Any:
    """Makes a strategy and sets it up; to maximise `value`, unless objectives are given."""
    strategy = cls(cls.Options.model_validate(dict(options or {})))
    wanted = objectives or {"value": "maximize"}
    strategy.setup(SearchContext(tree, wanted, seed, trials, epochs))
    return strategy


def proposed(strategy: Strategy) -> Proposal:
    """Asks for a proposal, which must be one."""
    proposal = strategy.ask()
    assert isinstance(proposal, Proposal), f"{type(proposal).__name__} in place of a proposal"
    return proposal


def asked(strategy: Strategy) -> dict[str, Any]:
    """Asks for a proposal; its point."""
    point = proposed(strategy).point
    assert point is not None
    return point


def trial_of(number: int, proposal: Proposal) -> Trial:
    """The trial of a proposal, whose token has been through the ledger."""
    token = json.loads(json.dumps(proposal.token))
    return Trial(number, "train", proposal.point, proposal.fidelity, number, str(number), token)


def trial_at(number: int, point: dict[str, Any] | None) -> Trial:
    """The trial of a point."""
    return Trial(number, "train", point, {}, number, str(number))


@dataclass
class Search:
    """A search in which nothing is trained.

    Attributes:
        judge: the results of a point: one value, or some by name.
        failing: every trial of such a number fails; 0 for none.
        told: the trials that ended, as the strategy was told.
        running: those that have not.
    """

    strategy: Any
    judge: Callable[[Any], float | Mapping[str, float]]
    failing: int = 0
    told: list[tuple[Trial, TrialState, Mapping[str, float]]] = field(default_factory=list)
    running: list[Trial] = field(default_factory=list)

    def run(self, trials: int, at_once: int = 1) -> Search:
        """Asks for so many trials; where enough of them run, any one ends before the next."""
        for _ in range(trials):
            number = len(self.told) + len(self.running)
            self.running.append(trial_of(number, proposed(self.strategy)))
            if len(self.running) == at_once:
                self.end(random.Random(number).randrange(at_once))
        return self

    def end(self, position: int = 0) -> None:
        """Ends one of the running trials."""
        trial = self.running.pop(position)
        state, results = TrialState.DONE, self.judge(trial.point)
        values = results if isinstance(results, Mapping) else {"value": results}
        if self.failing and trial.number % self.failing == self.failing - 1:
            state, values = TrialState.FAILED, {}
        self.told.append((trial, state, values))
        self.strategy.tell(*self.told[-1])

    def resumed(self, strategy: Any) -> Any:
        """Tells a new strategy of all these trials, as a resumed engine does; returns it."""
        for told in self.told:
            strategy.tell(*told)
        for trial in self.running:
            strategy.resume(trial)
        return strategy

    @property
    def values(self) -> list[float]:
        """What trials that did not fail have reached, in the order of their ends."""
        return [values["value"] for _, state, values in self.told if state is TrialState.DONE]

    @property
    def points(self) -> list[dict[str, Any]]:
        """The points of the ended trials."""
        return [trial.point for trial, _, _ in self.told if trial.point is not None]


def proposals(strategy: Strategy, count: int) -> list[Any]:
    """Asks so often without an end between; the answers."""
    return [strategy.ask() for _ in range(count)]


def all_points(strategy: Strategy, judge: Callable[[Any], float] = lambda point: 1.0) -> list[str]:
    """Asks and tells until the strategy is exhausted; keys of the points, in their order."""
    keys: list[str] = []
    while not isinstance(answer := strategy.ask(), Exhausted):
        assert isinstance(answer, Proposal)
        keys.append(point_key(answer.point))
        value = {"value": judge(answer.point)}
        strategy.tell(trial_of(len(keys), answer), TrialState.DONE, value)
    return keys
