"""Maps from R^k to weights that sum to one, over the last axis, with exact gradients.

For plugin authors: every public name is stable. Imports torch alone, so that exported models take
these maps in.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _ranks(scores: Tensor) -> Tensor:
    return torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)


class SparsemaxFunction(torch.autograd.Function):
    """Euclidean projection on the simplex; its Jacobian is diag(S) - S S^T / |S| on the support."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        shifted = scores - scores.amax(-1, keepdim=True)
        ordered = shifted.sort(-1, descending=True).values
        excess = ordered.cumsum(-1) - 1
        ranks = _ranks(scores)
        # At least one, so that NaN scores give NaN weights and no error of indexing.
        size = (ranks * ordered > excess).sum(-1, keepdim=True).clamp_min(1)
        tau = excess.gather(-1, size - 1) / size
        weights = (shifted - tau).clamp_min(0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        support = (weights > 0).to(gradient.dtype)
        mean = (gradient * support).sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        return support * (gradient - mean)


class Entmax15Function(torch.autograd.Function):
    """Entmax with alpha 1.5; its Jacobian is diag(q) - q q^T / sum(q) with q = sqrt(weights)."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        shifted = (scores - scores.amax(-1, keepdim=True)) / 2
        ordered = shifted.sort(-1, descending=True).values
        ranks = _ranks(scores)
        mean = ordered.cumsum(-1) / ranks
        variance = ordered.square().cumsum(-1) / ranks - mean.square()
        delta = ((1 - ranks * variance) / ranks).clamp_min(0)
        tau = mean - delta.sqrt()
        size = (tau <= ordered).sum(-1, keepdim=True).clamp_min(1)
        weights = (shifted - tau.gather(-1, size - 1)).clamp_min(0).square()
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        root = weights.sqrt()
        mean = (gradient * root).sum(-1, keepdim=True) / root.sum(-1, keepdim=True)
        return root * (gradient - mean)


def sparsemax(scores: Tensor) -> Tensor:
    """Return the projection of scores (..., k) on the simplex (Martins and Astudillo, 2016)."""
    return SparsemaxFunction.apply(scores)


def entmax15(scores: Tensor) -> Tensor:
    """Return the 1.5-entmax of scores (..., k), exact by sorting (Peters et al., ACL 2019)."""
    return Entmax15Function.apply(scores)


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax of scores (..., k)."""
    return torch.softmax(scores, -1)


def normalized_sigmoid(scores: Tensor) -> Tensor:
    """Return sigmoids of scores (..., k) divided by their sum, so that a mean can use them."""
    gates = torch.sigmoid(scores)
    return gates / gates.sum(-1, keepdim=True)


RELAXATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sparsemax": sparsemax,
    "softmax": softmax,
    "sigmoid": normalized_sigmoid,
    "entmax15": entmax15,
}
