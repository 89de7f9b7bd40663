"""The head of the power-Euclidean metric."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..maps import SpdMap
from .chart import ChartHead


class PowerEuclideanHead(ChartHead):
    r"""Scores linear in :math:`(S^\theta - I) / \theta`, with :math:`\theta = 1/2`.

    Dryden et al. (2010); as a head Chen et al. (NeurIPS 2024). Off-diagonal entries count
    :math:`\sqrt 2` times. As the exponent goes to zero it becomes the log-Euclidean head.
    """

    exponent: ClassVar[float] = 0.5

    def chart(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to coordinates (B, C, n (n + 1) / 2)."""
        power = self.lower(x.power(self.exponent))
        moved = torch.where(self.on_diagonal, power - 1, power * math.sqrt(2))
        return moved / self.exponent
