"""What heads of flat metrics share: a chart, and linear scores in it."""

from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..functional.karcher import cholesky
from ..maps import SpdMap

_SMALLEST = 16
"""Smallest eigenvalue before a Cholesky factor, in rounding errors of the mean eigenvalue."""


class ChartHead(nn.Module):
    r"""Riemannian logistic regression under a metric that a chart makes Euclidean.

    For a metric pulled back from a vector space by a chart :math:`\varphi`, the score of a class,
    :math:`\langle \operatorname{Log}_P S, A \rangle_P` (Chen et al., CVPR 2024 and NeurIPS 2024),
    is :math:`\langle \varphi(S) - \varphi(P), \tilde A \rangle`, linear in the chart. Its bias is
    free here. The chart gives the lower triangle, in coordinates in which the metric is the plain
    inner product, and is zero at the identity.

    Parameters
    ----------
    channels, n, classes : int
        Shape of the map and number of classes.
    """

    rows: Tensor
    columns: Tensor
    on_diagonal: Tensor
    keeps_diagonal: ClassVar[bool] = True

    def __init__(self, channels: int, n: int, classes: int) -> None:
        super().__init__()
        rows, columns = torch.tril_indices(n, n, 0 if self.keeps_diagonal else -1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("on_diagonal", rows == columns, persistent=False)
        self.linear = nn.Linear(channels * len(rows), classes, dtype=torch.float64)

    def chart(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to coordinates (B, C, d)."""
        raise NotImplementedError

    def lower(self, x: Tensor) -> Tensor:
        """Return the lower triangles (..., d) of (..., n, n)."""
        return x[..., self.rows, self.columns]

    def forward(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to scores (B, classes)."""
        return cast(Tensor, self.linear(self.chart(x).flatten(1)))


def cholesky_factor(x: SpdMap) -> Tensor:
    """Return the lower Cholesky factors of a map (B, C, n, n), also of matrices without full rank.

    Eigenvalues below the precision of the numbers are raised to it.
    """
    smallest = _SMALLEST * x.shape[-1] * torch.finfo(x.base.dtype).eps
    return cholesky(x.rectified(smallest, relative=True).matrix)
