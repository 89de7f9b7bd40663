"""The head of the Bures-Wasserstein metric."""

from typing import cast

import torch
from torch import Tensor, nn

from ..functional.congruence import congruence
from ..functional.karcher import cholesky
from ..functional.spectral import SQRT, decompose_positive, spectral, symmetrize
from ..manifolds import SpdParameter
from ..maps import SpdMap


class BuresWassersteinHead(nn.Module):
    r"""Riemannian logistic regression under the Bures-Wasserstein metric.

    The score of a class is :math:`\langle \operatorname{Log}_P S, A \rangle_P
    = \langle (P S)^{1/2} + (S P)^{1/2} - 2 P, \mathcal L_P(A) \rangle / 2` (Chen et al., NeurIPS
    2024; Bhatia et al., 2019), summed over channels. With the factor :math:`P = L L^\top`,
    :math:`(P S)^{1/2} = L (L^\top S L)^{1/2} L^{-1}`: one root of a symmetric matrix. What is
    learned is P and the symmetric :math:`B = \mathcal L_P(A)`, the solution of
    :math:`P B + B P = A`, which any tangent vector A has; no transport is needed then.

    It takes a decomposition of each matrix for each class.

    Parameters
    ----------
    channels, n, classes : int
        Shape of the map and number of classes.
    """

    def __init__(self, channels: int, n: int, classes: int) -> None:
        super().__init__()
        identity = torch.eye(n, dtype=torch.float64).repeat(classes, channels, 1, 1)
        self.point = SpdParameter(identity)
        bound = (channels * n * n) ** -0.5  # as of a linear layer
        self.weight = nn.Parameter(bound * (2 * torch.rand_like(identity) - 1))
        self.bias = nn.Parameter(torch.zeros(classes, dtype=torch.float64))

    def forward(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to scores (B, classes)."""
        lower = cholesky(cast(Tensor, self.point))
        weight = symmetrize(self.weight)
        turned = congruence(lower.mT, x.matrix.unsqueeze(1))
        (root,) = spectral(turned, SQRT, decomposition=decompose_positive(turned))
        # <L R L^-1, B> = <R, L^T B L^-T>, so that nothing is multiplied for each sample.
        reader = lower.mT @ torch.linalg.solve_triangular(lower.mT, weight, upper=True, left=False)
        own = (self.point * weight).sum((-3, -2, -1))
        return torch.einsum("bkcij,kcij->bk", root, reader) - own + self.bias
