"""Covariance matrices of multichannel series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.matrices import add_ridge
from toolkit.errors import DataError

Estimator = Literal["sample", "ledoit_wolf", "oas"]


def cut_series(
    values: NDArray[Any], lengths: NDArray[Any] | None, count: int, name: str
) -> list[NDArray[np.float64]]:
    """Divide an array into series.

    Parameters
    ----------
    values : (N, channels, time), or (total time, channels) with `lengths`
    lengths : (N,), samples of each series; of a (N, channels, time) array the first ones count
    count : number of labels
    name : what to call the array in an error

    Returns
    -------
    list of (time, channels)

    Raises
    ------
    DataError
        If shapes or lengths do not fit, or a value is not finite; the series is named.
    """
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name!r} is of type {values.dtype}; series of real numbers are read.")
    if values.ndim == 2 and lengths is None:
        raise DataError(
            f"{name!r} has shape {values.shape} (total time, channels), but no lengths are given.",
            hint="Add an array 'lengths' or name it in the task's options, or give"
            " (N, channels, time).",
        )
    if values.ndim not in (2, 3):
        raise DataError(
            f"{name!r} has shape {values.shape}.",
            hint="Series are read as (N, channels, time), or (total time, channels) and lengths.",
        )
    if lengths is not None:
        _check_lengths(lengths, values, count, name)
    if values.ndim == 2:
        assert lengths is not None
        series = np.split(values, np.cumsum(lengths)[:-1])
    else:
        ends = [values.shape[-1]] * len(values) if lengths is None else lengths.tolist()
        series = [one[:, :end].T for one, end in zip(values, ends, strict=True)]
    if len(series) != count:
        raise DataError(f"{name!r} holds {len(series)} series, but there are {count} labels.")
    return [_checked(one, number, name) for number, one in enumerate(series)]


def cut_window(
    series: Sequence[NDArray[np.float64]], window: tuple[float, float], name: str
) -> Sequence[NDArray[np.float64]]:
    """Cut the same share out of every series (time, channels).

    Raises
    ------
    DataError
        If fewer than two samples of a series are left, or they are constant.
    """
    begin, end = window
    if (begin, end) == (0.0, 1.0):
        return series
    cut = [one[round(begin * len(one)) : round(end * len(one))] for one in series]
    for number, one in enumerate(cut):
        if len(one) < 2 or (one == one[0]).all():
            raise DataError(
                f"Of series {number} of {name!r} the window from {begin:g} to {end:g} has"
                f" {len(one)} samples, and they have no covariance.",
                hint="Give a longer window, or leave the series out.",
            )
    return cut


def relative_to_joint(one: NDArray[np.float64], joint: int) -> NDArray[np.float64]:
    """Positions (time, 3 joints) less those of one joint, which is left out: (time, 3 joints - 3).

    Channels are x0 y0 z0 x1 y1 z1 and so on.
    """
    positions = one.reshape(len(one), -1, 3)
    relative = np.delete(positions - positions[:, joint : joint + 1], joint, axis=1)
    return relative.reshape(len(one), -1)


def covariances(
    series: Sequence[NDArray[np.float64]], estimator: Estimator, ridge: float, mean: float = 0.0
) -> NDArray[np.float64]:
    """Covariance matrix of every series.

    Parameters
    ----------
    series : N arrays (time, channels)
    estimator : "sample" divides by time - 1; "ledoit_wolf" (Ledoit and Wolf 2004) and "oas"
        (Chen et al. 2010) shrink towards a multiple of the identity
    ridge : `ridge` times the mean variance is added to the diagonal
    mean : weight b of the mean m in [[C + b^2 mm', bm], [bm', 1]], the Gaussian of C and m as an
        SPD matrix (Calvo and Oller 1990); 0 for C alone

    Returns
    -------
    (N, channels, channels), or one row and column more with the mean
    """
    matrices = add_ridge(np.stack([_estimate(one, estimator) for one in series]), ridge)
    if not mean:
        return matrices
    means = mean * np.stack([one.mean(0) for one in series])
    n = means.shape[1]
    embedded = np.ones((len(series), n + 1, n + 1))
    embedded[:, :n, :n] = matrices + means[:, :, None] * means[:, None]
    embedded[:, :n, n] = embedded[:, n, :n] = means
    return embedded


def _estimate(series: NDArray[np.float64], estimator: Estimator) -> NDArray[np.float64]:
    if estimator == "sample":
        return np.atleast_2d(np.cov(series, rowvar=False))
    from sklearn import covariance

    shrink = covariance.ledoit_wolf if estimator == "ledoit_wolf" else covariance.oas
    return np.asarray(shrink(series)[0])


def _check_lengths(lengths: NDArray[Any], values: NDArray[Any], count: int, name: str) -> None:
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        raise DataError(
            f"The lengths of {name!r} have shape {lengths.shape} and type {lengths.dtype}, but"
            f" there are {count} labels.",
            hint="One whole number a series is read.",
        )
    longest = values.shape[-1] if values.ndim == 3 else values.shape[0]
    for number in np.flatnonzero((lengths < 2) | (lengths > longest))[:1]:
        if lengths[number] == 1:
            raise DataError(
                f"Series {number} of {name!r} has 1 sample; a covariance needs two at least.",
                hint="Leave it out, or look at the axes: series are read as (N, channels, time).",
            )
        raise DataError(
            f"Series {number} of {name!r} has length {lengths[number]}; it must be from 2 to"
            f" {longest}."
        )
    total = int(lengths.sum(dtype=np.int64))
    if values.ndim == 2 and total != len(values):
        raise DataError(
            f"The lengths of {name!r} add up to {total}, but it has {len(values)} rows."
        )


def _checked(series: NDArray[Any], number: int, name: str) -> NDArray[np.float64]:
    values = np.ascontiguousarray(series, np.float64)
    for time, channel in np.argwhere(~np.isfinite(values))[:1]:
        raise DataError(
            f"Series {number} of {name!r} is {values[time, channel]} at time {time}, channel"
            f" {channel}.",
            hint="Leave out the series that hold such values, or fill these in.",
        )
    if len(values) < 2:
        raise DataError(f"Series {number} of {name!r} has {len(values)} samples; two are needed.")
    if (values == values[0]).all():
        raise DataError(
            f"Series {number} of {name!r} is constant, so it has no covariance.",
            hint="Leave it out.",
        )
    return values
