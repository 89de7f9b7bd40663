"""Products W^T X W of symmetric matrices, the only linear maps between SPD cones used here."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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


class SharedCongruence(torch.autograd.Function):
    """Products F X F^T of G groups of N symmetric matrices, one factor for each group."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, x: Tensor) -> Tensor:
        groups, count, n, _ = x.shape
        m = factor.shape[-2]
        half = factor.unsqueeze(1) @ x
        ctx.save_for_backward(factor, half)
        return torch.bmm(half.view(groups, count * m, n), factor.mT).view(groups, count, m, m)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        factor, half = ctx.saved_tensors
        groups, count, m, n = half.shape
        # Twice the symmetric part of the gradient, which is all that a symmetric result has.
        doubled = gradient + gradient.mT
        tall = doubled.view(groups, count * m, m)
        by_factor = torch.bmm(tall.mT, half.view(groups, count * m, n))
        if not ctx.needs_input_grad[1]:
            return by_factor, None
        by_half = torch.bmm(tall, factor / 2).view(groups, count, m, n)
        # As in `karcher`, the result goes where something has served.
        spent = doubled if m == n else None
        return by_factor, torch.matmul(factor.mT.unsqueeze(1), by_half, out=spent)


def shared_congruence(factor: Tensor, x: Tensor) -> Tensor:
    r"""Return :math:`F_g X_{gi} F_g^\top` for factors (G, m, n) and symmetric (G, N, n, n).

    As `congruence`, with a backward that sums over i inside one product.
    """
    found: Tensor = SharedCongruence.apply(factor, x)
    return found
