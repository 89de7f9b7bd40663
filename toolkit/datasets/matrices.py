"""Arrays of symmetric matrices for task plugins that make covariances.

Import this inside functions: it imports NumPy, which `import toolkit` must not.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Embedding = Literal["real_part", "real_embedding"]


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
