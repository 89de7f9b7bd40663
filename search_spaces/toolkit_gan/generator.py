"""Generators: convolutions behind batch normalisation with a gain and a shift for each class.

Exported models take this file in, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pad, relu

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
        self.sizes = layer_widths(widths)
        """Channels of each normalised layer."""
        self.base = (first, side // 4, side // 4)
        self.start = nn.Linear(noise, first * (side // 4) ** 2)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(first, middle, 3, padding=1),
                nn.Conv2d(middle, middle, 3, padding=1),
                nn.Conv2d(middle, last, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for width in self.sizes)
        self.end = nn.Conv2d(last, channels, 3, padding=1)

    def forward(self, noise: Tensor, rows: Tables) -> Tensor:
        """Images (N, *shape) in [0, 1] of noise (N, noise) and each image's own rows (N, width)."""
        x = self.start(noise).view(-1, *self.base)
        x = activated(self.norms[0](x), *rows[0])
        x = activated(self.norms[1](convolve_doubled(x, self.convs[0])), *rows[1])
        x = activated(self.norms[2](self.convs[1](x)), *rows[2])
        x = activated(self.norms[3](convolve_doubled(x, self.convs[2])), *rows[3])
        images: Tensor = (torch.tanh(self.end(x)) + 1) / 2
        return images


def activated(normal: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """normal (1 + gain) + shift, and the rectifier; rows are each image's own (N, width)."""
    return relu(normal * (1 + gain[:, :, None, None]) + shift[:, :, None, None])


def convolve_doubled(x: Tensor, conv: nn.Module) -> Tensor:
    """A 3 x 3 convolution of images whose every pixel is repeated to 2 x 2, padded by one.

    Repeating is a transposed convolution with ones, so both are one with a 4 x 4 kernel and stride
    2: 16 products for a pixel of x (N, C, H, W), where the convolution alone takes 36.
    """
    weight, bias = conv.weight, conv.bias
    kernel = pad(weight, (1, 1, 1, 1))  # type: ignore[arg-type]
    kernel = kernel[..., 1:, :] + kernel[..., :-1, :]
    kernel = kernel[..., 1:] + kernel[..., :-1]
    kernel = kernel.flip(2, 3).transpose(0, 1)
    return conv_transpose2d(x, kernel, bias, stride=2, padding=1)  # type: ignore[arg-type]


def layer_widths(widths: Sequence[int]) -> tuple[int, int, int, int]:
    """Channels of each normalised layer."""
    first, middle, last = widths
    return first, middle, middle, last


class AnyGenerator(nn.Module):
    """A trunk with the rows of its classes.

    Args:
        trunk: makes images of noise and rows; its `sizes` are the widths of the rows.
        config: what the generator is rebuilt from, `classes` and `noise` among it.
    """

    def __init__(self, trunk: nn.Module, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.trunk = trunk
        sizes: Sequence[int] = trunk.sizes  # type: ignore[assignment]
        classes = config["classes"]
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


class Generator(AnyGenerator):
    """A small generator.

    Args:
        classes: how many.
        noise, shape, widths: see `Trunk`.
    """

    def __init__(
        self, classes: int, noise: int, shape: Sequence[int], widths: Sequence[int]
    ) -> None:
        config = {
            "classes": classes,
            "noise": noise,
            "shape": list(shape),
            "widths": list(widths),
        }
        super().__init__(Trunk(noise, shape, widths), config)
