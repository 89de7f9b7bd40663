"""Strategies around another strategy."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from toolkit.contracts.strategies import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)


class StrategyWrapper(Strategy):
    """Hands everything on to the strategy inside; a subclass overrides what it does otherwise.

    Args:
        inner: the strategy inside, not yet set up.
    """

    def __init__(self, inner: Strategy) -> None:
        super().__init__(inner.options)
        self.inner = inner
        self.hears_reports = inner.hears_reports

    @property
    def replaying(self) -> bool:
        return self.inner.replaying

    @replaying.setter
    def replaying(self, value: bool) -> None:
        self.inner.replaying = value

    @property
    def choice(self) -> str:
        return self.inner.choice

    def default_trials(self) -> int | None:
        return self.inner.default_trials()

    def setup(self, context: SearchContext) -> None:
        self.inner.setup(context)

    def resume(self, trial: Trial) -> None:
        self.inner.resume(trial)

    def ask(self) -> Proposal | Wait | Exhausted:
        return self.inner.ask()

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        return self.inner.report(trial, step, values)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self.inner.tell(trial, state, values)

    def promotable(self) -> Collection[int] | None:
        return self.inner.promotable()
