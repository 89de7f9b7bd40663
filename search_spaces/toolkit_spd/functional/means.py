r"""Means of SPD matrices under the affine-invariant and the log-Euclidean metric.

The weighted Fréchet mean is approximated by Karcher steps from the arithmetic mean
:math:`G_0 = \sum_i w_i X_i`:

.. math::
    G \leftarrow G^{1/2} \exp\Bigl(\sum_i w_i \log(G^{-1/2} X_i G^{-1/2})\Bigr) G^{1/2}.

One step is what the published networks use. The Cholesky factor of :math:`G` stands in for both
roots: the metric is affine-invariant, so that any :math:`F F^\top = G` gives the same step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .congruence import congruence
from .karcher import cholesky, invert_lower, karcher_step
from .spectral import (
    EXP,
    INVERSE_SQRT,
    LOG,
    SQRT,
    ScalarFunction,
    decompose_positive,
    power_function,
    spectral,
)


def geodesic(a: Tensor, b: Tensor, t: float) -> Tensor:
    r"""Return :math:`A^{1/2} (A^{-1/2} B A^{-1/2})^t A^{1/2}` for SPD (..., n, n).

    Computed with the Cholesky factor in place of the root: the metric is affine-invariant, so
    that every factor :math:`F F^\top = A` gives the same point, and one eigendecomposition a pair
    is enough. NaN where A is not positive definite.
    """
    lower = cholesky(a)
    half = torch.linalg.solve_triangular(lower, b, upper=False)
    whitened = torch.linalg.solve_triangular(lower, half.mT, upper=False)
    function = SQRT if t == 0.5 else power_function(t)
    return congruence(lower, _positive_spectral(whitened, function))


def _positive_spectral(x: Tensor, function: ScalarFunction) -> Tensor:
    return spectral(x, function, decomposition=decompose_positive(x))[0]


def distance(a: Tensor, b: Tensor) -> Tensor:
    r"""Return the affine-invariant distance :math:`\|\log(A^{-1/2} B A^{-1/2})\|_F`, (...)."""
    (root,) = spectral(a, INVERSE_SQRT)
    (logarithm,) = spectral(congruence(root, b), LOG)
    return torch.linalg.matrix_norm(logarithm)


def parallel_transport(tangent: Tensor, start: Tensor, end: Tensor) -> Tensor:
    r"""Transport a tangent vector V along the geodesic from P to Q.

    :math:`E V E^\top` with :math:`E = (Q P^{-1})^{1/2}` (Sra and Hosseini, 2015, eq. 3.4). All
    arguments are (..., n, n): `tangent` at P = `start`; the result is at Q = `end`.
    """
    root, inverse_root = spectral(start, SQRT, INVERSE_SQRT)
    (middle,) = spectral(congruence(inverse_root, end), SQRT)
    return congruence(root @ middle @ inverse_root, tangent)


def whitening(g: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return :math:`F` and :math:`F^{-1}` with :math:`F F^\top = G`, both (..., n, n).

    NaN where :math:`G` is not positive definite.
    """
    lower = cholesky(g)
    return lower, invert_lower(lower)


def frechet_mean(x: Tensor, weights: Tensor | None = None, steps: int = 1) -> Tensor:
    r"""Return the affine-invariant weighted mean over the axis before the matrix.

    Parameters
    ----------
    x : Tensor
        SPD matrices (..., k, n, n).
    weights : Tensor, optional
        (..., k), broadcast against the leading axes; non-negative, of sum one. Uniform if absent.
    steps : int
        Karcher steps. 0 gives the arithmetic mean.

    Notes
    -----
    Two points of equal weight take one decomposition: after whitening by their arithmetic mean
    they commute, so that one Karcher step lands on the exact mean, the middle of the geodesic.
    """
    if weights is None and x.shape[-3] == 2 and steps > 0:
        return geodesic(x[..., 0, :, :], x[..., 1, :, :], 0.5)
    if steps == 0:
        return _weighted_sum(x, weights)
    mean = karcher_step(x, weights=weights)
    for _ in range(steps - 1):
        mean = karcher_step(x, mean, weights)
    return mean


def _weighted_sum(x: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return x.mean(-3)
    return torch.einsum("...k,...kij->...ij", weights, x)


def grouped_frechet_mean(
    terms: Tensor, weights: Tensor, counts: Sequence[int], steps: int = 1
) -> Tensor:
    r"""Return several weighted means at once, each over its own terms.

    Parameters
    ----------
    terms : Tensor
        SPD matrices (T, ..., n, n), those of the first group first, and so on.
    weights : Tensor
        (T,), of sum one over each group.
    counts : sequence of int
        Terms of each of the G groups, of sum T.
    steps : int
        Karcher steps.

    Returns
    -------
    Tensor
        (G, ..., n, n).
    """
    matrix = torch.block_diag(*weights.split(list(counts)))
    mean = torch.tensordot(matrix, terms, 1)
    for _ in range(steps):
        factor, inverse = whitening(mean)
        each = zip(inverse.unbind(), counts, strict=True)
        own = torch.cat([one.expand(count, *one.shape) for one, count in each])
        logarithms = _positive_spectral(congruence(own, terms), LOG)
        (step,) = spectral(torch.tensordot(matrix, logarithms, 1), EXP)
        mean = congruence(factor, step)
    return mean


def log_euclidean_mean(x: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Return :math:`\exp(\sum_i w_i \log X_i)` over the axis before the matrix (Arsigny, 2007)."""
    (logarithms,) = spectral(x, LOG)
    return spectral(_weighted_sum(logarithms, weights), EXP)[0]
