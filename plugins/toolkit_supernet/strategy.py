"""The one-shot strategy: a differentiable search first, then what it found, as ordinary trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from toolkit.contracts import (
    Architecture,
    Exhausted,
    OneShotStrategy,
    Proposal,
    SearchContext,
    SearchSpace,
    SupernetResult,
    Trial,
    TrialContext,
    TrialState,
    Wait,
)
from toolkit.errors import RecipeError
from toolkit_supernet.options import SupernetOptions


class SupernetStrategy(OneShotStrategy):
    """Differentiable search over any space that offers a supernet (Liu et al., DARTS, ICLR 2019).

    Its first trial learns shared weights on the training split and architecture parameters on the
    validation split, in turns; its further trials train the derived architectures.
    """

    Options = SupernetOptions
    hears_reports = False
    options: SupernetOptions

    def default_trials(self) -> int:
        """The supernet and what is derived from it."""
        return 1 + int(self.options.derive)

    def setup(self, context: SearchContext) -> None:
        others = [name for name in context.space.members if name != "architecture"]
        if others:
            raise RecipeError(
                f"strategy: supernet searches architectures, but the recipe also searches values"
                f" under {' and '.join(others)}.",
                hint="Give them fixed values, compare them by `toolkit sweep`, or use optuna.tpe.",
            )
        options = self.options
        if options.epochs is not None and (options.warmup or 0) >= options.epochs:
            raise RecipeError(
                f"strategy: {options.warmup} epochs of warmup leave none of {options.epochs}"
                " to search in.",
                hint="Give a smaller warmup or more epochs.",
            )
        self._supernet: Literal["unasked", "running", "done", "failed"] = "unasked"
        self._derived: list[Architecture] = []
        self._proposed: list[Architecture] = []

    def resume(self, trial: Trial) -> None:
        if trial.kind == "supernet":
            self._supernet = "running"
        elif trial.point is not None:
            self._proposed.append(trial.point["architecture"])

    def ask(self) -> Proposal | Wait | Exhausted:
        if self._supernet == "unasked":
            self._supernet = "running"
            return Proposal(None, kind="supernet")
        if self._supernet == "running":
            return Wait()
        for architecture in self._derived:
            if architecture not in self._proposed:
                self._proposed.append(architecture)
                return Proposal({"architecture": architecture})
        return Exhausted()

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        if trial.kind == "supernet":
            self._supernet = "done" if state is TrialState.DONE else "failed"
            self._derived = list(trial.derived) if state is TrialState.DONE else []
        elif trial.point is not None:
            self._proposed.append(trial.point["architecture"])

    def search(self, trial: TrialContext, space: SearchSpace) -> SupernetResult:
        from toolkit_supernet.search import search

        return search(trial, space, self.options)
