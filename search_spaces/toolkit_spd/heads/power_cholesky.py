"""The head of the power metric on the Cholesky factor's diagonal."""

from typing import ClassVar

import torch
from torch import Tensor

from .log_cholesky import LogCholeskyHead


class PowerCholeskyHead(LogCholeskyHead):
    r"""As log-Cholesky, with :math:`(d^\theta - 1) / \theta` in place of log d on the diagonal.

    The power-Cholesky metric (Chen et al., arXiv 2407.02607). At :math:`\theta = 1/2` it is the
    Bures-Wasserstein metric of positive numbers, :math:`v^2 / 4 d`, times four: one head for both.
    Coordinates grow with a root, not without bound towards singular matrices as logarithms do.
    """

    exponent: ClassVar[float] = 0.5

    def scalar(self, x: Tensor) -> Tensor:
        """Return the coordinate of each positive number; entries off the diagonal are not read."""
        positive = torch.where(self.on_diagonal, x, 1.0)
        return (positive.pow(self.exponent) - 1) / self.exponent
