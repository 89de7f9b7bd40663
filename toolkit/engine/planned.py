"""Trials that the engine plans before a strategy proposes any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toolkit.contracts import Strategy, StrategyWrapper, Trial, TrialState


class Planned(StrategyWrapper):
    """Knows its own trials by their token, whatever engine began them; the rest is handed on.

    A subclass fills `wanted` in `setup` and proposes from it in `ask`. The strategy inside is told
    of its trials as of any that it did not propose; none is pruned.

    Args:
        inner: the strategy inside, not yet set up.
        token: the one key of its tokens, `{token: what is wanted}`.
    """

    def __init__(self, inner: Strategy, token: str) -> None:
        super().__init__(inner)
        self.token = token
        self.wanted: list[Any] = []
        """What is still to be proposed: plain JSON."""

    def planned(self, trial: Trial) -> Any:
        """What a trial of the plan was proposed for; None for any other trial."""
        if isinstance(trial.token, Mapping) and set(trial.token) == {self.token}:
            return trial.token[self.token]
        return None

    def resume(self, trial: Trial) -> None:
        if self.planned(trial) is None:
            super().resume(trial)
        else:
            self._strike(trial)

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        return self.planned(trial) is not None or super().report(trial, step, values)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if self.planned(trial) is not None:
            self._strike(trial)
            trial = replace(trial, token=None)
        super().tell(trial, state, values)

    def _strike(self, trial: Trial) -> None:
        """An earlier engine has proposed it."""
        if (planned := self.planned(trial)) in self.wanted:
            self.wanted.remove(planned)
