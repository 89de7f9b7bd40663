"""The contract of tasks of classification: which metrics there are, and how a recipe asks for them.

Imports nothing heavy: the metrics themselves are in `toolkit.datasets.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from toolkit.base.spelling import did_you_mean
from toolkit.contracts.common import Direction, Options
from toolkit.contracts.tasks import Task

if TYPE_CHECKING:
    import torch

ALWAYS: Mapping[str, Direction] = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "loss": "minimize",
}
"""What is measured of every classifier, whatever the recipe asks for."""
METRICS: Mapping[str, Direction] = {
    **ALWAYS,
    "macro_f1": "maximize",
    "kappa": "maximize",
    "auroc": "maximize",
    "log_loss": "minimize",
    "brier": "minimize",
}
"""Every metric that a recipe may name under `task.metrics`, with its direction."""


def known_metric(name: str, known: Mapping[str, Direction]) -> str:
    """Returns the name of a metric.

    Raises:
        ValueError: it is none of those that are known.
    """
    if name not in known:
        near = did_you_mean(name, known)
        raise ValueError(f"{name!r} is no metric{near}; there are {', '.join(known)}")
    return name


def _known(name: str) -> str:
    return known_metric(name, METRICS)


class ClassificationOptions(Options):
    """The option that every task of classification has."""

    metrics: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        (),
        description="metrics to measure beside accuracy, balanced_accuracy and loss: macro_f1,"
        " kappa, auroc, log_loss, brier; the first is the objective where the recipe names none",
    )


class ClassificationTask(Task):
    """A task whose labels are classes; it need not write `metrics` or `directions`.

    Its `Options` are made from `ClassificationOptions`.
    """

    Options: ClassVar[type[Options]] = ClassificationOptions
    directions: Mapping[str, Direction] = ALWAYS

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.directions = {**{name: METRICS[name] for name in options.metrics}, **ALWAYS}

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Returns what the recipe asks for, and accuracy, balanced accuracy and `loss`.

        Raises:
            DataError: a metric needs two classes, and the labels are of one.
        """
        from toolkit.datasets.metrics import measure

        known = tuple(name for name in self.directions if name in METRICS)  # A task may add others.
        return measure(scores, labels, known)
