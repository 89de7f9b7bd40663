"""Checks on arrays of symmetric positive definite matrices, and their scale."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.matrices import mean_eigenvalue
from toolkit.errors import DataError


def are_symmetric(some: NDArray[Any]) -> bool:
    """Whether these are square matrices, symmetric or Hermitian but for rounding."""
    square = some.ndim >= 3 and some.shape[-1] == some.shape[-2]
    if not square or some.dtype.kind not in "iufc":
        return False
    some = np.nan_to_num(some)
    gap = np.abs(some - some.swapaxes(-1, -2).conj()).max(initial=0)
    return bool(gap <= 1e-3 * np.abs(some).max(initial=0))


def check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> tuple[int, int]:
    """Channels and size of matrices stored as (N, n, n) or (N, C, n, n).

    Raises
    ------
    DataError
        If they are not square matrices of numbers.
    """
    if dtype.kind not in "iufc":
        raise DataError(f"{name!r} is of type {dtype}; matrices of numbers are read.")
    if len(shape) not in (3, 4) or shape[-1] != shape[-2] or shape[-1] < 2:
        hint = "Square matrices of one size are read, (N, n, n) or (N, channels, n, n), n >= 2."
        if len(shape) == 3 and shape[0] == shape[1] > 1:
            hint += f" If samples come last, as in MATLAB, save {name}.transpose(2, 0, 1)."
        raise DataError(f"{name!r} has shape {shape}.", hint=hint)
    return (1 if len(shape) == 3 else shape[1]), shape[-1]


def check_hermitian(matrices: NDArray[Any], name: str, tolerance: float) -> None:
    """Check that (N, C, n, n) matrices are finite and equal to their conjugate transpose.

    Parameters
    ----------
    matrices : (N, C, n, n)
    name : what to call them in an error
    tolerance : largest |X - X^H| allowed, as a fraction of the largest |X|, per matrix

    Raises
    ------
    DataError
        Naming the first wrong matrix and its entries.
    """
    for sample, channel, row, column in np.argwhere(~np.isfinite(matrices))[:1]:
        raise DataError(
            f"{_matrix(matrices, sample, channel, name)} holds"
            f" {matrices[sample, channel, row, column]} at row {row}, column {column}."
        )
    gap = np.abs(matrices - matrices.swapaxes(-1, -2).conj())
    largest = np.abs(matrices).max(axis=(-1, -2), keepdims=True)
    for sample, channel in np.argwhere((gap > tolerance * largest).any(axis=(-1, -2)))[:1]:
        row, column = np.unravel_index(gap[sample, channel].argmax(), gap.shape[-2:])
        pair = matrices[sample, channel, row, column], matrices[sample, channel, column, row]
        kind = "Hermitian" if np.iscomplexobj(matrices) else "symmetric"
        raise DataError(
            f"{_matrix(matrices, sample, channel, name)} is not {kind}: entry ({row}, {column})"
            f" is {pair[0]:.6g} and entry ({column}, {row}) is {pair[1]:.6g}.",
            hint="Give covariance-like matrices, or raise symmetry_tolerance.",
        )


def check_positive_definite(matrices: NDArray[np.float64], name: str) -> None:
    """Check that real symmetric (N, C, n, n) matrices are numerically positive definite.

    The smallest eigenvalue must exceed n eps times the largest, the error of computing it.

    Raises
    ------
    DataError
        Naming the first wrong matrix and its smallest eigenvalue.
    """
    values = np.linalg.eigvalsh(matrices)
    floor = matrices.shape[-1] * np.finfo(np.float64).eps * np.abs(values).max(axis=-1)
    for sample, channel in np.argwhere(values[..., 0] <= floor)[:1]:
        own = values[sample, channel]
        raise DataError(
            f"{_matrix(matrices, sample, channel, name)} is not positive definite: its smallest"
            f" eigenvalue is {own[0]:.3g}, its largest {own[-1]:.3g}.",
            hint="Set the task's ridge, e.g. ridge: 1e-3."
            if own[0] + 1e-3 * own.mean() > 0
            else "Give covariance-like matrices; no small ridge makes this one positive.",
        )


def fitted_scale(
    matrices: NDArray[np.float64],
    reference: NDArray[Any],
    scale: Literal["dataset", "trace", "none"],
) -> float:
    """Returns what all matrices are divided by: the mean eigenvalue of the `reference` ones, or 1.

    Parameters
    ----------
    matrices : (N, C, n, n)
    reference : indices of the matrices that set the scale, the training ones
    scale : "dataset"; "trace" and "none" set no common scale
    """
    return float(mean_eigenvalue(matrices[reference]).mean()) if scale == "dataset" else 1.0


def rescale(
    matrices: NDArray[np.float64], scale: Literal["dataset", "trace", "none"], mean: float
) -> NDArray[np.float64]:
    """Divide matrices (N, C, n, n) by `mean`, each by its own mean eigenvalue, or by nothing."""
    if scale == "dataset":
        return matrices / mean
    return matrices / mean_eigenvalue(matrices) if scale == "trace" else matrices


def scale_in_words(scale: Literal["dataset", "trace", "none"], mean: float) -> str:
    """What `rescale` does, for whoever has to repeat it on new matrices."""
    if scale == "dataset":
        return f"divided by {mean!r} (mean eigenvalue in the training data)"
    return "divided by its mean eigenvalue, trace / n" if scale == "trace" else ""


def describe_ridge(ridge: float) -> str:
    """What `add_ridge` does."""
    return f"{ridge!r} x trace / n added to the diagonal" if ridge else ""


def _matrix(matrices: NDArray[Any], sample: int, channel: int, name: str) -> str:
    where = f", channel {channel}," if matrices.shape[1] > 1 else ""
    return f"Matrix {sample}{where} of {name!r}"
