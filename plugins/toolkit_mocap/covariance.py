"""Covariance matrices of rows, projected, made definite and extended by the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def moments(rows: Array) -> tuple[Array, Array]:
    """Mean (d,) and sample covariance (d, d) of rows (frames, d)."""
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def leading_eigenvectors(matrix: Array, count: int) -> Array:
    """Eigenvectors (d, count) of a symmetric matrix (d, d), that of the largest eigenvalue last."""
    return np.linalg.eigh(matrix)[1][:, -count:]


def embed_gaussians(means: Array, covariances: Array) -> Array:
    r"""Normal distributions as SPD matrices of one row more.

    .. math:: \begin{pmatrix} C + m m^\top & m \\ m^\top & 1 \end{pmatrix}

    (Calvo and Oller, J. Multivariate Analysis 1990; Lovric, Min-Oo and Ruh, 2000)

    Parameters
    ----------
    means : (..., d)
    covariances : (..., d, d), positive definite

    Returns
    -------
    (..., d + 1, d + 1)
    """
    column = means[..., None]
    upper = np.concatenate([covariances + column @ column.swapaxes(-1, -2), column], axis=-1)
    one = np.ones((*means.shape[:-1], 1, 1))
    lower = np.concatenate([column.swapaxes(-1, -2), one], axis=-1)
    return np.concatenate([upper, lower], axis=-2)
