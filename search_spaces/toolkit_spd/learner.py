"""How SPD networks learn: cross-entropy, with a Riemannian optimiser."""

from collections.abc import Iterable

import torch
from torch import nn

from toolkit.contracts import Learner, Train, TrialContext
from toolkit.errors import DataError
from toolkit.training.batches import fetch, in_order, length
from toolkit.training.loop import evaluate

from .optim import RiemannianAdam, RiemannianSGD
from .regression import fit_tangent
from .tangent import TangentClassifier


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], train: Train, lr: float
) -> torch.optim.Optimizer:
    """Return Riemannian `adam` or `sgd`; weight decay applies to Euclidean parameters only.

    The learning rate is `lr` where the recipe gives none.
    """
    rate = lr if train.lr is None else train.lr
    if name == "sgd":
        return RiemannianSGD(parameters, lr=rate, weight_decay=train.weight_decay)
    return RiemannianAdam(parameters, lr=rate, weight_decay=train.weight_decay)


class SpdLearner(Learner):
    """A network whose parameters live on manifolds.

    Parameters
    ----------
    model : Module
        The network.
    lr : float
        Learning rate to use where the recipe gives none.
    optimizer : str
        `adam` or `sgd`.
    """

    def __init__(self, model: nn.Module, lr: float, optimizer: str = "adam") -> None:
        super().__init__(model, lr=lr)
        self.optimizer_name = optimizer

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Return the Riemannian optimiser."""
        return make_optimizer(self.optimizer_name, self.model.parameters(), train, self.lr)


class TangentLearner(Learner):
    """Logistic regression in the tangent space, fitted at once: epochs mean nothing to it."""

    def __init__(self, model: TangentClassifier) -> None:
        super().__init__(model)
        self.classifier = model

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Fit it to the training part; return the metrics on the validation part."""
        train = trial.splits.train
        self.classifier.to(trial.device).eval()
        batches = fetch(train, in_order(length(train), 1024), trial.device)
        inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        if len(labels.unique()) < 2:
            raise DataError("All training samples are of one class; two at least are needed.")
        fit_tangent(self.classifier, inputs, labels)
        return evaluate(self, trial.splits.val, trial.task, trial.device)
