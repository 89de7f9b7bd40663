"""The head of the log-Euclidean-Cholesky metric of correlations."""

import torch
from torch import Tensor

from ..maps import SpdMap
from .correlation_cholesky import CorrelationCholeskyHead


class CorrelationLogCholeskyHead(CorrelationCholeskyHead):
    r"""Scores linear in the logarithm of the Cholesky factor of unit diagonal.

    :math:`\log(I + N) = \sum_{k < n} (-1)^{k+1} N^k / k`, a finite sum as N is strictly lower
    triangular (Thanwerdas and Pennec, 2022).
    """

    def chart(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to coordinates (B, C, n (n - 1) / 2)."""
        n = x.shape[-1]
        strict = self.unit_factor(x).tril(-1)
        identity = torch.eye(n, dtype=strict.dtype, device=strict.device)
        total = torch.zeros_like(strict)
        for degree in range(n - 1, 0, -1):  # Horner's scheme
            total = strict @ (identity / degree - total)
        return self.lower(total)
