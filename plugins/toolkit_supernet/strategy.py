"""The one-shot strategy: a differentiable search first, then what it found, as ordinary trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from toolkit import contracts
from toolkit.contracts import (
    Architecture,
    Exhausted,
    OneShotStrategy,
    Proposal,
    SearchContext,
    SupernetResult,
    Trial,
    TrialContext,
    TrialState,
    Wait,
)
from toolkit.errors import RecipeError


class SupernetStrategy(OneShotStrategy):
    """Differentiable search over any space that offers a supernet (Liu et al., DARTS, ICLR 2019).

    Its first trial learns shared weights on the training split and architecture parameters on the
    validation split, in turns; its further trials train the derived architectures.
    """

    class Options(contracts.Options):
        """How the supernet is searched."""

        order: Literal["first", "second"] = Field(
            "first", description="whether the architecture step looks one weight step ahead"
        )
        epochs: PositiveInt | None = Field(
            None, description="of the search; by default so many that they make 370 steps, 3 to 60"
        )
        warmup: NonNegativeInt | None = Field(
            None, description="first epochs with frozen architecture; by default a quarter"
        )
        batch_size: PositiveInt | None = Field(
            None, description="samples per step, of both splits; by default train.batch_size"
        )
        lr: PositiveFloat | None = Field(
            None, description="learning rate of the weights; by default the supernet's own"
        )
        schedule: Literal["cosine", "constant"] = Field(
            "cosine", description="of the weights' learning rate"
        )
        clip: PositiveFloat | None = Field(
            5.0, description="largest norm of the whole gradient of the weights"
        )
        architecture_lr: PositiveFloat = Field(
            3e-3, description="learning rate of the architecture parameters (Adam)"
        )
        architecture_betas: tuple[float, float] = Field(
            (0.5, 0.999), description="decay rates of Adam's moments"
        )
        architecture_weight_decay: NonNegativeFloat = 1e-3
        temperature: PositiveFloat | None = Field(
            None, description="what scores are divided by; below 1 sharpens. By default 1"
        )
        final_temperature: PositiveFloat | None = Field(
            None, description="of the last epoch, reached by equal ratios; by default the first's"
        )
        unrolled_lr: PositiveFloat | None = Field(
            None,
            description="second order: step looked ahead; by default the weights' present rate",
        )
        derive: PositiveInt = Field(
            1, description="architectures to train: the final one, then earlier epochs' others"
        )

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
        options: SupernetStrategy.Options = self.options
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

    def search(self, trial: TrialContext) -> SupernetResult:
        from toolkit_supernet.search import search

        options: Any = self.options
        return search(trial, options)
