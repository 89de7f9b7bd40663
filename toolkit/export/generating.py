"""What the `model.py` of a generator holds beside it: samples by class, and a small `main`.

The exporter copies these definitions; they import only torch and the standard library.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from pathlib import Path

import torch

from toolkit.base.conditions import conditions


class GeneratingModel(torch.nn.Module):
    """A generator, asked by the names of classes.

    Args:
        network: takes noise and class weights, one tensor (N, noise + classes).
        input_size: numbers of one input.
        classes: their names, by index.
    """

    def __init__(self, network: torch.nn.Module, input_size: int, classes: list[str]) -> None:
        super().__init__()
        self.network, self.input_size, self.classes = network, input_size, classes

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [0, 1] of noise and class weights (N, noise + classes)."""
        images: torch.Tensor = self.network(given)
        return images

    @torch.inference_mode()
    def sample(self, name: str, n: int = 1, seed: int = 0) -> torch.Tensor:
        """Images (n, C, H, W) in [0, 1] of a class; equal seeds give equal images.

        Raises:
            ValueError: there is no such class, or n is below 1.
        """
        if name not in self.classes:
            raise ValueError(f"There is no class {name!r}; there are {', '.join(self.classes)}.")
        if n < 1:
            raise ValueError(f"{n} images cannot be made; give 1 or more.")
        labels = torch.full((n,), self.classes.index(name))
        count = len(self.classes)
        drawing = torch.Generator().manual_seed(seed)
        given = conditions(labels, count, self.input_size - count, drawing)
        return torch.cat([self(part) for part in given.split(256)])


def png_of(image: torch.Tensor) -> bytes:
    """An image (C, H, W) in [0, 1] as a PNG file."""
    channels, height, width = image.shape
    pixels = (image * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()
    lines = b"".join(b"\0" + bytes(line.flatten().tolist()) for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def grid_of(images: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) side by side in a square, as one image."""
    side = math.ceil(math.sqrt(len(images)))
    missing = images.new_zeros(
        side * math.ceil(len(images) / side) - len(images), *images.shape[1:]
    )
    rows = torch.cat([images, missing]).split(side)
    return torch.cat([torch.cat(list(row), 2) for row in rows], 1)


def run_generator(model: GeneratingModel) -> None:
    """Print what a model is, or write samples of the class that is named as one PNG file."""
    words = sys.argv[1:]
    if not words:
        count = sum(parameter.numel() for parameter in model.network.parameters())
        name, classes = type(model.network).__name__, ", ".join(model.classes)
        sys.stdout.write(f"{name}: {count:,} parameters, generates {classes}\n")
        return
    if len(words) != 3 or not words[1].isdecimal():
        sys.exit("usage: python model.py CLASS COUNT FILE.png")
    try:
        images = model.sample(words[0], int(words[1]))
        Path(words[2]).write_bytes(png_of(grid_of(images)))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{len(images)} images of {words[0]} in {words[2]}\n")
