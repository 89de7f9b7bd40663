"""How much each class counts in the loss.

For plugin authors: `weigh_classes` is stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolkit.base.errors import RecipeError
from toolkit.contracts import TaskInfo, TrialContext
from toolkit.contracts.learners import Trainable
from toolkit.datasets.names import find_names
from toolkit.training.batches import labels_of

if TYPE_CHECKING:
    import torch


def weigh_classes(learner: Trainable, trial: TrialContext, *, must: bool = False) -> None:
    """Sets `class_weights` of a learner to what the recipe's `train.class_weight` asks for.

    Args:
        learner: to be trained.
        trial: its training data, training block and device.
        must: refuse a learner that weighs no classes; by default it is left alone.

    Raises:
        DataError: a name is no class's.
        RecipeError: see `must`.
    """
    train = trial.train
    if train.class_weight is None:
        return
    if learner.weighs_classes:
        labels = labels_of(trial.splits.train)
        learner.class_weights = _weights(train.class_weight, labels, trial.info).to(trial.device)
    elif must:
        raise RecipeError(
            f"train.class_weight: {type(learner).__name__} does not weigh classes in its loss.",
            hint="Leave it out, or search another space; task.metrics: [balanced_accuracy] judges"
            " all classes alike.",
        )


def _weights(
    wanted: str | Mapping[str, float], labels: torch.Tensor, info: TaskInfo
) -> torch.Tensor:
    import torch

    if isinstance(wanted, str):
        counts = labels.bincount(minlength=info.classes).clamp(min=1)
        return (len(labels) / (info.classes * counts)).float()
    names = info.class_names or tuple(map(str, range(info.classes)))
    weights = torch.ones(info.classes)
    for name, weight in zip(find_names(list(wanted), names, "class"), wanted.values(), strict=True):
        weights[names.index(name)] = weight
    return weights
