"""An ensemble as a torch module; `model.py` takes it in, so this file imports torch alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn


class Ensemble(nn.Module):
    """The mean of several models' class probabilities.

    Args:
        members: each maps a batch of inputs to scores (batch, classes).
        sharpness: what each member's scores are multiplied by before their softmax, so that its
            probabilities are calibrated (Guo et al., ICML 2017); by default 1.
        slices: where inputs hold what each member takes side by side, as vectors: the first entry
            of each member's own, and its shape; by default all take the same.
    """

    sharpness: torch.Tensor

    def __init__(
        self,
        members: Sequence[nn.Module],
        sharpness: Sequence[float] | None = None,
        slices: Sequence[tuple[int, Sequence[int]]] | None = None,
    ) -> None:
        super().__init__()
        self.slices = None if slices is None else [(first, list(shape)) for first, shape in slices]
        self.members = nn.ModuleList(members)
        given = [1.0] * len(members) if sharpness is None else list(sharpness)
        self.register_buffer("sharpness", torch.tensor(given, dtype=torch.float64))

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return any(getattr(member, "any_length", False) for member in self.members)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns the logarithms of the mean probabilities (batch, classes)."""
        each = zip(self.members, own_inputs(inputs, len(self.members), self.slices), strict=True)
        return average([member(own) for member, own in each], self.sharpness)


class JoinedPreparation(nn.Module):
    """What several preparations make of raw inputs, side by side as vectors.

    Args:
        members: the preparations, which take the same.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.takes = str(getattr(members[0], "takes", "raw inputs"))

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Returns vectors (N, d) in double precision."""
        return torch.cat([member(raw).flatten(1).double() for member in self.members], 1)


def own_inputs(
    inputs: torch.Tensor, count: int, slices: Sequence[tuple[int, Sequence[int]]] | None
) -> list[torch.Tensor]:
    """Returns what each of so many members takes of inputs, see `Ensemble`."""
    if slices is None:
        return [inputs] * count
    return [
        inputs[:, first : first + math.prod(shape)].unflatten(1, list(shape))
        for first, shape in slices
    ]


def average(
    scores: Sequence[torch.Tensor], sharpness: Sequence[float] | torch.Tensor
) -> torch.Tensor:
    """Returns the logarithms of the mean probabilities (batch, classes).

    Args:
        scores: of each member (batch, classes).
        sharpness: what each one's are multiplied by first.
    """
    each = [(s * own).log_softmax(-1) for s, own in zip(sharpness, scores, strict=True)]
    return torch.logsumexp(torch.stack(each), 0) - torch.tensor(len(each)).log()
