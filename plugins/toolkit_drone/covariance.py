"""Covariance matrices of sliding windows over complex radar signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from toolkit.datasets.matrices import (
    Embedding,
    add_ridge,
    block_diagonal,
    mean_eigenvalue,
    real_form,
)

Scale = Literal["trace", "power", "none"]

_CHUNK = 256
"""Signals handled together: bounds the memory of the overlapping windows."""


def window_covariances(
    signals: NDArray[np.complexfloating],
    window: int | Sequence[int] = 20,
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
    window, hop : samples; of several windows, the matrices stand block by block on the diagonal
    embedding : "real_part" gives n x n, "real_embedding" 2n x 2n
    ridge : `ridge` times the mean eigenvalue is added to the diagonal
    scale : "trace" divides each matrix (each block) by its mean eigenvalue, so that neither the
        receiver's gain nor the range matters; "power" gives each signal a mean squared modulus of
        one first; "none" leaves the unit of the signals

    Returns
    -------
    (N, m, m) float64, symmetric to the last bit; m = n or 2n, n the sum of the windows

    Raises
    ------
    ValueError
        If a signal has fewer than two windows.
    """
    if not isinstance(window, int):
        blocks = [
            window_covariances(signals, each, hop, embedding, ridge, scale) for each in window
        ]
        return block_diagonal(blocks)
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
        out /= mean_eigenvalue(out)
    return add_ridge(out, ridge)


def _hermitian_covariances(
    signals: NDArray[np.complex128], window: int, hop: int
) -> NDArray[np.complex128]:
    windows = sliding_window_view(signals, window, axis=-1)[:, ::hop]
    centred = windows - windows.mean(axis=1, keepdims=True)
    count = centred.shape[1]
    return centred.swapaxes(-1, -2) @ centred.conj() / (count - 1)
