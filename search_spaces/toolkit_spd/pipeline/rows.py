"""Multichannel series as means and covariances of rows: bands, windows, velocities, time."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

ORDER = 4
"""Of the Butterworth magnitude of a band, which is applied forth and back."""


class RowsSpec(TypedDict):
    """How rows are made of a series.

    Attributes
    ----------
    size : int
        Channels of a series.
    bands : list of [low, high]
        Frequencies that are kept, as shares of the sampling rate; one channel each. Empty: all.
    crop : [begin, end]
        The part of a series that is read, as shares of its length.
    windows : list of int
        Numbers of half-overlapping windows, each window one channel.
    velocities : bool
        Whether central differences are rows too.
    time_rows : int
        How many cosines of time are rows too.
    context : int
        Samples at either end of a series that filters and differences alone read.
    """

    size: int
    bands: list[list[float]]
    crop: list[float]
    windows: list[int]
    velocities: bool
    time_rows: int
    context: int


class Moments(NamedTuple):
    """Of rows in each band and window, neither scaled nor shrunk.

    Attributes
    ----------
    mean : Tensor
        (N, channels, d).
    covariance : Tensor
        (N, channels, d, d), divided by the number of samples.
    fourth : Tensor
        Means of products of squares (N, channels, d, d), or empty where nobody reads them.
    samples : Tensor
        Number of them in the window (N, channels).
    """

    mean: Tensor
    covariance: Tensor
    fourth: Tensor
    samples: Tensor

    def of(self, index: Tensor) -> "Moments":
        """Return those of some samples."""
        return Moments(*(part[index] if len(part) else part for part in self))


def row_count(spec: RowsSpec) -> int:
    """Return how many rows d there are."""
    return spec["size"] * (2 if spec["velocities"] else 1) + spec["time_rows"]


def channel_count(spec: RowsSpec) -> int:
    """Return how many covariances there are of one series."""
    return max(1, len(spec["bands"])) * sum(spec["windows"])


def moments(series: Tensor, spec: RowsSpec, fourth: bool = False) -> Moments:
    """Return the moments of series (N, size, time), shorter ones filled up by NaN.

    Parameters
    ----------
    series : Tensor
        In any precision; moments are in double precision.
    spec : dict
        How rows are made.
    fourth : bool
        Whether fourth moments are wanted, as shrinkage after Ledoit and Wolf does.
    """
    lengths = (~series[:, 0].isnan()).sum(-1)
    found: list[list[Tensor]] = []
    for start in range(0, len(series), _BATCH):
        some, own = series[start : start + _BATCH], lengths[start : start + _BATCH]
        values = some[..., : int(own.max())].to(torch.float64).nan_to_num(nan=0.0)
        found.append(list(_moments(values, own, spec, fourth)))
    return Moments(*map(torch.cat, zip(*found, strict=True)))


_BATCH = 128


def _moments(values: Tensor, lengths: Tensor, spec: RowsSpec, fourth: bool) -> Moments:
    context = spec["context"]
    inner = slice(context, values.shape[-1] - context)
    time = torch.arange(values.shape[-1] - 2 * context, device=values.device)
    parts: list[Moments] = []
    bank = [band_limited(values, lengths, band) for band in spec["bands"]] or [values]
    for kept in bank:
        rows = [kept, *([differences(kept, lengths)] if spec["velocities"] else [])]
        stacked = torch.cat(rows, 1)[..., inner].mT  # (N, time, rows)
        for begin, end in _windows(lengths - 2 * context, spec["crop"], spec["windows"]):
            inside = (time >= begin[:, None]) & (time < end[:, None])
            cosines = _cosines(time, begin, end, spec["time_rows"])
            parts.append(_weighted(torch.cat([stacked, cosines], 2), inside, fourth))
    return Moments(*(torch.stack(part, 1) for part in zip(*parts, strict=True)))


def _weighted(rows: Tensor, inside: Tensor, fourth: bool) -> Moments:
    """Moments of the rows (N, time, d) at the times that are inside (N, time)."""
    count = inside.sum(1).to(rows.dtype)
    weight = inside.to(rows.dtype).unsqueeze(2)
    mean = (rows * weight).sum(1) / count[:, None]
    centred = (rows - mean[:, None]) * weight
    covariance = centred.mT @ centred / count[:, None, None]
    square = centred.square()
    quartic = square.mT @ square / count[:, None, None] if fourth else covariance[:0]
    if not fourth:
        quartic = torch.zeros(len(rows), 0, 0, dtype=rows.dtype, device=rows.device)
    return Moments(mean, covariance, quartic, count)


def _windows(
    lengths: Tensor, crop: Sequence[float], counts: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """First and last sample plus one (N,) of each window; two samples are in each at least."""
    first = torch.minimum((crop[0] * lengths).round().long(), lengths - 2)
    last = torch.maximum((crop[1] * lengths).round().long(), first + 2)
    size = last - first
    for count in counts:
        for number in range(count):
            if count == 1:
                yield first, last
                continue
            begin = torch.minimum((number * size / (count + 1)).round().long(), size - 2)
            end = torch.maximum(((number + 2) * size / (count + 1)).round().long(), begin + 2)
            yield first + begin, first + torch.minimum(end, size)


def _cosines(time: Tensor, begin: Tensor, end: Tensor, count: int) -> Tensor:
    """Rows sqrt(2) cos(pi k (t + 1/2) / T) of time within a window, (N, time, count)."""
    time, begin, end = (part.to(torch.float64) for part in (time, begin, end))
    share = (time[None, :, None] - begin[:, None, None] + 0.5) / (end - begin)[:, None, None]
    each = torch.arange(1, count + 1, device=time.device)
    return math.sqrt(2) * torch.cos(math.pi * share * each)


def differences(values: Tensor, lengths: Tensor) -> Tensor:
    """Return central differences (N, size, time), one-sided at the ends of each series."""
    before, after = values.roll(1, 2), values.roll(-1, 2)
    time = torch.arange(values.shape[2], device=values.device)
    first, last = time[None] == 0, time[None] == lengths[:, None] - 1
    central = (after - before) / 2
    central = torch.where(first[:, None], after - values, central)
    return torch.where(last[:, None], values - before, central)


def band_limited(values: Tensor, lengths: Tensor, band: Sequence[float]) -> Tensor:
    r"""Return series (N, size, time) in a band of frequencies, without delay.

    Their spectrum is multiplied by the square of a Butterworth filter's magnitude,
    :math:`1 / (1 + ((f^2 - f_1 f_2) / (f (f_2 - f_1)))^{2 n})`, once each end has been extended by
    its reflection through its last sample. A low edge of 0 makes it a low-pass filter.
    """
    found = torch.zeros_like(values)
    for length in lengths.unique().tolist():
        own = lengths == length
        found[own, :, :length] = _band_limited(values[own, :, :length], band)
    return found


def _band_limited(values: Tensor, band: Sequence[float]) -> Tensor:
    length, (low, high) = values.shape[2], band
    edge = min(length - 1, max(8, math.ceil(2 / max(high - low, 1e-3))))
    before = 2 * values[..., :1] - values[..., 1 : edge + 1].flip(2)
    after = 2 * values[..., -1:] - values[..., -edge - 1 : -1].flip(2)
    extended = torch.cat([before, values, after], 2)
    frequency = torch.fft.rfftfreq(
        extended.shape[2], dtype=values.dtype, device=values.device
    ).clamp_min(1e-12)
    distance = (frequency.square() - low * high) / (frequency * (high - low))
    gain = 1 / (1 + distance.pow(2 * ORDER))
    spectrum = torch.fft.rfft(extended, dim=2) * gain
    return torch.fft.irfft(spectrum, extended.shape[2], 2)[..., edge : edge + length]


def scaled_moments(given: Moments, scale: Tensor) -> Moments:
    """Return the moments of rows times `scale` (d,)."""
    outer = scale[:, None] * scale
    return Moments(
        given.mean * scale,
        given.covariance * outer,
        given.fourth * outer.square() if given.fourth.numel() else given.fourth,
        given.samples,
    )


def unbiased(count: Tensor) -> Tensor:
    """Return T / (T - 1), by which moments of T samples become sample covariances."""
    return count / (count - 1)


def estimated_covariance(given: Moments, estimator: str) -> Tensor:
    """Return covariances (N, channels, d, d): `sample`, `oas` or `ledoit_wolf`.

    The sample covariance has T - 1 in the denominator. The others shrink towards a multiple of the
    identity (Chen et al., IEEE Trans. Signal Processing 2010, equation 23; Ledoit and Wolf, J.
    Multivariate Analysis 2004, lemmas 3.2 to 3.4).
    """
    sample, count = given.covariance, given.samples[..., None, None]
    if estimator == "sample":
        return sample * unbiased(count)
    size = sample.shape[-1]
    mu = sample.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    square = sample.square().sum((-1, -2), keepdim=True)
    if estimator == "oas":
        distance = square / size**2 - mu.square() / size
        share = (square / size**2 + mu.square()) / ((count + 1) * distance)
        share = torch.where(distance > 0, share, torch.ones_like(share)).clamp(max=1.0)
    else:
        distance = square / size - mu.square()
        noise = (given.fourth.sum((-1, -2), keepdim=True) - square) / (size * count)
        noise = torch.minimum(noise.clamp_min(0), distance)
        share = torch.where(distance > 0, noise / distance, torch.zeros_like(noise))
    eye = torch.eye(size, dtype=sample.dtype, device=sample.device)
    return (1 - share) * sample + share * mu * eye
