"""Arrays of symmetric matrices for task plugins that make covariances.

Import this inside functions: it imports NumPy, which `import toolkit` must not.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Embedding = Literal["real_part", "real_embedding"]
SMALLEST_SCALE = 1e-2
"""Mean eigenvalue below which thresholds of networks (1e-4 for ReEig) are no longer small."""
_OPERATIONS = 2e8
"""Bound on the eigendecompositions of a look at some matrices, in cubes of their size."""


def real_form(matrices: NDArray[Any], embedding: Embedding) -> NDArray[np.float64]:
    r"""Real symmetric form of symmetric or Hermitian matrices (..., n, n).

    .. math:: A + iB \mapsto A \quad\text{or}\quad
              \begin{pmatrix} A & -B \\ B & A \end{pmatrix}

    Both are positive definite with A + iB; the second, (..., 2n, 2n), has each of its eigenvalues
    twice and loses nothing. Real matrices are only symmetrised.
    """
    real = np.asarray(matrices.real, np.float64)
    real = (real + real.swapaxes(-1, -2)) / 2
    if embedding == "real_part" or not np.iscomplexobj(matrices):
        return real
    imaginary = np.asarray(matrices.imag, np.float64)
    imaginary = (imaginary - imaginary.swapaxes(-1, -2)) / 2
    top = np.concatenate([real, -imaginary], axis=-1)
    return np.concatenate([top, np.concatenate([imaginary, real], axis=-1)], axis=-2)


def add_ridge(matrices: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Add `ridge` times the mean eigenvalue (trace / n) to the diagonal of (..., n, n)."""
    return matrices + ridge * mean_eigenvalue(matrices) * np.eye(matrices.shape[-1])


def mean_eigenvalue(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trace over size, (..., 1, 1)."""
    mean: NDArray[np.float64] = np.trace(matrices, axis1=-2, axis2=-1) / matrices.shape[-1]
    return mean[..., None, None]


def block_diagonal(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Matrices (..., n_k, n_k) along the diagonal of larger ones (..., sum n_k, sum n_k)."""
    size = sum(part.shape[-1] for part in parts)
    joined = np.zeros((*parts[0].shape[:-2], size, size))
    start = 0
    for part in parts:
        stop = start + part.shape[-1]
        joined[..., start:stop, start:stop] = part
        start = stop
    return joined


def how_many(size: int) -> int:
    """How many matrices of a size a look at some of them may decompose."""
    return int(np.clip(_OPERATIONS / size**3, 4, 64))


def warn_of_rank(
    matrices: NDArray[np.float64], what: str, ridge: float, rounding: float = 0.0, why: str = ""
) -> list[str]:
    """Warns of matrices whose rank is hidden by a ridge, this one or one they came with.

    Parameters
    ----------
    matrices : (N, C, n, n), before the ridge
    what : what they are, in the warning
    ridge : the ridge to come, as a fraction of the mean eigenvalue
    rounding : relative error of an entry, if more than that of double precision
    why : usual reason, as the end of a sentence
    """
    size = matrices.shape[-1]
    values = np.linalg.eigvalsh(matrices).reshape(-1, size)
    tolerance = max(rounding, float(np.finfo(np.float64).eps))
    ranks = (values > size * tolerance * np.abs(values).max(-1, keepdims=True)).sum(-1)
    short = ranks[ranks < size]
    if ridge and len(short):
        return [
            f"{len(short)} of the {len(ranks)} {what} looked at have rank {span(short)} of"
            f" {size}{why}. The ridge ({ridge:g}) fills the rest, which the data say nothing of."
        ]
    # A ridge of before: the smallest eigenvalues are one and the same, far below all others (of a
    # real embedding, each is there twice anyway).
    floor = values[:, :1]
    level = (values <= floor * (1 + 1e-6)).sum(-1)
    above = np.take_along_axis(values, np.minimum(level, size - 1)[:, None], -1)[:, 0]
    filled = (level > 2) & (level < size) & (floor[:, 0] > 0) & (above > 10 * floor[:, 0])
    if not filled.any():
        return []
    return [
        f"{filled.sum()} of the {len(values)} {what} looked at have {span(level[filled])} of {size}"
        f" eigenvalues in common, {floor[filled].max():.2g} at most: a ridge that was added to"
        f" matrices of rank {span(size - level[filled])}. The data say nothing of the rest."
    ]


def warn_of_scale(matrices: NDArray[np.float64], scale: str) -> list[str]:
    """Warns of matrices that are too small, as they come, for thresholds of networks."""
    mean = float(mean_eigenvalue(matrices).mean())
    if scale != "none" or mean >= SMALLEST_SCALE:
        return []
    return [
        f"scale: none leaves the matrices a mean eigenvalue of {mean:.2g}, and networks raise"
        " eigenvalues to thresholds such as 1e-4: little or nothing of the data may be left."
        " Choose another scale, or give the data in a larger unit."
    ]


def span(values: NDArray[Any]) -> str:
    """Smallest and largest value, in words."""
    low, high = values.min(), values.max()
    return f"{low}" if low == high else f"{low} to {high}"
