"""How SPD networks learn: cross-entropy, with Riemannian Adam."""

import torch

from toolkit.contracts import Learner
from toolkit.recipe import Train

from .optim import RiemannianAdam


class SpdLearner(Learner):
    """A network whose parameters live on manifolds."""

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """Return Riemannian Adam; weight decay applies to Euclidean parameters only."""
        lr = self.lr if train.lr is None else train.lr
        return RiemannianAdam(self.model.parameters(), lr=lr, weight_decay=train.weight_decay)
