"""How SPD networks learn: cross-entropy, or a loss of values, with a Riemannian optimiser."""

from collections.abc import Iterable

import torch
from torch import nn

from toolkit.contracts import Learner, Train

from .optim import RiemannianAdam, RiemannianSGD


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
        self.units = getattr(model, "units", None)

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Return the Riemannian optimiser."""
        return make_optimizer(self.optimizer_name, self.model.parameters(), train, self.lr)
