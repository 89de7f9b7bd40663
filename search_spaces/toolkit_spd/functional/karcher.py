r"""One step of the Karcher flow, with a backward in closed form.

For positive definite :math:`X_i`, weights :math:`w_i` and a point :math:`G = L L^\top`,

.. math::
    \tilde X_i = L^{-1} X_i L^{-\top} = U_i \operatorname{diag}(s_i) U_i^\top, \quad
    T = \sum_i w_i \log \tilde X_i, \quad M = L \exp(T) L^\top.

With :math:`\dot E = L^\top \dot M L`, :math:`\dot T` its image under the derivative of exp at T,
and :math:`K_i = w_i\, \Lambda(s_i) \circ (U_i^\top \dot T U_i)`, :math:`\Lambda` the divided
differences of log,

.. math::
    \dot X_i = (U_i^\top L^{-1})^\top K_i (U_i^\top L^{-1}), \qquad
    \dot w_i = \langle \dot T, \log \tilde X_i \rangle, \qquad
    \dot G = L^{-\top} N L^{-1}, \quad
    N = \dot E \exp T - \sum_i U_i K_i \operatorname{diag}(s_i) U_i^\top.

M does not depend on which root of G is taken, so that N is symmetric and the derivative of the
Cholesky factor comes down to the last line. All sums over i are single products of tall matrices.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .spectral import EXP, LOG, add_ridge, decompose, decompose_positive, symmetrize


def cholesky(x: Tensor) -> Tensor:
    """Return the lower Cholesky factor of SPD (..., n, n); NaN where `x` is not SPD."""
    # The ridge is of the order of the rounding error of `x`, and keeps a matrix that is singular
    # at that precision from failing. `torch.linalg.cholesky` would stop a GPU to look for failures;
    # NaN makes the loss NaN, which whoever trains has to look at anyway.
    lower, failed = torch.linalg.cholesky_ex(add_ridge(x, 4 * torch.finfo(x.dtype).eps))
    return lower.masked_fill((failed > 0)[..., None, None], torch.nan)


def invert_lower(lower: Tensor) -> Tensor:
    """Return the inverse of lower triangular matrices (..., n, n)."""
    eye = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    return torch.linalg.solve_triangular(lower, eye, upper=False)


class KarcherStep(torch.autograd.Function):
    """The step M of the formula above, for G groups of k matrices; see `karcher_step`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, point: Tensor | None, weights: Tensor | None) -> Tensor:
        groups, k, n, _ = x.shape
        start = _arithmetic_mean(x, weights) if point is None else point
        lower = cholesky(start)
        inverse = invert_lower(lower)
        half = torch.bmm(x.reshape(groups, k * n, n), inverse.mT).view(groups, k, n, n)
        values, vectors = decompose_positive(inverse.unsqueeze(1) @ half)
        logarithms = values.log()
        scaled = logarithms / k if weights is None else logarithms * weights.unsqueeze(-1)
        rows = vectors.mT.reshape(groups, k * n, n)
        weighted = torch.mul(rows, scaled.view(groups, k * n, 1), out=half.view(groups, k * n, n))
        tangent = torch.bmm(weighted.mT, rows)
        exponents, frame = decompose(tangent)
        exponential = (frame * exponents.exp().unsqueeze(-2)) @ frame.mT
        ctx.from_mean = point is None
        matrices = x if point is None and weights is not None else None
        frames = values, vectors, exponents, frame
        ctx.save_for_backward(*frames, lower, inverse, exponential, weights, matrices)
        return lower @ exponential @ lower.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, vectors, exponents, frame, lower, inverse, exponential, weights, x = (
            ctx.saved_tensors
        )
        groups, k, n = values.shape
        rows = vectors.mT.reshape(groups, k * n, n)
        by_exponential = lower.mT @ symmetrize(gradient) @ lower
        rotated = (frame.mT @ by_exponential @ frame).mul_(EXP.divided(exponents))
        by_tangent = frame @ rotated @ frame.mT
        if weights is None:
            by_tangent.div_(k)
        # Each `out` has served before: writing to fresh memory costs a third of a product.
        half = torch.bmm(rows, by_tangent)
        inner = half.view(groups, k, n, n) @ vectors
        by_weights = None
        if weights is not None:
            by_weights = (inner.diagonal(dim1=-2, dim2=-1) * values.log()).sum(-1)
            inner.mul_(weights[..., None, None])
        divided = LOG.divided(values)
        inner.mul_(divided)
        sides = torch.bmm(rows, inverse, out=half).view(groups, k, n, n)
        products = torch.matmul(inner, sides, out=divided)
        by_matrices = torch.matmul(sides.mT, products, out=inner)
        products.mul_(values.unsqueeze(-1))
        tall = torch.bmm(rows.mT, products.view(groups, k * n, n))
        by_point = symmetrize(inverse.mT @ (exponential @ by_exponential @ inverse - tall))
        if not ctx.from_mean:
            return by_matrices, by_point, by_weights
        if weights is None:
            return by_matrices.add_(by_point.unsqueeze(1), alpha=1 / k), None, None
        by_matrices.addcmul_(weights[..., None, None], by_point.unsqueeze(1))
        by_weights = by_weights + (x * by_point.unsqueeze(1)).sum((-2, -1))
        return by_matrices, None, by_weights


def _arithmetic_mean(x: Tensor, weights: Tensor | None) -> Tensor:
    return x.mean(1) if weights is None else torch.einsum("gk,gkij->gij", weights, x)


def karcher_step(x: Tensor, point: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Take one step from a point towards the weighted Fréchet mean.

    Parameters
    ----------
    x : Tensor
        SPD matrices (..., k, n, n).
    point : Tensor, optional
        SPD matrices (..., n, n); the weighted arithmetic mean if absent.
    weights : Tensor, optional
        (..., k), of sum one; uniform if absent. Leading axes are broadcast.

    Returns
    -------
    Tensor
        (..., n, n); NaN where a point is not positive definite.
    """
    k, n = x.shape[-3:-1]
    leading = x.shape[:-3]
    if weights is not None:
        leading = torch.broadcast_shapes(leading, weights.shape[:-1])
        weights = weights.expand(*leading, k).reshape(-1, k)
    each = x.expand(*leading, k, n, n).reshape(-1, k, n, n)
    start = None if point is None else point.reshape(-1, n, n)
    found: Tensor = KarcherStep.apply(each, start, weights)
    return found.view(*leading, n, n)
