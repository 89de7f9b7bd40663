"""An ensemble as a torch module; `model.py` takes it in, so this file imports torch alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Ensemble(nn.Module):
    """The mean of several models' class probabilities.

    Args:
        members: each maps a batch of inputs to scores (batch, classes).
        sharpness: what each member's scores are multiplied by before their softmax, so that its
            probabilities are calibrated (Guo et al., ICML 2017); by default 1.
    """

    sharpness: torch.Tensor

    def __init__(
        self, members: Sequence[nn.Module], sharpness: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        given = [1.0] * len(members) if sharpness is None else list(sharpness)
        self.register_buffer("sharpness", torch.tensor(given, dtype=torch.float64))

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return any(getattr(member, "any_length", False) for member in self.members)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns the logarithms of the mean probabilities (batch, classes)."""
        return average([member(inputs) for member in self.members], self.sharpness)


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
