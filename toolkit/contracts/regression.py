"""The contract of tasks whose targets may be continuous: which metrics there are of values.

Imports nothing heavy: the metrics themselves are in `toolkit.datasets.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from toolkit.contracts.classification import METRICS as OF_CLASSES
from toolkit.contracts.classification import (
    ClassificationOptions,
    ClassificationTask,
    known_metric,
)
from toolkit.contracts.common import Direction, Options
from toolkit.contracts.tasks import Task

if TYPE_CHECKING:
    import torch

OF_VALUES: Mapping[str, Direction] = {
    "r2": "maximize",
    "mae": "minimize",
    "rmse": "minimize",
    "loss": "minimize",
}
"""Every metric of values, with its direction; all are measured of every model."""


class TargetOptions(ClassificationOptions):
    """Options of a task whose labels are classes, or continuous targets where a recipe says so."""

    about_classes: ClassVar[tuple[str, ...]] = ()
    """Options that are refused beside continuous targets."""

    target: Literal["classes", "continuous"] = Field(
        "classes",
        description="what labels are: classes to tell apart, or continuous numbers to predict,"
        " standardised by the training ones and given back in their own units",
    )
    metrics: tuple[str, ...] = Field(
        (),
        description="metrics to measure beside accuracy, balanced_accuracy and loss: macro_f1,"
        " kappa, auroc, log_loss, brier; the first is the objective where the recipe names none."
        " Of continuous targets r2, mae, rmse and loss (the mean squared error) are measured, and"
        " the first named here is the objective, or else r2",
    )

    @field_validator("metrics")
    @classmethod
    def _is_metric(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_metric(name, {**OF_CLASSES, **OF_VALUES}) for name in names)

    @model_validator(mode="after")
    def _metrics_of_target(self) -> TargetOptions:
        known = OF_VALUES if self.continuous else OF_CLASSES
        for name in self.metrics:
            if name not in known:
                what = "continuous targets" if self.continuous else "classes"
                raise ValueError(
                    f"metrics names {name!r}, which is no metric of {what}; there are"
                    f" {', '.join(known)}"
                )
        return self

    @model_validator(mode="after")
    def _no_classes_of_numbers(self) -> TargetOptions:
        for name in self.about_classes if self.continuous else ():
            if getattr(self, name):
                raise ValueError(
                    f"{name} is about classes, and target is continuous, so leave {name} out"
                )
        return self

    @property
    def continuous(self) -> bool:
        """Whether targets are continuous."""
        return self.target == "continuous"


class TargetTask(ClassificationTask):
    """A task of classes, or of continuous targets where its option `target` says so.

    Its `Options` are made from `TargetOptions`; its `info` has `outputs="values"` and no classes
    where `options.continuous`, and labels are then of double precision.
    """

    Options: ClassVar[type[Options]] = TargetOptions
    options: Any

    def __init__(self, options: Any) -> None:
        if not options.continuous:
            super().__init__(options)
            return
        Task.__init__(self, options)
        first = {name: OF_VALUES[name] for name in options.metrics}
        self.directions = {**first, **OF_VALUES}

    @property
    def outputs(self) -> str:
        """What is judged, as `TaskInfo.outputs` has it."""
        return "values" if self.options.continuous else "scores"

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Returns the metrics of classes, or those of values (N, 1) against targets (N,).

        Raises:
            DataError: a metric needs two classes, and the labels are of one.
        """
        if not self.options.continuous:
            return super().metrics(scores, labels)
        from toolkit.datasets.metrics import measure_values

        return measure_values(scores, labels, tuple(self.directions))
