"""How a pipeline learns: at once, from the whole training part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from toolkit.contracts import Learner, Splits, TaskInfo, TrialContext
from toolkit.errors import DataError, SpaceError
from toolkit.training.batches import labels_of
from toolkit.training.loop import evaluate

from .classifier import PipelineClassifier
from .design import MDM, RIDGE, Design, baseline
from .fitting import fit_means, fit_pipeline, fit_representation
from .mdm import MinimumDistance
from .taken import take

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from .representation import Given, Representation


class FittedLearner(Learner):
    """A model that is fitted in closed form or by convex solvers: epochs mean nothing to it."""

    weighs_classes = False
    representation: Representation

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Fit it to the training part; return the metrics on the validation part."""
        self.model.to(trial.device).eval()
        labels = self.labels_of(trial.splits.train, trial.device)
        given = take(self.representation, trial.splits.train, trial.device)
        self.fit_to(given, labels, trial.splits)
        return evaluate(self, trial.splits.val, trial.task, trial.device)

    def labels_of(self, part: Dataset[Any], device: torch.device) -> Tensor:
        """Return the labels (N,) of a training part, of two classes at least."""
        labels = labels_of(part).to(device)
        if len(labels.unique()) < 2:
            raise DataError("All training samples are of one class; two at least are needed.")
        return labels

    @abstractmethod
    def fit_to(self, given: Given, labels: Tensor, splits: Splits) -> None:
        """Fit the model to what it takes of inputs, and labels (N,), all of the training part."""


class PipelineLearner(FittedLearner):
    """Preparation, representation and classifier of a design."""

    def __init__(self, design: Design, task: TaskInfo) -> None:
        self.classifier = design.module(task)
        super().__init__(self.classifier)
        self.design, self.representation = design, self.classifier.representation
        self.transductive = self.representation.transductive

    def fit_to(self, given: Given, labels: Tensor, splits: Splits) -> None:
        """Fit the pipeline; folds of its own keep groups together."""
        design = self.design
        fit_pipeline(
            self.classifier,
            given,
            labels,
            design.families,
            design.mean,
            design.standardize,
            splits.groups,
        )

    def cross_fit(self, trial: TrialContext, folds: Sequence[Splits]) -> list[Tensor]:
        """Return scores of the samples held out of each fold, by the candidate that is best.

        All candidates are fitted on each fold, and one is chosen for all folds.
        """
        from .selection import VectorFold, judge_folds

        self.model.to(trial.device).eval()
        found = []
        for splits in folds:
            labels = self.labels_of(splits.train, trial.device)
            given = take(self.representation, splits.train, trial.device)
            design = self.design
            vectors = fit_representation(
                self.representation, given, design.mean, design.standardize
            )
            with torch.inference_mode():
                own = take(self.representation, splits.val, trial.device)
                held_out = self.representation.of_given(own)
            arrays = (vectors, labels, held_out, labels_of(splits.val))
            found.append(VectorFold(*(array.cpu().numpy() for array in arrays)))
        _, scores = judge_folds(found, self.classifier.classes, self.design.families)
        return [torch.from_numpy(own) for own in scores]


class MinimumDistanceLearner(FittedLearner):
    """Least distance to the class means."""

    def __init__(self, task: TaskInfo, ridge: float) -> None:
        spec = Design.of(baseline(MDM, ridge, task)).spec(task)
        self.classifier = MinimumDistance(spec, task.classes)
        super().__init__(self.classifier)
        self.representation = self.classifier.representation

    def fit_to(self, given: Given, labels: Tensor, splits: Splits) -> None:
        """Fit the means."""
        fit_means(self.classifier, given, labels)


class RidgeLearner(FittedLearner):
    """Ridge regression of values in the tangent space at the Karcher mean.

    The manifold regression of Sabbagh et al. (NeurIPS 2019), its penalty chosen by leaving one
    training sample out in closed form.
    """

    def __init__(self, task: TaskInfo, ridge: float) -> None:
        self.design = Design.of(baseline(RIDGE, ridge, task))
        self.classifier = PipelineClassifier(self.design.spec(task), task.width)
        super().__init__(self.classifier)
        self.representation = self.classifier.representation

    def labels_of(self, part: Dataset[Any], device: torch.device) -> Tensor:
        """Return the targets (N,) of a training part."""
        return labels_of(part).to(device)

    @torch.no_grad()
    def fit_to(self, given: Given, labels: Tensor, splits: Splits) -> None:
        """Fit the tangent point, and the regression."""
        from sklearn.linear_model import RidgeCV

        design, model = self.design, self.classifier
        vectors = fit_representation(self.representation, given, design.mean, design.standardize)
        # The vectors' mean squared length is 1, whatever the data.
        found = RidgeCV(alphas=np.logspace(-6, 3, 37)).fit(vectors.cpu(), labels.cpu())
        model.weight.copy_(torch.as_tensor(found.coef_).reshape(model.weight.shape))
        model.bias.fill_(float(found.intercept_))
        model.sharpness.fill_(1.0)


def baseline_learner(name: str, task: TaskInfo, ridge: float) -> FittedLearner:
    """Return one of `toolkit_spd.pipeline.design.BASELINES` as it learns, or `RIDGE`.

    Raises
    ------
    SpaceError
        If it tells classes apart and the task's targets are values, or the other way round.
    """
    if (name == RIDGE) != (task.outputs == "values"):
        raise SpaceError(f"{name} does not give {task.outputs}, which the task judges.")
    if name == RIDGE:
        return RidgeLearner(task, ridge)
    if name == MDM:
        return MinimumDistanceLearner(task, ridge)
    return PipelineLearner(Design.of(baseline(name, ridge, task)), task)
