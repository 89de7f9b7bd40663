"""From decoded images to what a network takes, as a torch module; it imports torch alone.

An exported `model.py` takes it in. It gives what the tasks give, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

GREY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""
FIXED_POINT = 2**22
"""Unit of the weights with which Pillow resizes images of bytes."""


class ImagePreparation(nn.Module):
    """Decoded images to images of numbers in [0, 1], as the image tasks give them.

    Args:
        channels: of the images to give, 1 or 3.
        size: side of the middle square that is cut out and resized; None leaves the size alone.
        bytes: whether images come as bytes; others are mapped from [low, high] to [0, 1].
        low, high: range of the pixels in the training images.
    """

    takes: str
    low: Tensor
    high: Tensor

    def __init__(
        self,
        channels: int,
        size: int | None,
        bytes: bool,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.size, self.bytes = channels, size, bytes
        self.config = {"channels": channels, "size": size, "bytes": bytes}
        kind = "decoded images of bytes (torch.uint8)" if bytes else "decoded images"
        self.takes = f"{kind} (N, H, W), (N, channels, H, W), or a list of N images of any sizes"
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("high", torch.tensor(high, dtype=torch.float32))

    def forward(self, images: Tensor | Sequence[Tensor]) -> Tensor:
        """Returns images (N, channels, H, W) in single precision.

        Raises:
            ValueError: they are of another shape, or of another type than those of the training.
        """
        if not isinstance(images, Tensor):
            return torch.cat([self.forward(one[None]) for one in images])
        if images.dim() == 3:
            images = images[:, None]
        if images.dim() != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"The images have shape {tuple(images.shape)}; expected are (N, H, W), (N, 1, H, W)"
                " or (N, 3, H, W)."
            )
        if self.bytes != (images.dtype == torch.uint8):
            wanted = "bytes (torch.uint8)" if self.bytes else "numbers, not bytes"
            raise ValueError(f"The images are of {images.dtype}; expected are {wanted}.")
        if self.size is not None:
            images = self._resized(images, self.size)
        return self._with_channels(self._in_unit_range(images))

    def _resized(self, images: Tensor, size: int) -> Tensor:
        """The middle square of bytes, resized as Pillow's bilinear filter does, and grey if asked.

        Pillow turns a picture grey before it is resized, and rounds after either. Of some tall
        pictures it resizes the columns first: these differ by one grey level here and there.
        """
        if self.channels == 1 and images.shape[1] == 3:
            # Luma in units of 2^-16, as Pillow computes it.
            weights = torch.tensor([19595, 38470, 7471], device=images.device)[:, None, None]
            images = ((images.long() * weights).sum(1, keepdim=True) + 0x8000) >> 16
        height, width = images.shape[-2:]
        side = min(height, width)
        across = _weights(width, (width - side) / 2, side, size).to(images.device)
        down = _weights(height, (height - side) / 2, side, size).to(images.device)
        return _rounded(down @ _rounded(images.double() @ across.mT)).to(torch.uint8)

    def _in_unit_range(self, images: Tensor) -> Tensor:
        if self.bytes:
            return images.float() / 255
        span = (self.high - self.low).clamp(min=1e-12)
        return ((images.float() - self.low) / span).clamp(0, 1)

    def _with_channels(self, images: Tensor) -> Tensor:
        if images.shape[1] == self.channels:
            return images
        if self.channels == 3:
            return images.expand(-1, 3, -1, -1)
        grey = torch.tensor(GREY, device=images.device)[:, None, None]
        return (images * grey).sum(1, keepdim=True)


def _weights(length: int, first: float, span: float, size: int) -> Tensor:
    """Weights (size, length) of a triangle filter that is as wide as the reduction, whole units.

    Args:
        length: pixels that there are.
        first, span: the stretch of them to take.
        size: pixels to give.
    """
    step = span / size
    reach = max(step, 1.0)
    weights = torch.zeros(size, length, dtype=torch.float64)
    for index in range(size):
        centre = first + (index + 0.5) * step
        begin, end = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), length)
        offsets = torch.arange(begin, end, dtype=torch.float64) - centre + 0.5
        own = (1 - (offsets / reach).abs()).clamp(min=0)
        weights[index, begin:end] = own / own.sum()
    return (weights * FIXED_POINT + 0.5).floor()


def _rounded(sums: Tensor) -> Tensor:
    """Weighted sums of bytes in whole units, as bytes in double precision."""
    return ((sums + FIXED_POINT / 2) / FIXED_POINT).floor().clamp(0, 255)
