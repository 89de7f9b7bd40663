"""The generator: convolutions behind batch normalisation with a gain and a shift for each class.

Exported models take this file in, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

Tables = list[tuple[Tensor, Tensor]]
"""Gains and shifts (classes, channels) of each normalised layer."""


class Trunk(nn.Module):
    """Everything of a generator but what belongs to classes.

    Args:
        noise: numbers of noise.
        shape: of an image (channels, side, side), whose side is a multiple of 4.
        widths: channels before the first doubling of the side, between both, and after the second.
    """

    def __init__(self, noise: int, shape: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        channels, side, _ = shape
        first, middle, last = widths
        self.base = (first, side // 4, side // 4)
        self.start = nn.Linear(noise, first * (side // 4) ** 2)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(first, middle, 3, padding=1),
                nn.Conv2d(middle, middle, 3, padding=1),
                nn.Conv2d(middle, last, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width, affine=False) for width in layer_widths(widths)
        )
        self.end = nn.Conv2d(last, channels, 3, padding=1)

    def forward(self, noise: Tensor, rows: Tables) -> Tensor:
        """Images (N, *shape) in [0, 1] of noise (N, noise) and each image's own rows (N, width)."""
        x = self.start(noise).view(-1, *self.base)
        x = self._normalise(0, x, rows)
        x = self._normalise(1, self.convs[0](interpolate(x, scale_factor=2.0)), rows)
        x = self._normalise(2, self.convs[1](x), rows)
        x = self._normalise(3, self.convs[2](interpolate(x, scale_factor=2.0)), rows)
        images: Tensor = (torch.tanh(self.end(x)) + 1) / 2
        return images

    def _normalise(self, layer: int, x: Tensor, rows: Tables) -> Tensor:
        """BN(x) (1 + gain) + shift, and the rectifier."""
        gain, shift = rows[layer]
        normal = self.norms[layer](x)
        return relu(normal * (1 + gain[:, :, None, None]) + shift[:, :, None, None])


def layer_widths(widths: Sequence[int]) -> tuple[int, int, int, int]:
    """Channels of each normalised layer."""
    first, middle, last = widths
    return first, middle, middle, last


class Generator(nn.Module):
    """A trunk with the rows of its classes.

    Args:
        classes: how many.
        noise, shape, widths: see `Trunk`.
    """

    def __init__(
        self, classes: int, noise: int, shape: Sequence[int], widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "classes": classes,
            "noise": noise,
            "shape": list(shape),
            "widths": list(widths),
        }
        self.trunk = Trunk(noise, shape, widths)
        sizes = layer_widths(widths)
        self.gains = nn.ParameterList([torch.zeros(classes, size) for size in sizes])
        self.shifts = nn.ParameterList([torch.zeros(classes, size) for size in sizes])

    def forward(self, given: Tensor) -> Tensor:
        """Images of noise and class weights (N, noise + classes): rows are weights @ table."""
        noise = self.config["noise"]
        weights = given[:, noise:]
        rows = [(weights @ gain, weights @ shift) for gain, shift in self.tables()]
        images: Tensor = self.trunk(given[:, :noise], rows)
        return images

    def tables(self) -> Tables:
        """The rows of all classes, layer by layer."""
        return list(zip(self.gains, self.shifts, strict=True))
