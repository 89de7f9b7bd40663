r"""Spectral functions of symmetric matrices with exact, branch-free derivatives.

For :math:`X = U \operatorname{diag}(s) U^\top` and a scalar function :math:`f`,

.. math::
    f(X) = U \operatorname{diag}(f(s)) U^\top, \qquad
    \mathrm{d}f(X) = U \bigl( L \circ (U^\top \mathrm{d}X\, U) \bigr) U^\top,

where :math:`L_{ij} = (f(s_i) - f(s_j)) / (s_i - s_j)` and :math:`L_{ii} = f'(s_i)` (Daleckii and
Krein, 1965; the Loewner matrix). Every divided difference here is a closed form that needs no
special case at :math:`s_i = s_j`, so that gradients are right at repeated eigenvalues
(:math:`X = I`) and nothing in forward or backward waits for a value on the host.

Every function reads the lower triangle only; its input is taken to be symmetric.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class ScalarFunction(NamedTuple):
    """A scalar function and its divided differences.

    Attributes
    ----------
    value : callable
        Eigenvalues (..., n) to function values (..., n).
    divided : callable
        Eigenvalues (..., n) to the Loewner matrix (..., n, n).
    """

    value: Callable[[Tensor], Tensor]
    divided: Callable[[Tensor], Tensor]


class Floor(NamedTuple):
    r"""A lower bound on eigenvalues: :math:`s \mapsto \max(s, t)`.

    Attributes
    ----------
    rate : float
        The threshold :math:`t`, or, if relative, its ratio to the mean eigenvalue
        :math:`\operatorname{tr}(X) / n`.
    relative : bool
        Whether `rate` is relative to the mean eigenvalue.
    logarithmic : bool
        Whether the eigenvalues given are logarithms of those of :math:`X`.
    """

    rate: float
    relative: bool
    logarithmic: bool


class Decomposition(NamedTuple):
    """Eigenvalues (..., n), ascending, and eigenvectors (..., n, n) in columns; no gradient."""

    values: Tensor
    vectors: Tensor


MOST_ON_CUDA = 16_384
"""Matrices in one call: an H200's cuSOLVER failed on 98,304 of 10 x 10, and not on 24,576."""


def eigendecompose_by_torch(x: Tensor, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Decompose matrices (..., n, n) by `torch.linalg.eigh`, at most so many in one call."""
    if most is None and x.is_cuda:
        most = MOST_ON_CUDA
    if most is None or x.shape[:-2].numel() <= most:
        values, vectors = torch.linalg.eigh(x)
        return values, vectors
    parts = [torch.linalg.eigh(part) for part in x.flatten(0, -3).split(most)]
    values = torch.cat([values for values, _ in parts]).reshape(x.shape[:-1])
    return values, torch.cat([vectors for _, vectors in parts]).reshape(x.shape)


eigendecompose: Callable[[Tensor], tuple[Tensor, Tensor]] = eigendecompose_by_torch
"""What decomposes matrices; `kernels.install` puts a compiled function here where it can."""


def decompose(x: Tensor) -> Decomposition:
    """Return the eigendecomposition of symmetric matrices (..., n, n), outside autograd."""
    return Decomposition(*eigendecompose(x.detach()))


def _pairs(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.unsqueeze(-1), values.unsqueeze(-2)


def _gap(a: Tensor, b: Tensor) -> Tensor:
    # A gap of zero becomes one so small that log1p(t) / t and expm1(t) / t round to exactly 1,
    # and yet large enough that neither quotient is subnormal.
    return (a - b).abs_().clamp_min_(math.sqrt(torch.finfo(a.dtype).tiny))


def _log_divided(values: Tensor) -> Tensor:
    a, b = _pairs(values)
    low = torch.minimum(a, b)
    ratio = _gap(a, b).div_(low).clamp_min_(math.sqrt(torch.finfo(values.dtype).tiny))
    return torch.log1p(ratio).div_(ratio).div_(low)


def _exp_divided(values: Tensor) -> Tensor:
    a, b = _pairs(values)
    gap = _gap(a, b).neg_()
    exponential_a, exponential_b = _pairs(values.exp())
    return torch.expm1(gap).div_(gap).mul_(torch.maximum(exponential_a, exponential_b))


def _sqrt_divided(values: Tensor) -> Tensor:
    a, b = _pairs(values.sqrt())
    return (a + b).reciprocal_()


def _inverse_sqrt_divided(values: Tensor) -> Tensor:
    a, b = _pairs(values.sqrt())
    return (a + b).mul_(a).mul_(b).reciprocal_().neg_()


def _inverse_divided(values: Tensor) -> Tensor:
    a, b = _pairs(values)
    return (a * b).reciprocal_().neg_()


def _identity_divided(values: Tensor) -> Tensor:
    return values.new_ones(1)


LARGEST = 0.45
"""Bound on exponents, in logarithms of the largest number."""

IDENTITY = ScalarFunction(lambda values: values, _identity_divided)
# Replaced by compiled ones where these are installed, as `eigendecompose` is.
log_divided: Callable[[Tensor], Tensor] = _log_divided
exp_divided: Callable[[Tensor], Tensor] = _exp_divided
LOG = ScalarFunction(torch.log, lambda values: log_divided(values))
EXP = ScalarFunction(torch.exp, lambda values: exp_divided(values))
SQRT = ScalarFunction(torch.sqrt, _sqrt_divided)
INVERSE_SQRT = ScalarFunction(torch.rsqrt, _inverse_sqrt_divided)
INVERSE = ScalarFunction(torch.reciprocal, _inverse_divided)


def power_function(exponent: float) -> ScalarFunction:
    """Return s -> s ** exponent, for positive eigenvalues."""

    def divided(values: Tensor) -> Tensor:
        a, b = _pairs(values)
        low = torch.minimum(a, b)
        ratio = _gap(a, b).div_(low).clamp_min_(math.sqrt(torch.finfo(values.dtype).tiny))
        return torch.expm1(exponent * torch.log1p(ratio)) / ratio * low.pow(exponent - 1)

    return ScalarFunction(lambda values: values.pow(exponent), divided)


def exponential(rate: float = 1.0) -> ScalarFunction:
    r"""Return :math:`s \mapsto \exp(\min(\mathrm{rate} \cdot s, b))`, which never overflows.

    The bound b is 0.45 of the logarithm of the largest number of the precision, 40 in float32 and
    319 in float64: a product of two such values and a sum of a few thousand are finite, too. Beyond
    it the gradient is that at the bound, not zero, so that training leads back what grew too large.
    """

    def bounded(values: Tensor) -> Tensor:
        grown = values if rate == 1 else rate * values
        return grown.clamp_max(LARGEST * math.log(torch.finfo(values.dtype).max))

    def divided(values: Tensor) -> Tensor:
        found = exp_divided(bounded(values))
        return found if rate == 1 else found.mul_(rate)

    return ScalarFunction(lambda values: bounded(values).exp(), divided)


def smooth_function(
    value: Callable[[Tensor], Tensor], derivative: Callable[[Tensor], Tensor]
) -> ScalarFunction:
    """Return any smooth scalar function, given its derivative.

    The divided difference is the derivative at the midpoint wherever two eigenvalues differ by
    less than eps ** (1/3) of the larger: there the quotient has lost more digits to cancellation
    than the midpoint rule, whose error is of second order in the gap.
    """

    def divided(values: Tensor) -> Tensor:
        a, b = _pairs(values)
        gap = a - b
        scale = torch.maximum(a.abs(), b.abs())
        near = gap.abs() <= torch.finfo(values.dtype).eps ** (1 / 3) * scale
        image_a, image_b = _pairs(value(values))
        quotient = (image_a - image_b) / torch.where(near, torch.ones_like(gap), gap)
        return torch.where(near, derivative((a + b) / 2), quotient)

    return ScalarFunction(value, divided)


def threshold(values: Tensor, floor: Floor) -> Tensor:
    """Return the bound (..., 1) that `floor` sets for eigenvalues (..., n)."""
    if floor.relative and floor.logarithmic:
        shift = math.log(floor.rate / values.shape[-1])
        return torch.logsumexp(values, -1, keepdim=True) + shift
    if floor.relative:
        return values.mean(-1, keepdim=True) * floor.rate
    return values.new_full((1,), math.log(floor.rate) if floor.logarithmic else floor.rate)


def _threshold_gradient(values: Tensor, floor: Floor) -> Tensor | float:
    # Derivative of a relative threshold by each eigenvalue.
    if floor.logarithmic:
        return torch.softmax(values, -1)
    return floor.rate / values.shape[-1]


def _clamp_chain(inner: Tensor, values: Tensor, clamped: Tensor, floor: Floor) -> Tensor:
    # `inner` is the Loewner product at the clamped values; multiply it by the divided differences
    # of max(s, t). A mixed pair has s_i > t >= s_j, so its quotient never divides by zero.
    bound = threshold(values, floor)
    free = values > bound
    a, b = _pairs(values)
    clamped_a, clamped_b = _pairs(clamped)
    free_a, free_b = _pairs(free)
    mixed = free_a ^ free_b
    gap = torch.where(mixed, a - b, torch.ones_like(a))
    slope = torch.where(mixed, (clamped_a - clamped_b) / gap, (free_a & free_b).to(values.dtype))
    result = inner * slope
    if floor.relative:
        held = (inner.diagonal(dim1=-2, dim2=-1) * ~free).sum(-1, keepdim=True)
        result.diagonal(dim1=-2, dim2=-1).add_(held * _threshold_gradient(values, floor))
    return result


def decompose_positive(x: Tensor) -> Decomposition:
    """Return the eigendecomposition of matrices that are SPD but for rounding.

    Rounding may leave a nearly singular matrix with an eigenvalue at or below zero, whose logarithm
    is not finite. Zero at the precision of the largest eigenvalue is as good a reading of it.
    """
    values, vectors = decompose(x)
    smallest = values[..., -1:].abs() * torch.finfo(values.dtype).eps
    return Decomposition(torch.maximum(values, smallest), vectors)


class SpectralFunction(torch.autograd.Function):
    """Several functions of one symmetric matrix from one given eigendecomposition."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        values: Tensor,
        vectors: Tensor,
        functions: tuple[ScalarFunction, ...],
        floor: Floor | None,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(values, vectors)
        ctx.functions, ctx.floor = functions, floor
        ctx.set_materialize_grads(False)
        clamped = values if floor is None else torch.maximum(values, threshold(values, floor))
        return tuple(
            (vectors * function.value(clamped).unsqueeze(-2)) @ vectors.mT for function in functions
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        values, vectors = ctx.saved_tensors
        floor = ctx.floor
        clamped = values if floor is None else torch.maximum(values, threshold(values, floor))
        inner: Tensor | None = None
        for function, gradient in zip(ctx.functions, gradients, strict=True):
            if gradient is None:
                continue
            rotated = vectors.mT @ gradient @ vectors
            term = rotated.mul_(function.divided(clamped))
            inner = term if inner is None else inner.add_(term)
        if inner is None:
            return None, None, None, None, None
        if floor is not None:
            inner = _clamp_chain(inner, values, clamped, floor)
        return vectors @ inner @ vectors.mT, None, None, None, None


def spectral(
    x: Tensor,
    *functions: ScalarFunction,
    decomposition: Decomposition | None = None,
    floor: Floor | None = None,
) -> tuple[Tensor, ...]:
    """Return one matrix (..., n, n) for each function, from one eigendecomposition of `x`.

    Parameters
    ----------
    x : Tensor
        Symmetric matrices (..., n, n).
    functions : ScalarFunction
        What to apply to the eigenvalues.
    decomposition : Decomposition, optional
        Of `x`, if it is known already.
    floor : Floor, optional
        Bound set on the eigenvalues before the functions are applied.
    """
    values, vectors = decompose(x) if decomposition is None else decomposition
    return SpectralFunction.apply(x, values, vectors, functions, floor)


def sym_log(x: Tensor) -> Tensor:
    """Return the matrix logarithm of SPD matrices (..., n, n); NaN where `x` is not SPD."""
    return spectral(x, LOG)[0]


def sym_exp(x: Tensor) -> Tensor:
    """Return the matrix exponential of symmetric matrices (..., n, n)."""
    return spectral(x, EXP)[0]


def sym_sqrt(x: Tensor) -> Tensor:
    """Return the SPD square root of SPD matrices (..., n, n)."""
    return spectral(x, SQRT)[0]


def sym_inverse_sqrt(x: Tensor) -> Tensor:
    """Return the inverse SPD square root of SPD matrices (..., n, n)."""
    return spectral(x, INVERSE_SQRT)[0]


def sym_inverse(x: Tensor) -> Tensor:
    """Return the inverse of SPD matrices (..., n, n)."""
    return spectral(x, INVERSE)[0]


def sym_power(x: Tensor, exponent: float) -> Tensor:
    """Return SPD matrices (..., n, n) to a real power."""
    return spectral(x, power_function(exponent))[0]


def rectify(x: Tensor, rate: float, relative: bool = False) -> Tensor:
    r"""Raise small eigenvalues: :math:`U \max(s, t) U^\top` (Huang and Van Gool, 2017, eq. 3).

    Parameters
    ----------
    x : Tensor
        Symmetric matrices (..., n, n).
    rate : float
        The threshold :math:`t`, or its ratio to :math:`\operatorname{tr}(X) / n`.
    relative : bool
        Which of the two. The gradient through the trace is exact.
    """
    return spectral(x, IDENTITY, floor=Floor(rate, relative, logarithmic=False))[0]


def add_ridge(x: Tensor, rate: float) -> Tensor:
    r"""Return :math:`X + \mathrm{rate} \cdot \operatorname{tr}(X) I`."""
    diagonal = x.diagonal(dim1=-2, dim2=-1)
    lifted = x.clone()
    lifted.diagonal(dim1=-2, dim2=-1).add_(rate * diagonal.sum(-1, keepdim=True))
    return lifted


def symmetrize(x: Tensor) -> Tensor:
    """Return the symmetric part of (..., n, n)."""
    return (x + x.mT) / 2
