"""Filters of series, before their covariance is taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DataError

_ORDER = 4
"""Of the Butterworth filter: usual for EEG, and mild enough to run forth and back."""


def band_pass(
    series: Sequence[NDArray[np.float64]], band: tuple[float, float], rate: float
) -> list[NDArray[np.float64]]:
    """Keep a band of frequencies, without delay: a Butterworth filter run forth and back.

    Parameters
    ----------
    series : arrays (time, channels)
    band : lowest and highest frequency, Hz
    rate : samples a second

    Returns
    -------
    list of (time, channels)

    Raises
    ------
    DataError
        If the band does not lie between 0 and half the rate, or a series is too short.
    """
    from scipy.signal import sosfiltfilt

    if band[1] >= rate / 2:
        raise DataError(
            f"The band {band[0]:g} to {band[1]:g} Hz does not lie below half the rate of"
            f" {rate:g} samples a second.",
            hint="Give a lower band, or the right rate.",
        )
    own = sections(band, rate)
    needed = 3 * (2 * len(own) + 1)  # what the filter extends a series by at either end
    for number, one in enumerate(series):
        if len(one) <= needed:
            raise DataError(
                f"Series {number} has {len(one)} samples; this filter needs {needed + 1}.",
                hint="Leave short series out, or leave band out.",
            )
    return [np.asarray(sosfiltfilt(own, one, axis=0)) for one in series]


def sections(band: tuple[float, float], rate: float) -> list[list[float]]:
    """Coefficients b0 b1 b2 a0 a1 a2 of the filter's second-order sections."""
    from scipy.signal import butter

    found: list[list[float]] = butter(_ORDER, band, "bandpass", fs=rate, output="sos").tolist()
    return found
