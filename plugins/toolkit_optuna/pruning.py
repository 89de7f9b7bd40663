"""Early ends of trials that look bad, decided by Optuna's pruners.

The pruner looks at a study of its own, with one value a step: the first objective, a weighted sum
of all, or how many other trials dominate this one at that step. So trials with several objectives
are pruned too, which Optuna's `Trial.report` refuses.

Successive halving (`asha`) and `hyperband` here are Optuna's: each trial trains on and on, and is
ended at a rung where it is not among the best so far. So nothing is ever trained twice and there is
nothing to continue; but a trial that was ended stays so, also if it ranks well later on.
`halving.asha` and `halving.hyperband` end every trial at its rung and continue the best of them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from toolkit.analysis.pareto import dominates, turned
from toolkit.contracts import Direction, Trial, TrialState
from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class _Pruner(BaseModel):
    """What every pruner has: what it looks at where there are several objectives."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    takes_notes: ClassVar[bool] = False
    """Whether the pruner writes notes on a trial while it judges it."""

    value: Literal["first", "sum", "rank"] = Field(
        "first",
        description="what is compared with several objectives: the first, a weighted sum, or the"
        " share of trials that dominate (Fonseca and Fleming's rank)",
    )
    weights: dict[str, NonNegativeFloat] = Field(
        {}, description="weight of each objective in the sum; 1 where left out"
    )

    def build(self) -> BasePruner:
        """Make Optuna's pruner."""
        import warnings

        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return self._build(self.model_dump(exclude={"name", "value", "weights"}))

    def _build(self, options: dict[str, Any]) -> BasePruner:
        raise NotImplementedError


class Median(_Pruner):
    """Ends trials worse than the median of earlier ones at the same step."""

    name: Literal["median"]
    n_startup_trials: NonNegativeInt = Field(5, description="finished trials before any is ended")
    n_warmup_steps: NonNegativeInt = Field(0, description="steps in which no trial is ended")
    interval_steps: PositiveInt = Field(1, description="steps between checks")
    n_min_trials: PositiveInt = Field(1, description="trials that must have reported that step")

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import MedianPruner

        return MedianPruner(**options)


class Percentile(Median):
    """Keeps trials among the best `percentile` percent at the same step."""

    name: Literal["percentile"]  # type: ignore[assignment]
    percentile: float = Field(25.0, ge=0, le=100, description="percent of trials to keep")

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import PercentilePruner

        return PercentilePruner(**options)


class Asha(_Pruner):
    """Asynchronous successive halving (Li et al., MLSys 2020)."""

    takes_notes: ClassVar[bool] = True
    name: Literal["asha"]
    min_resource: PositiveInt | Literal["auto"] = Field(
        "auto", description="step of the first rung"
    )
    reduction_factor: int = Field(4, ge=2, description="one in so many is promoted")
    min_early_stopping_rate: NonNegativeInt = Field(0, description="rungs left out at the start")
    bootstrap_count: NonNegativeInt = Field(0, description="trials a rung needs before it judges")

    @model_validator(mode="after")
    def _fits(self) -> Asha:
        if self.bootstrap_count and self.min_resource == "auto":
            raise ValueError("bootstrap_count needs a number as min_resource")
        return self

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import SuccessiveHalvingPruner

        return SuccessiveHalvingPruner(**options)


class Hyperband(_Pruner):
    """Hyperband (Li et al., JMLR 2018): successive halving in several brackets."""

    takes_notes: ClassVar[bool] = True
    name: Literal["hyperband"]
    min_resource: PositiveInt = Field(1, description="step of the first rung")
    max_resource: PositiveInt | Literal["auto"] = Field("auto", description="steps of a full trial")
    reduction_factor: int = Field(3, ge=2, description="one in so many is promoted")
    bootstrap_count: NonNegativeInt = Field(0, description="trials a rung needs before it judges")

    @model_validator(mode="after")
    def _fits(self) -> Hyperband:
        if self.bootstrap_count and self.max_resource == "auto":
            raise ValueError("bootstrap_count needs a number as max_resource")
        if self.max_resource != "auto" and self.max_resource < self.min_resource:
            raise ValueError("max_resource is below min_resource")
        return self

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import HyperbandPruner

        return HyperbandPruner(**options)


class Patient(_Pruner):
    """Ends trials that fell back for some steps, or lets another pruner end only those."""

    name: Literal["patient"]
    patience: NonNegativeInt = Field(3, description="steps that a trial may stay below its best")
    min_delta: NonNegativeFloat = Field(
        0.0, description="improvement over its best that is asked of it"
    )
    wrapped: Median | Percentile | Asha | Hyperband | None = Field(
        None, discriminator="name", description="the pruner to hold back"
    )

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import PatientPruner

        wrapped = None if self.wrapped is None else self.wrapped.build()
        return PatientPruner(wrapped, self.patience, self.min_delta)


class Threshold(_Pruner):
    """Ends trials whose value leaves a range."""

    name: Literal["threshold"]
    lower: float | None = Field(None, description="least value to go on")
    upper: float | None = Field(None, description="greatest value to go on")
    n_warmup_steps: NonNegativeInt = Field(0, description="steps in which no trial is ended")
    interval_steps: PositiveInt = Field(1, description="steps between checks")

    @model_validator(mode="after")
    def _fits(self) -> Threshold:
        if self.lower is None and self.upper is None:
            raise ValueError("threshold needs lower, upper or both")
        return self

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import ThresholdPruner

        return ThresholdPruner(**options)


class Wilcoxon(_Pruner):
    """Ends trials that a signed-rank test finds worse than the best, step by step."""

    name: Literal["wilcoxon"]
    p_threshold: float = Field(0.1, ge=0, le=1, description="p-value below which a trial is ended")
    n_startup_steps: NonNegativeInt = Field(2, description="steps before the test speaks")

    def _build(self, options: dict[str, Any]) -> BasePruner:
        from optuna.pruners import WilcoxonPruner

        return WilcoxonPruner(**options)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


_AnyPruner = Annotated[
    Median | Percentile | Asha | Hyperband | Patient | Threshold | Wilcoxon,
    Field(discriminator="name"),
]
_PrunerName = Literal[
    "median", "percentile", "asha", "hyperband", "patient", "threshold", "wilcoxon"
]
PrunerOptions = Annotated[
    _AnyPruner, BeforeValidator(_named, json_schema_input_type=_AnyPruner | _PrunerName)
]
"""A pruner by its name, or `{name: ..., option: ...}`."""


class Pruning:
    """What trials reported, as a study of one value a step, and the pruner that looks at it.

    Raises:
        RecipeError: a weight names no objective.
    """

    def __init__(self, options: _Pruner, objectives: Mapping[str, Direction]) -> None:
        import optuna

        unknown = set(options.weights) - set(objectives)
        if unknown:
            raise RecipeError(
                f"pruner.weights names {', '.join(sorted(unknown))}, which is no objective.",
                hint=f"The objectives are {', '.join(objectives)}.",
            )
        self._options, self._objectives = options, objectives
        wrapped = getattr(options, "wrapped", None)
        self._takes_notes = options.takes_notes or (wrapped is not None and wrapped.takes_notes)
        self._first = next(iter(objectives))
        self._alone = options.value == "first" or len(objectives) == 1
        self._pruner = options.build()
        direction = objectives[self._first] if self._alone else "maximize"
        # The name decides the brackets of hyperband, so it must not be drawn.
        self._study = optuna.create_study(direction=direction, study_name="pruning")
        self._steps: dict[int, dict[int, tuple[float, ...]]] = {}
        self._last: dict[int, float] = {}

    def report(
        self, trial: Trial, step: int, values: Mapping[str, float], *, judge: bool = True
    ) -> bool:
        """Take one step of a trial in; whether it should go on, if it is to be judged."""
        value = self._value(trial.number, step, values)
        if value is None:
            return True
        study = self._study
        known = study.get_trials(deepcopy=False)
        for _ in range(len(known), trial.number + 1):
            # Trials stand under their own numbers, whichever of them reports first.
            study.add_trial(_blank())
        frozen = study.get_trials(deepcopy=False)[trial.number]
        if frozen.state.is_finished():
            return True
        study._storage.set_trial_intermediate_value(frozen._trial_id, step, value)
        self._last[trial.number] = value
        if not judge and not self._takes_notes:
            return True
        frozen = copy.copy(study.get_trials(deepcopy=False)[trial.number])
        # A trial that was cut short and begins again is judged by what it has reached anew.
        frozen.intermediate_values = {
            at: known for at, known in frozen.intermediate_values.items() if at <= step
        }
        return not self._pruner.prune(study, frozen)

    def end(self, trial: Trial, state: TrialState) -> None:
        """Hear that a trial ended."""
        import optuna

        last = self._last.pop(trial.number, None)
        if last is None:
            return
        if state is TrialState.DONE and math.isfinite(last):
            self._study.tell(trial.number, last)
        elif state is TrialState.PRUNED:
            self._study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _value(self, number: int, step: int, values: Mapping[str, float]) -> float | None:
        """The value to compare; None where nothing was reported to compare."""
        if self._alone:
            return _number(values[self._first]) if self._first in values else None
        known = {name: way for name, way in self._objectives.items() if name in values}
        if not known:
            return None
        reached = turned({name: _number(values[name]) for name in known}, known)
        if self._options.value == "sum":
            weights = [self._options.weights.get(name, 1.0) for name in known]
            return -sum(weight * score for weight, score in zip(weights, reached, strict=True))
        return self._rank(number, step, reached)

    def _rank(self, number: int, step: int, scores: tuple[float, ...]) -> float:
        """Minus the share of trials that dominate this one at this step, smoothed for few.

        Source: Fonseca and Fleming, ICGA 1993 (the rank that counts dominating individuals).
        """
        seen = self._steps.setdefault(step, {})
        seen[number] = scores
        others = [other for key, other in seen.items() if key != number]
        worse = sum(len(other) == len(scores) and dominates(other, scores) for other in others)
        return -(worse + 0.5) / (len(others) + 1)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _blank() -> Any:
    from optuna.trial import TrialState as OptunaState
    from optuna.trial import create_trial

    return create_trial(state=OptunaState.RUNNING)
