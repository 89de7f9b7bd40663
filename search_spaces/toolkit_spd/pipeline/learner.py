"""How a pipeline learns: at once, from the whole training part."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from toolkit.contracts import Learner, Splits, TaskInfo, TrialContext
from toolkit.errors import DataError, SpaceError
from toolkit.training.batches import labels_of, length
from toolkit.training.loop import evaluate

from .bimap import BiMapClassifier
from .class_tangent import ClassTangentRegression
from .classifier import PipelineClassifier
from .design import CLASS_TANGENT, MDM, MLP, PENALISED, RIDGE, Design, baseline
from .fitting import fit_means, fit_pipeline, fit_representation
from .mdm import MinimumDistance
from .taken import take
from .tangent_mlp import TangentMlp

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from .representation import Given, Representation
    from .selection import Candidate, VectorFold

_PENALTY = 100.0
"""C of a regression that no fold has chosen."""
_KEPT = 2 / 3
"""Share of a matrix's rows that a bilinear map keeps."""


class FittedLearner(Learner):
    """A model that is fitted in closed form or by convex solvers: epochs mean nothing to it."""

    weighs_classes = False
    representation: Representation
    decided: Candidate | None = None
    """Which candidate all folds together have chosen, where there are folds."""

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

    def vector_fold(
        self, splits: Splits, design: Design, device: torch.device
    ) -> tuple[VectorFold, Given, Given]:
        """Fit the representation to a fold's training part.

        Returns
        -------
        VectorFold, Given, Given
            The vectors of both parts, and what was taken of either.
        """
        from .selection import VectorFold

        labels = self.labels_of(splits.train, device)
        given = take(self.representation, splits.train, device)
        vectors = fit_representation(self.representation, given, design.mean, design.standardize)
        with torch.inference_mode():
            own = take(self.representation, splits.val, device)
            held_out = self.representation.of_given(own)
        arrays = (vectors, labels, held_out, labels_of(splits.val))
        return VectorFold(*(array.cpu().numpy() for array in arrays)), given, own

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
            self.decided,
        )

    def cross_fit(self, trial: TrialContext, folds: Sequence[Splits]) -> list[Tensor]:
        """Return scores of the samples held out of each fold, by the candidate that is best.

        All candidates are fitted on each fold, and one is chosen for all folds.
        """
        from .selection import judge_folds

        self.model.to(trial.device).eval()
        found = [self.vector_fold(splits, self.design, trial.device)[0] for splits in folds]
        classes, families = self.classifier.classes, self.design.families
        self.decided, scores, self.few_shot_accuracy = judge_folds(found, classes, families)
        return [torch.from_numpy(own) for own in scores]

    def decide(self, trial: TrialContext, folds: Sequence[Splits]) -> None:
        """Choose the candidate that `cross_fit` judges."""
        self.cross_fit(trial, folds)


class NetworkLearner(FittedLearner):
    """Representation and network of a design.

    Two of the networks have the penalty of a logistic regression, the one of three that is best on
    folds: it is found in closed form. Scores are not calibrated.
    """

    def __init__(self, design: Design, task: TaskInfo) -> None:
        self.network = make_network(design, task)
        super().__init__(self.network)
        self.design, self.representation = design, self.network.representation
        self.transductive = self.representation.transductive

    def fit_to(self, given: Given, labels: Tensor, splits: Splits) -> None:
        """Fit all of it; folds that choose the penalty keep groups together."""
        from .selection import choose

        design = self.design
        vectors = fit_representation(self.representation, given, design.mean, design.standardize)
        penalty = _PENALTY
        if design.network != MLP:
            arrays = vectors.cpu().numpy(), labels.cpu().numpy()
            classes = self.network.config["classes"]
            groups = splits.groups
            penalty = choose(*arrays, classes, (PENALISED,), groups, self.decided).value
        self._fit_network(given, vectors, labels, penalty)

    def cross_fit(self, trial: TrialContext, folds: Sequence[Splits]) -> list[Tensor]:
        """Return scores of the samples held out of each fold, with one penalty for all folds."""
        self.model.to(trial.device).eval()
        representation = self.representation
        fitted = []
        for splits in folds:
            fold, given, _ = self.vector_fold(splits, self.design, trial.device)
            weights = {name: own.clone() for name, own in representation.state_dict().items()}
            fitted.append((fold, given, weights))
        penalty = self._decided_by([fold for fold, *_ in fitted])
        scores = []
        for splits, (fold, given, weights) in zip(folds, fitted, strict=True):
            representation.load_state_dict(weights)
            vectors, labels = map(torch.from_numpy, (fold.vectors, fold.labels))
            self._fit_network(given, vectors.to(trial.device), labels.to(trial.device), penalty)
            inputs = torch.stack([splits.val[index][0] for index in range(length(splits.val))])
            with torch.inference_mode():
                scores.append(self.predict(inputs.to(trial.device)).cpu())
        return scores

    def decide(self, trial: TrialContext, folds: Sequence[Splits]) -> None:
        """Choose the penalty that `cross_fit` judges."""
        if self.design.network != MLP:
            self.model.to(trial.device).eval()
            self._decided_by(
                [self.vector_fold(splits, self.design, trial.device)[0] for splits in folds]
            )

    def _decided_by(self, folds: Sequence[VectorFold]) -> float:
        """Decide on the penalty that is best on folds, and return it."""
        from .selection import judge_folds

        if self.design.network == MLP:
            return _PENALTY
        classes = self.network.config["classes"]
        decided, *_ = judge_folds(folds, classes, (PENALISED,))
        self.decided = decided
        return decided[1]

    def _fit_network(self, given: Given, vectors: Tensor, labels: Tensor, penalty: float) -> None:
        from . import network_fitting as fitting

        network = self.network
        if isinstance(network, TangentMlp):
            fitting.fit_mlp(network, vectors, labels)
            return
        with torch.no_grad():
            matrices = self.representation.whitened(given)
        if isinstance(network, BiMapClassifier):
            fitting.fit_bimap(network, matrices, labels, penalty)
        else:
            fitting.fit_class_tangents(network, matrices, labels, penalty, self.design.power)


def make_network(
    design: Design, task: TaskInfo
) -> TangentMlp | ClassTangentRegression | BiMapClassifier:
    """Return a design's network for these data, not fitted."""
    spec = design.spec(task)
    if design.network == MLP:
        return TangentMlp(spec, task.classes)
    if design.network == CLASS_TANGENT:
        return ClassTangentRegression(spec, task.classes)
    side = spec["components"] + (spec["mean"] > 0)
    return BiMapClassifier(spec, task.classes, max(1, math.ceil(_KEPT * side)))


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


def learner_of(design: Design, task: TaskInfo) -> FittedLearner:
    """Return a design as it learns."""
    return PipelineLearner(design, task) if design.network is None else NetworkLearner(design, task)


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
