"""How a pipeline learns: at once, from the whole training part."""

from abc import abstractmethod

import torch
from torch import Tensor

from toolkit.contracts import Learner, Splits, TaskInfo, TrialContext
from toolkit.errors import DataError
from toolkit.training.batches import fetch, in_order, length
from toolkit.training.loop import evaluate

from .design import MDM, Design, baseline
from .fitting import fit_means, fit_pipeline
from .mdm import MinimumDistance

_BATCH = 1024


class FittedLearner(Learner):
    """A model that is fitted in closed form or by convex solvers: epochs mean nothing to it."""

    weighs_classes = False

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Fit it to the training part; return the metrics on the validation part."""
        train = trial.splits.train
        self.model.to(trial.device).eval()
        batches = fetch(train, in_order(length(train), _BATCH), trial.device)
        inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        if len(labels.unique()) < 2:
            raise DataError("All training samples are of one class; two at least are needed.")
        self.fit_to(inputs, labels, trial.splits)
        return evaluate(self, trial.splits.val, trial.task, trial.device)

    @abstractmethod
    def fit_to(self, inputs: Tensor, labels: Tensor, splits: Splits) -> None:
        """Fit the model to inputs (N, ...) and labels (N,), all of the training part."""


class PipelineLearner(FittedLearner):
    """Preparation, representation and classifier of a design."""

    def __init__(self, design: Design, task: TaskInfo) -> None:
        self.classifier = design.module(task)
        super().__init__(self.classifier)
        self.design = design

    def fit_to(self, inputs: Tensor, labels: Tensor, splits: Splits) -> None:
        """Fit the pipeline; folds of its own keep groups together."""
        design = self.design
        fit_pipeline(
            self.classifier,
            inputs,
            labels,
            design.families,
            design.mean,
            design.standardize,
            splits.groups,
        )


class MinimumDistanceLearner(FittedLearner):
    """Least distance to the class means."""

    def __init__(self, task: TaskInfo, ridge: float) -> None:
        channels, n, _ = task.shape
        self.classifier = MinimumDistance(channels, n, task.classes, ridge)
        super().__init__(self.classifier)

    def fit_to(self, inputs: Tensor, labels: Tensor, splits: Splits) -> None:
        """Fit the means."""
        fit_means(self.classifier, inputs, labels)


def baseline_learner(name: str, task: TaskInfo, ridge: float) -> FittedLearner:
    """Return one of `toolkit_spd.pipeline.design.BASELINES` as it learns."""
    if name == MDM:
        return MinimumDistanceLearner(task, ridge)
    return PipelineLearner(Design.of(baseline(name, ridge)), task)
