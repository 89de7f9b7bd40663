"""Images decoded from files, one by one or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.errors import DataError


def read_image(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """One image (channels, size, size) of bytes, resized and cut to the middle square.

    Raises:
        DataError: the file cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
            square = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as an image: {error}.",
            hint="Remove the file or get it again.",
        ) from error
    pixels = np.asarray(square, np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def read_images(files: Sequence[Path], size: int, channels: int) -> NDArray[np.uint8]:
    """All images, (N, channels, size, size)."""
    images = np.empty((len(files), channels, size, size), np.uint8)
    for index, path in enumerate(files):
        images[index] = read_image(path, size, channels)
    return images


class ImageFiles(Dataset[Any]):
    """Images decoded when they are asked for; `targets` are their labels."""

    def __init__(
        self, files: Sequence[Path], targets: Sequence[int], size: int, channels: int
    ) -> None:
        self.files, self.targets = list(files), list(targets)
        self.size, self.channels = size, channels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = read_image(self.files[index], self.size, self.channels)
        image = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255)
        return image, self.targets[index]
