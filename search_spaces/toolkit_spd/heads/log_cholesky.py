"""The head of the log-Cholesky metric."""

import torch
from torch import Tensor

from ..maps import SpdMap
from .chart import ChartHead, cholesky_factor


class LogCholeskyHead(ChartHead):
    r"""Scores linear in the Cholesky factor's strict lower part and its diagonal's logarithm.

    The metric of Lin (SIAM J. Matrix Anal. Appl. 2019); as a head Chen et al. (CVPR 2024).
    """

    def chart(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to coordinates (B, C, n (n + 1) / 2)."""
        lower = self.lower(cholesky_factor(x))
        return torch.where(self.on_diagonal, self.scalar(lower), lower)

    def scalar(self, x: Tensor) -> Tensor:
        """Return the coordinate of each positive number; entries off the diagonal are not read."""
        # What is not read must not make gradients that are not finite.
        return torch.where(self.on_diagonal, x, 1.0).log()
