"""Logistic regression in the tangent space: the classifier that networks have to beat."""

import math

import torch
from torch import Tensor, nn

from .functional.congruence import congruence
from .functional.spectral import LOG, add_ridge, decompose_positive, spectral


class TangentClassifier(nn.Module):
    r"""A linear map of :math:`\log(M^{-1/2} X M^{-1/2})`, M the training mean.

    Barachant et al., IEEE TBME 2012. All numbers are fitted in closed form or by a convex solver;
    none is trained by gradient steps.

    Parameters
    ----------
    channels, n, classes : int
        Shape (channels, n, n) of an input, and number of classes.
    ridge : float
        Multiple of trace * I added to each input.
    """

    def __init__(self, channels: int, n: int, classes: int, ridge: float) -> None:
        super().__init__()
        self.config = {"channels": channels, "n": n, "classes": classes, "ridge": ridge}
        self.ridge = ridge
        identity = torch.eye(n, dtype=torch.float64).repeat(channels, 1, 1)
        self.whitener = nn.Parameter(identity, requires_grad=False)
        self.linear = nn.Linear(channels * n * (n + 1) // 2, classes, dtype=torch.float64)
        self.linear.requires_grad_(False)

    def prepare(self, x: Tensor) -> Tensor:
        """Return inputs (N, n, n) or (N, channels, n, n) as (N, channels, n, n), with the ridge."""
        matrices = x.to(self.whitener.dtype)
        return add_ridge(matrices.unsqueeze(1) if matrices.dim() == 3 else matrices, self.ridge)

    def features(self, x: Tensor) -> Tensor:
        """Return tangent vectors (N, channels n (n + 1) / 2); the norm is the Frobenius norm."""
        whitened = congruence(self.whitener, self.prepare(x))
        (logarithms,) = spectral(whitened, LOG, decomposition=decompose_positive(whitened))
        n = logarithms.shape[-1]
        rows, columns = torch.triu_indices(n, n, device=x.device)
        weights = torch.where(rows == columns, 1.0, math.sqrt(2)).to(logarithms.dtype)
        return (logarithms[..., rows, columns] * weights).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of class probabilities, but for a constant (N, classes)."""
        scores: Tensor = self.linear(self.features(x))
        return scores
