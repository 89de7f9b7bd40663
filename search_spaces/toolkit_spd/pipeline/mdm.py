"""The classifier of least distance to the class means, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from ..functional.congruence import congruence
from ..functional.spectral import LOG, add_ridge, decompose_positive, spectral


class MinimumDistance(nn.Module):
    r"""Minus the squared affine-invariant distance to the mean of each class.

    :math:`-\|\log(M_k^{-1/2} C M_k^{-1/2})\|_F^2`, summed over channels (Barachant et al., IEEE
    TBME 2012, algorithm 1).

    Parameters
    ----------
    channels, n, classes : int
        Shape (channels, n, n) of an input, and number of classes.
    ridge : float
        Multiple of trace / n added to the diagonal of each input.
    """

    absent: Tensor

    def __init__(self, channels: int, n: int, classes: int, ridge: float) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "n": n,
            "classes": classes,
            "ridge": ridge,
        }
        self.ridge = ridge / n
        identity = torch.eye(n, dtype=torch.float64).repeat(classes, channels, 1, 1)
        self.whiteners = nn.Parameter(identity, requires_grad=False)
        self.register_buffer("absent", torch.zeros(classes, dtype=torch.bool))

    def prepare(self, x: Tensor) -> Tensor:
        """Return inputs (N, n, n) or (N, channels, n, n) as the latter, with their ridge."""
        matrices = x.to(self.whiteners.dtype)
        return add_ridge(matrices.unsqueeze(1) if matrices.dim() == 3 else matrices, self.ridge)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs (N, n, n) or (N, channels, n, n)."""
        prepared = self.prepare(x)
        distances = [self._squared(prepared, whitener) for whitener in self.whiteners]
        scores = -torch.stack(distances, dim=1)
        return torch.where(self.absent, scores.amin() - 1000.0, scores)

    def _squared(self, x: Tensor, whitener: Tensor) -> Tensor:
        whitened = congruence(whitener, x)
        (logarithms,) = spectral(whitened, LOG, decomposition=decompose_positive(whitened))
        return logarithms.square().sum((-3, -2, -1))
