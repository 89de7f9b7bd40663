"""From raw matrices or series to what a network takes, as torch modules; they import torch alone.

An exported `model.py` takes them in. They give what the tasks give, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.datasets.tensors import (
    as_real,
    covariance_of,
    mean_of_eigenvalues,
    with_mean,
    with_ridge,
)

GROUPS = "a whole number for each (N,), equal for those of one group; a group comes as a whole"


class MatrixPreparation(nn.Module):
    """Matrices as they come to matrices as the task `spd_arrays` gives them.

    Args:
        channels, size: of the matrices that are taken.
        embedding: of complex ones, see `toolkit.datasets.tensors.as_real`.
        ridge: added to the diagonal, as a fraction of the mean eigenvalue.
        scale: "dataset" divides by `divisor`, "trace" each by its mean eigenvalue.
        divisor: the mean eigenvalue in the training data.
        grouped: whether each matrix comes with the number of its group, which joins the channels.
    """

    takes = "symmetric or Hermitian matrices (N, n, n) or (N, channels, n, n)"
    divisor: Tensor

    def __init__(
        self,
        channels: int,
        size: int,
        embedding: str,
        ridge: float,
        scale: str,
        divisor: float = 1.0,
        grouped: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        self.grouped = grouped
        if grouped:
            self.takes = f"a pair of {type(self).takes}, and {GROUPS}"
        self.embedding, self.ridge, self.scale = embedding, ridge, scale
        self.config = {
            "channels": channels,
            "size": size,
            "embedding": embedding,
            "ridge": ridge,
            "scale": scale,
            "grouped": grouped,
        }
        self.register_buffer("divisor", torch.tensor(divisor, dtype=torch.float64))

    def forward(self, matrices: Any) -> Tensor:
        """Returns matrices (N, channels, n, n) in double precision.

        Raises:
            ValueError: they are of another shape.
        """
        if self.grouped:
            matrices, groups = parted(matrices, self.takes)
            return with_group_channel(self._prepared(matrices), groups)
        return self._prepared(matrices)

    def _prepared(self, matrices: Tensor) -> Tensor:
        if matrices.dim() == 3:
            matrices = matrices[:, None]
        if matrices.shape[1:] != (self.channels, self.size, self.size):
            raise ValueError(
                f"The matrices have shape {tuple(matrices.shape)}; expected are"
                f" (N, {self.channels}, {self.size}, {self.size})."
            )
        return scaled(
            with_ridge(as_real(matrices, self.embedding), self.ridge), self.scale, self.divisor
        )


class PaddedSeries(nn.Module):
    """Series as the task `series_arrays` gives them where its output is series.

    Args:
        channels: of the series that are taken.
        root_joint: see `SeriesPreparation`.
        grouped: whether each series comes with the number of its group, which joins the channels.
    """

    takes = "series (N, channels, time), or a list of N series (channels, time)"

    def __init__(self, channels: int, root_joint: int | None, grouped: bool = False) -> None:
        super().__init__()
        self.channels, self.root_joint, self.grouped = channels, root_joint, grouped
        if grouped:
            self.takes = f"a pair of {type(self).takes}, and {GROUPS}"
        self.config = {"channels": channels, "root_joint": root_joint, "grouped": grouped}

    def forward(self, series: Any) -> Tensor:
        """Returns series (N, channels, time) in double precision, shorter ones filled up by NaN.

        Raises:
            ValueError: a series is of another shape, too short or not finite.
        """
        if self.grouped:
            series, groups = parted(series, self.takes)
            return with_group_channel(self._padded(series), groups)
        return self._padded(series)

    def _padded(self, series: Tensor | Sequence[Tensor]) -> Tensor:
        longest = max(one.shape[-1] for one in series)
        rows = []
        for one in series:
            if one.dim() != 2 or one.shape[0] != self.channels or one.shape[1] < 2:
                raise ValueError(
                    f"A series has shape {tuple(one.shape)}; expected is ({self.channels}, time) of"
                    " two samples or more."
                )
            if not bool(one.isfinite().all()):
                raise ValueError("A value of the series is not finite.")
            values = one.double()
            if self.root_joint is not None:
                values = _relative(values.mT[None], self.root_joint)[0].mT
            rows.append(nn.functional.pad(values, (0, longest - one.shape[1]), value=math.nan))
        return torch.stack(rows)


def parted(given: Any, takes: str) -> tuple[Any, Tensor]:
    """Returns raw inputs and the numbers of their groups.

    Raises:
        ValueError: they are no such pair.
    """
    if not isinstance(given, tuple | list) or len(given) != 2 or len(given[0]) != len(given[1]):
        raise ValueError(f"This model recentres groups, and takes {takes}.")
    return given[0], torch.as_tensor(given[1])


def with_group_channel(inputs: Tensor, groups: Tensor) -> Tensor:
    """Returns inputs with a last channel of the group's number, from 1; of matrices, times I."""
    number = 1 + groups.unique(return_inverse=True)[1].to(inputs)
    if inputs.dim() == 3:
        last = number[:, None, None].expand(-1, 1, inputs.shape[2])
    else:
        last = number[:, None, None, None] * torch.eye(inputs.shape[-1]).to(inputs)
    return torch.cat([inputs, last], 1)


class SeriesPreparation(nn.Module):
    """Multichannel series to matrices as the task `series_arrays` gives them.

    Args:
        channels: of the series.
        root_joint: of skeletons, the joint that positions are relative to; None for other series.
        windows: parts of a series, as shares of its length.
        estimator: "sample", "ledoit_wolf" or "oas".
        ridge: added to the diagonal, as a fraction of the mean variance.
        mean: weight of the mean, see `toolkit.datasets.tensors.with_mean`; 0 leaves it out.
        scale: see `MatrixPreparation`.
        filters: how many band-pass filters there are, and of how many second-order sections.
        sections: their coefficients b0 b1 b2 a0 a1 a2, (filters, sections, 6).
        divisor, grouped: see `MatrixPreparation`.
    """

    takes = "series (N, channels, time), or a list of N series (channels, time)"
    sections: Tensor
    divisor: Tensor

    def __init__(
        self,
        channels: int,
        root_joint: int | None,
        windows: Sequence[Sequence[float]],
        estimator: str,
        ridge: float,
        mean: float,
        scale: str,
        filters: Sequence[int],
        sections: Tensor | None = None,
        divisor: float = 1.0,
        grouped: bool = False,
    ) -> None:
        super().__init__()
        self.grouped = grouped
        if grouped:
            self.takes = f"a pair of {type(self).takes}, and {GROUPS}"
        self.channels, self.root_joint = channels, root_joint
        self.windows = [(float(begin), float(end)) for begin, end in windows]
        self.estimator, self.ridge, self.mean, self.scale = estimator, ridge, mean, scale
        self.config = {
            "channels": channels,
            "root_joint": root_joint,
            "windows": [list(window) for window in self.windows],
            "estimator": estimator,
            "ridge": ridge,
            "mean": mean,
            "scale": scale,
            "filters": list(filters),
            "grouped": grouped,
        }
        known = torch.zeros(*filters, 6) if sections is None else sections
        self.register_buffer("sections", known.double())
        self.register_buffer("divisor", torch.tensor(divisor, dtype=torch.float64))

    def forward(self, series: Any) -> Tensor:
        """Returns matrices (N, channels, n, n) in double precision: bands, and of each its windows.

        Raises:
            ValueError: a series is of another shape, too short or not finite.
        """
        if self.grouped:
            series, groups = parted(series, self.takes)
            return with_group_channel(self._prepared(series), groups)
        return self._prepared(series)

    def _prepared(self, series: Tensor | Sequence[Tensor]) -> Tensor:
        if isinstance(series, Tensor):
            return self._matrices(series)
        return torch.cat([self._matrices(one[None]) for one in series])

    def _matrices(self, series: Tensor) -> Tensor:
        if series.dim() != 3 or series.shape[1] != self.channels:
            raise ValueError(
                f"The series have shape {tuple(series.shape)}; expected are"
                f" (N, {self.channels}, time)."
            )
        if not bool(series.isfinite().all()):
            raise ValueError("A value of the series is not finite.")
        rows = series.double().mT
        if self.root_joint is not None:
            rows = _relative(rows, self.root_joint)
        bank = [filtered(rows, one) for one in self.sections] if len(self.sections) else [rows]
        found = [self._matrix(_cut(each, *window)) for each in bank for window in self.windows]
        return scaled(torch.stack(found, 1), self.scale, self.divisor)

    def _matrix(self, rows: Tensor) -> Tensor:
        if rows.shape[1] < 2:
            raise ValueError(f"A window of {rows.shape[1]} samples has no covariance.")
        matrices = with_ridge(_estimated(rows, self.estimator), self.ridge)
        return with_mean(matrices, self.mean * rows.mean(1)) if self.mean else matrices


def scaled(matrices: Tensor, scale: str, divisor: Tensor) -> Tensor:
    """Returns matrices divided by `divisor`, each by its own mean eigenvalue, or as they are."""
    if scale == "dataset":
        return matrices / divisor
    return matrices / mean_of_eigenvalues(matrices) if scale == "trace" else matrices


def filtered(rows: Tensor, sections: Tensor) -> Tensor:
    """Returns rows (N, time, channels) filtered forth and back, so without delay.

    Each end is first extended by its reflection through its last sample, over three times the
    order of the filter plus one, and the filter begins settled on the first value (Gustafsson,
    IEEE Trans. Signal Processing 1996, discusses both).

    Args:
        rows: in double precision.
        sections: coefficients b0 b1 b2 a0 a1 a2 of the sections, (sections, 6).

    Raises:
        ValueError: the series are too short for the extension.
    """
    edge = 3 * (2 * len(sections) + 1)
    if rows.shape[1] <= edge:
        raise ValueError(f"A series has {rows.shape[1]} samples; its filter needs {edge + 1}.")
    before = 2 * rows[:, :1] - rows[:, 1 : edge + 1].flip(1)
    after = 2 * rows[:, -1:] - rows[:, -edge - 1 : -1].flip(1)
    extended = torch.cat([before, rows, after], 1)
    response = _impulse_response(sections, extended.shape[1])
    forth = _convolved(extended, response, sections)
    back = _convolved(forth.flip(1), response, sections).flip(1)
    return back[:, edge:-edge]


def _impulse_response(sections: Tensor, length: int) -> Tensor:
    """What the sections make of 1, 0, 0, ...: (length,)."""
    signal = [1.0] + [0.0] * (length - 1)
    for b0, b1, b2, _, a1, a2 in sections.tolist():
        first = second = 0.0
        for index, value in enumerate(signal):
            out = b0 * value + first
            first = b1 * value - a1 * out + second
            second = b2 * value - a2 * out
            signal[index] = out
    return torch.tensor(signal, dtype=torch.float64, device=sections.device)


def _convolved(rows: Tensor, response: Tensor, sections: Tensor) -> Tensor:
    """Rows (N, time, channels) run through a filter that has settled on their first values."""
    first = rows[:, :1]
    length = 2 * rows.shape[1]
    spectrum = torch.fft.rfft(rows - first, length, 1) * torch.fft.rfft(response, length)[:, None]
    settled = (sections[:, :3].sum(1) / sections[:, 3:].sum(1)).prod() * first
    return torch.fft.irfft(spectrum, length, 1)[:, : rows.shape[1]] + settled


def _relative(rows: Tensor, joint: int) -> Tensor:
    """Positions (N, time, 3 joints) less those of one joint, which is left out."""
    positions = rows.unflatten(-1, (-1, 3))
    moving = positions - positions[:, :, joint : joint + 1]
    return torch.cat([moving[:, :, :joint], moving[:, :, joint + 1 :]], 2).flatten(2)


def _cut(rows: Tensor, begin: float, end: float) -> Tensor:
    """A share of every series (N, time, channels)."""
    return rows[:, round(begin * rows.shape[1]) : round(end * rows.shape[1])]


def _estimated(rows: Tensor, estimator: str) -> Tensor:
    """Covariances (N, d, d) of rows (N, time, d)."""
    if estimator == "sample":
        return covariance_of(rows)
    count, size = rows.shape[1:]
    centred = rows - rows.mean(1, keepdim=True)
    sample = centred.mT @ centred / count
    mu = mean_of_eigenvalues(sample)
    square = (sample**2).sum((-1, -2), keepdim=True)
    if estimator == "oas":
        # Chen, Wiesel, Eldar and Hero, IEEE Trans. Signal Processing 2010, equation 23.
        share = (square / size**2 + mu**2) / ((count + 1) * (square / size**2 - mu**2 / size))
        share = torch.nan_to_num(share, nan=1.0, posinf=1.0).clamp(max=1.0)
    else:
        # Ledoit and Wolf, J. Multivariate Analysis 2004, lemma 3.2 to 3.4.
        distance = square / size - mu**2
        fourth = (centred.square().mT @ centred.square()).sum((-1, -2), keepdim=True)
        noise = (fourth / count - square) / (size * count)
        share = torch.where(noise > 0, torch.minimum(noise, distance) / distance, 0.0)
    eye = torch.eye(size, dtype=rows.dtype, device=rows.device)
    return (1 - share) * sample + share * mu * eye
