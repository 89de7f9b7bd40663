"""From joint sequences to what a network takes, as a torch module; what it runs is torch alone.

An exported `model.py` takes it in. It gives what the task gives, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.datasets.tensors import covariance_of, mean_of_eigenvalues, with_mean, with_ridge
from toolkit_mocap.sequences import windows


class SequencePreparation(nn.Module):
    """Sequences of joint positions to matrices as the task `mocap` gives them.

    Each sequence becomes one input: whoever trained on pieces of sequences cuts new ones first.

    Args:
        joints: how many each frame holds.
        hip: the joint that positions are relative to.
        taken: the joints to take.
        bones: pairs of joints whose summed mean lengths are the unit; none for no such unit.
        velocities: whether these are rows too.
        time_rows: how many cosines of time are rows too.
        windows: counts of half overlapping windows, one channel each.
        components: size of the projected covariance; None without a projection.
        ridge: added to the diagonal, as a fraction of the mean eigenvalue.
        mean: whether the matrix is extended by the mean.
        scale: "trace" divides each matrix by its mean eigenvalue.
        position_scale, velocity_scale, divisor: what positions, velocities and in the end matrices
            are divided by.
        projection: (rows, components), with orthonormal columns.
    """

    takes = "a list of N sequences (frames, joints, 3) of joint positions"
    position_scale: Tensor
    velocity_scale: Tensor
    divisor: Tensor
    projection: Tensor

    def __init__(
        self,
        joints: int,
        hip: int,
        taken: Sequence[int],
        bones: Sequence[Sequence[int]],
        velocities: bool,
        time_rows: int,
        windows: Sequence[int],
        components: int | None,
        ridge: float,
        mean: bool,
        scale: str,
        position_scale: float = 1.0,
        velocity_scale: float = 1.0,
        divisor: float = 1.0,
        projection: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.joints, self.hip, self.taken = joints, hip, list(taken)
        self.bones = [list(bone) for bone in bones]
        self.velocities, self.time_rows, self.windows = velocities, time_rows, list(windows)
        self.ridge, self.mean, self.scale = ridge, mean, scale
        self.components = components
        self.config = {
            "joints": joints,
            "hip": hip,
            "taken": self.taken,
            "bones": self.bones,
            "velocities": velocities,
            "time_rows": time_rows,
            "windows": self.windows,
            "components": components,
            "ridge": ridge,
            "mean": mean,
            "scale": scale,
        }
        for name, value in (
            ("position_scale", position_scale),
            ("velocity_scale", velocity_scale),
            ("divisor", divisor),
        ):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))
        rows = 3 * len(self.taken) * (2 if velocities else 1) + time_rows
        known = torch.zeros(rows, components or 0) if projection is None else projection
        self.register_buffer("projection", known.double())

    def forward(self, sequences: Sequence[Tensor]) -> Tensor:
        """Returns matrices (N, windows, n, n) in double precision.

        Raises:
            ValueError: a sequence is of another shape, or has fewer than two frames.
        """
        return torch.stack([self._matrix(one) for one in sequences])

    def _matrix(self, sequence: Tensor) -> Tensor:
        check_sequence(sequence, self.joints)
        rows = self._rows(sequence.double())
        parts = [self._with_time(rows[part]) for part in windows(len(rows), self.windows)]
        means = torch.stack([part.mean(0) for part in parts])
        matrices = torch.stack([covariance_of(part) for part in parts])
        if self.components:
            means = means @ self.projection
            matrices = self.projection.mT @ matrices @ self.projection
        matrices = with_ridge(matrices, self.ridge)
        if self.mean:
            matrices = with_mean(matrices, means)
        if self.scale == "trace":
            matrices = matrices / mean_of_eigenvalues(matrices)
        return matrices / self.divisor

    def _rows(self, sequence: Tensor) -> Tensor:
        """Positions and, if asked for, velocities (frames, d)."""
        moving = relative(sequence, self.taken, self.hip, self.bones)
        rows = moving / self.position_scale
        if not self.velocities:
            return rows
        return torch.cat([rows, torch.gradient(moving, dim=0)[0] / self.velocity_scale], 1)

    def _with_time(self, rows: Tensor) -> Tensor:
        """Rows with the cosines of time beside them, sqrt(2) cos(pi k (t + 1/2) / T)."""
        time = (torch.arange(len(rows), dtype=rows.dtype, device=rows.device) + 0.5) / len(rows)
        each = torch.arange(1, self.time_rows + 1, dtype=rows.dtype, device=rows.device)
        return torch.cat([rows, math.sqrt(2) * torch.cos(math.pi * time[:, None] * each)], 1)


class PaddedPositions(nn.Module):
    """Sequences of joint positions to series as the task `mocap` gives them.

    Args:
        joints, hip, taken, bones: see `SequencePreparation`.
        grouped: whether each sequence comes with the number of its subject, a channel of its own.
        extended: whether a frame is added to either end, on the line through the last two, as
            models of pieces of sequences take it; the task gives them the piece's neighbours.
    """

    takes = "a list of N sequences (frames, joints, 3) of joint positions"

    def __init__(
        self,
        joints: int,
        hip: int,
        taken: Sequence[int],
        bones: Sequence[Sequence[int]],
        grouped: bool,
        extended: bool = False,
    ) -> None:
        super().__init__()
        self.joints, self.hip, self.taken = joints, hip, list(taken)
        self.extended = extended
        self.bones, self.grouped = [list(bone) for bone in bones], grouped
        self.config = {
            "joints": joints,
            "hip": hip,
            "taken": self.taken,
            "bones": self.bones,
            "grouped": grouped,
            "extended": extended,
        }
        if grouped:
            self.takes = (
                f"a pair of {type(self).takes}, and a whole number for each (N,), equal for those"
                " of one subject; a subject comes as a whole"
            )

    def forward(self, given: Any) -> Tensor:
        """Returns series (N, channels, frames) in double precision, filled up by NaN.

        Raises:
            ValueError: a sequence is of another shape, or has fewer than two frames.
        """
        if not self.grouped:
            return self._padded(given)
        if not isinstance(given, tuple | list) or len(given) != 2 or len(given[0]) != len(given[1]):
            raise ValueError(f"This model recentres subjects, and takes {self.takes}.")
        series = self._padded(given[0])
        number = 1 + torch.as_tensor(given[1]).unique(return_inverse=True)[1].to(series)
        last = number[:, None, None].expand(-1, 1, series.shape[2])
        return torch.cat([series, last], 1)

    def _padded(self, sequences: Sequence[Tensor]) -> Tensor:
        longest = max(len(one) for one in sequences) + 2 * self.extended
        rows = []
        for one in sequences:
            check_sequence(one, self.joints)
            moving = relative(one.double(), self.taken, self.hip, self.bones)
            if self.extended:
                ends = 2 * moving[:1] - moving[1:2], 2 * moving[-1:] - moving[-2:-1]
                moving = torch.cat([ends[0], moving, ends[1]])
            gap = longest - len(moving)
            rows.append(nn.functional.pad(moving.mT, (0, gap), value=math.nan))
        return torch.stack(rows)


def check_sequence(sequence: Tensor, joints: int) -> None:
    """Refuse what is no sequence (frames, joints, 3).

    Raises:
        ValueError: it is of another shape, or has fewer than two frames.
    """
    if sequence.dim() != 3 or sequence.shape[1:] != (joints, 3) or len(sequence) < 2:
        raise ValueError(
            f"A sequence has shape {tuple(sequence.shape)}; expected is (frames, {joints}, 3) of"
            " two frames or more."
        )


def relative(
    sequence: Tensor, taken: Sequence[int], hip: int, bones: Sequence[Sequence[int]]
) -> Tensor:
    """Returns positions less the hip's (frames, 3 taken), in units of the bones' summed lengths."""
    moving = (sequence[:, list(taken)] - sequence[:, hip : hip + 1]).flatten(1)
    if not bones:
        return moving
    ends = torch.tensor(bones, device=sequence.device)
    gaps = sequence[:, ends[:, 0]] - sequence[:, ends[:, 1]]
    return moving / gaps.norm(dim=-1).mean(0).sum()
