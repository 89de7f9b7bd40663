"""Rows that come of an embedding of the classes shared by all layers (Brock et al., ICLR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from toolkit_gan.generator import Tables
from toolkit_gan.rows import Rows


class SharedRows(Rows):
    """Gain = E A and shift = E B, with spectrally normalised A and B for each layer.

    Args:
        classes: how many.
        sizes: channels of each normalised layer.
        width: of the embedding E (classes, width).
    """

    def __init__(self, classes: int, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, width)
        nn.init.orthogonal_(self.embedding.weight)
        self.gains = nn.ModuleList(_normalised(width, size) for size in sizes)
        self.shifts = nn.ModuleList(_normalised(width, size) for size in sizes)

    def tables(self) -> Tables:
        """Rows (classes, size) of every layer."""
        own = self.embedding.weight
        return [(a(own), b(own)) for a, b in zip(self.gains, self.shifts, strict=True)]

    def penalty(self, l1: float, l2: float) -> Tensor:
        """Nothing: there are neither weights of source classes nor residuals."""
        return torch.zeros((), device=self.embedding.weight.device)

    def mixtures(self) -> Tensor | None:
        """Weights of source classes: none."""
        return None


def _normalised(width: int, size: int) -> nn.Module:
    linear = nn.Linear(width, size, bias=False)
    nn.init.orthogonal_(linear.weight)
    return spectral_norm(linear)
