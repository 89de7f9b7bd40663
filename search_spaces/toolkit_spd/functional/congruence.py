"""Products W^T X W of symmetric matrices, the only linear maps between SPD cones used here."""

import torch
from torch import Tensor


def bimap(x: Tensor, weight: Tensor) -> Tensor:
    r"""Bilinear map :math:`Y_o = \sum_c W_{oc}^\top X_c W_{oc}` (Huang and Van Gool, eq. 2).

    Parameters
    ----------
    x : Tensor
        Matrices (B, C, n, n).
    weight : Tensor
        Orthonormal columns (O, C, n, m).

    Returns
    -------
    Tensor
        Matrices (O, B, m, m): the output channel comes first, so that the channels of several
        maps of one input, stacked along O, can be told apart without a copy.

    Notes
    -----
    Two batched products, O(B C O n^2 m): all output channels share the first, and the sum over
    input channels is part of the second.
    """
    batch, channels, n, _ = x.shape
    outputs, m = weight.shape[0], weight.shape[-1]
    left = x.transpose(0, 1).reshape(channels, batch * n, n)
    right = weight.permute(1, 2, 0, 3).reshape(channels, n, outputs * m)
    product = torch.bmm(left, right).view(channels, batch, n, outputs, m)
    product = product.permute(3, 0, 2, 1, 4).reshape(outputs, channels * n, batch * m)
    stacked = torch.bmm(weight.reshape(outputs, channels * n, m).mT, product)
    return stacked.view(outputs, m, batch, m).transpose(1, 2)


def congruence(factor: Tensor, x: Tensor) -> Tensor:
    r"""Return :math:`F X F^\top` for (..., m, n) and (..., n, n), with broadcasting."""
    return factor @ x @ factor.mT
