"""What a recipe and the training data say of the loss of values.

For plugin authors: `fit_targets` is stable.
"""

from __future__ import annotations

from toolkit.base.errors import DataError
from toolkit.contracts import TrialContext
from toolkit.contracts.learners import Trainable
from toolkit.training.batches import labels_of


def fit_targets(learner: Trainable, trial: TrialContext) -> None:
    """Fits `units` of a learner to the training targets, and gives it the recipe's loss.

    Nothing is done where targets are classes.

    Args:
        learner: to be trained.
        trial: its training data and training block.

    Raises:
        DataError: all training targets are the same.
    """
    if trial.info.outputs != "values":
        return
    learner.value_loss = trial.train.loss or "huber"
    if learner.units is None:
        return
    targets = labels_of(trial.splits.train)
    try:
        learner.units.fit(targets)
    except ValueError as error:
        raise DataError(
            f"All {len(targets)} training targets are {float(targets[0]):g}: there is nothing to"
            " learn.",
            hint="Look at the targets, or at how the data are divided.",
        ) from error
