"""The head of the Euclidean-Cholesky metric of correlations."""

from typing import ClassVar

from torch import Tensor

from ..maps import SpdMap
from .chart import ChartHead, cholesky_factor


class CorrelationCholeskyHead(ChartHead):
    r"""Scores linear in the Cholesky factor with its rows divided by their diagonal entries.

    The strict lower part of :math:`\operatorname{diag}(L)^{-1} L`, L the factor of the correlation
    matrix: the Euclidean-Cholesky metric of Thanwerdas and Pennec (SIAM J. Matrix Anal. Appl.
    2022), which CorNet takes. Row by row a positive scale cancels, so that the factor of the
    covariance gives the same: scores do not change under :math:`S \mapsto D S D` with D diagonal.
    """

    keeps_diagonal: ClassVar[bool] = False

    def unit_factor(self, x: SpdMap) -> Tensor:
        """Return the factors of unit diagonal (B, C, n, n)."""
        lower = cholesky_factor(x)
        return lower / lower.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)

    def chart(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to coordinates (B, C, n (n - 1) / 2)."""
        return self.lower(self.unit_factor(x))
