"""Covariance matrices of sliding windows over complex radar signals."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Embedding = Literal["real_part", "real_embedding"]
Scale = Literal["trace", "power", "none"]

_CHUNK = 256
"""Signals handled together: bounds the memory of the overlapping windows."""


def window_covariances(
    signals: NDArray[np.complexfloating],
    window: int = 20,
    hop: int = 10,
    embedding: Embedding = "real_part",
    ridge: float = 1e-5,
    scale: Scale = "trace",
) -> NDArray[np.float64]:
    r"""Covariance of the windows of every signal, as real SPD matrices.

    The T windows of a signal are the columns of F (n, T), n being `window`. After the mean
    of each row is removed,

    .. math:: \Sigma = F F^H / (T - 1) = A + iB, \qquad A = A^T,\; B = -B^T.

    The real part A is positive semi-definite since x^T A x = x^H \Sigma x for real x. The
    embedding [[A, -B], [B, A]] has every eigenvalue of \Sigma twice and loses nothing.

    Parameters
    ----------
    signals : (N, L) complex
    window, hop : samples
    embedding : "real_part" gives n x n, "real_embedding" 2n x 2n
    ridge : `ridge` times the mean eigenvalue is added to the diagonal
    scale : "trace" divides each matrix by its mean eigenvalue, so that neither the receiver's
        gain nor the range matters; "power" gives each signal a mean squared modulus of one
        first; "none" leaves the unit of the signals

    Returns
    -------
    (N, m, m) float64, symmetric to the last bit; m = n or 2n

    Raises
    ------
    ValueError
        If a signal has fewer than two windows.
    """
    if signals.shape[-1] < window + hop:
        raise ValueError(
            f"a signal of {signals.shape[-1]} samples has fewer than two windows"
            f" of {window} samples at a hop of {hop}"
        )
    size = window if embedding == "real_part" else 2 * window
    out = np.empty((len(signals), size, size))
    for start in range(0, len(signals), _CHUNK):
        chunk = np.asarray(signals[start : start + _CHUNK], np.complex128)
        if scale == "power":
            chunk = chunk / np.sqrt(np.mean(np.abs(chunk) ** 2, axis=-1, keepdims=True))
        hermitian = _hermitian_covariances(chunk, window, hop)
        out[start : start + len(chunk)] = real_form(hermitian, embedding)
    if scale == "trace":
        out /= _mean_eigenvalue(out)
    return add_ridge(out, ridge)


def real_form(matrices: NDArray[np.complexfloating], embedding: Embedding) -> NDArray[np.float64]:
    """Hermitian (..., n, n) to real symmetric, (..., n, n) or (..., 2n, 2n)."""
    real = np.asarray(matrices.real, np.float64)
    real = (real + real.swapaxes(-1, -2)) / 2
    if embedding == "real_part":
        return real
    imaginary = np.asarray(matrices.imag, np.float64)
    imaginary = (imaginary - imaginary.swapaxes(-1, -2)) / 2
    top = np.concatenate([real, -imaginary], axis=-1)
    return np.concatenate([top, np.concatenate([imaginary, real], axis=-1)], axis=-2)


def add_ridge(matrices: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Add `ridge` times the mean eigenvalue (trace / n) to the diagonal of (..., n, n)."""
    return matrices + ridge * _mean_eigenvalue(matrices) * np.eye(matrices.shape[-1])


def _mean_eigenvalue(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.trace(matrices, axis1=-2, axis2=-1) / matrices.shape[-1]
    return mean[..., None, None]


def _hermitian_covariances(
    signals: NDArray[np.complex128], window: int, hop: int
) -> NDArray[np.complex128]:
    windows = sliding_window_view(signals, window, axis=-1)[:, ::hop]
    centred = windows - windows.mean(axis=1, keepdims=True)
    count = centred.shape[1]
    return centred.swapaxes(-1, -2) @ centred.conj() / (count - 1)
