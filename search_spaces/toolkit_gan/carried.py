"""A generator in training: a trunk, and rows that are learned for its classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit_gan.generator import Generator, Trunk
from toolkit_gan.rows import FreeRows, MixedRows


class Carried(nn.Module):
    """A trunk with rows for new classes.

    Attributes:
        trunk: made from the source generator, or fresh.
        rows: of the new classes.
    """

    def __init__(self, trunk: Trunk, rows: FreeRows | MixedRows) -> None:
        super().__init__()
        self.trunk, self.rows = trunk, rows

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Images (N, *shape) in [0, 1] of noise (N, noise) and classes (N,)."""
        rows = [(gain[labels], shift[labels]) for gain, shift in self.rows.tables()]
        images: Tensor = self.trunk(noise, rows)
        return images

    @torch.no_grad()
    def fold_into(self, generator: Generator) -> None:
        """Writes trunk and rows into a generator of as many classes."""
        generator.trunk.load_state_dict(self.trunk.state_dict())
        for layer, (gain, shift) in enumerate(self.rows.tables()):
            generator.gains[layer].copy_(gain)
            generator.shifts[layer].copy_(shift)
