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
from toolkit_images.pixels import to_float

_SIXTEEN_BITS = ("PNG", "PPM")
"""Formats whose 16 bits Pillow gives as mode I, from 0 to 65535."""
_OF_FRAMES = frozenset({".gif", ".tif", ".tiff", ".webp", ".avif", ".apng", ".png"})
"""Endings of files that may hold more than one frame."""
MOST_HEADS = 5000
"""Files whose heads are looked at for further frames; of more, as many from all over them."""
GREY = frozenset({"1", "L", "I", "F", "I;16", "I;16B", "I;16L"})
"""Modes of Pillow without colours."""


def read_image(path: Path, size: int, channels: int) -> NDArray[Any]:
    """One image (channels, size, size), resized and cut to the middle square.

    Its pixels are bytes, or float32 in [0, 1] of a file of more than 8 bits a pixel. Of several
    frames the first is taken; what is transparent lies over white.

    Raises:
        DataError: the file cannot be decoded, or the range of its pixels is not known.
    """
    try:
        with Image.open(path) as image:
            picture = _in_known_range(ImageOps.exif_transpose(image), image.format or "", path)
            if picture.mode != "F":
                picture = picture.convert("L" if channels == 1 else "RGB")
            square = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as an image: {str(error).rstrip('.')}.",
            hint="Remove the file or get it again.",
        ) from error
    if square.mode == "F":
        deep = np.asarray(square, np.float32).clip(0, 1)
        return np.repeat(deep[None], channels, axis=0)
    pixels = np.asarray(square, np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def look_at_heads(files: Sequence[Path]) -> list[tuple[int, bool]]:
    """Shorter side of each image in pixels, and whether it is grey, from the heads of the files.

    Damaged ones are left out.
    """
    found = []
    for path in files:
        try:
            with Image.open(path) as image:
                grey = image.mode in GREY and "transparency" not in image.info
                found.append((min(image.size), grey))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return found


def warn_of_frames(files: Sequence[Path], root: Path) -> list[str]:
    """Warns of files with further frames, as animations and stacks have them: one is read of each.

    Args:
        files: all images.
        root: what they lie in, which their names are told without.
    """
    some = [path for path in files if path.suffix.lower() in _OF_FRAMES]
    step = -(-len(some) // MOST_HEADS) or 1
    counts = {path: frames for path in some[::step] if (frames := _frames(path)) > 1}
    if not counts:
        return []
    first, frames = next(iter(counts.items()))
    looked_at = f"the {len(some[::step])} looked at of " if step > 1 else ""
    name = first.relative_to(root) if first != root else first.name
    has = "has" if len(counts) == 1 else "have"
    return [
        f"{len(counts)} of {looked_at}{len(files)} image files {has} further frames, and only the"
        f" first frame of a file is read: {name} has {frames}. Where the others count, save each as"
        " a file of its own."
    ]


def _frames(path: Path) -> int:
    """How many frames a file has; damaged ones, which are refused when they are read, have one."""
    try:
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return 1


def _in_known_range(image: Image.Image, format: str, path: Path) -> Image.Image:
    """A picture of bytes, opaque, or one of numbers (mode F) in [0, 1]."""
    deep = image.mode.startswith("I;16") or (image.mode == "I" and format in _SIXTEEN_BITS)
    if deep:
        return Image.fromarray(np.asarray(image, np.float32) / np.float32(65535))
    if image.mode in ("I", "F"):
        numbers = np.asarray(image, np.float32)
        low, high = float(numbers.min()), float(numbers.max())
        if image.mode == "I" or not (low >= 0 and high <= 1):
            kind = "whole numbers of 32 bits" if image.mode == "I" else "fractions"
            raise DataError(
                f"{path} holds {kind} from {low:g} to {high:g}, of which the range is not known.",
                hint="Save images of 8 or 16 bits, or of fractions from 0 to 1; the task"
                " image_arrays takes other numbers from an archive.",
            )
        return image
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB") if image.mode in ("LAB", "HSV") else image


def read_images(files: Sequence[Path], size: int, channels: int) -> NDArray[Any]:
    """All images (N, channels, size, size): bytes, or float32 in [0, 1] if one needs it."""
    images: NDArray[Any] = np.empty((len(files), channels, size, size), np.uint8)
    for index, path in enumerate(files):
        image = read_image(path, size, channels)
        if image.dtype != images.dtype:
            images, image = to_float(images), to_float(image)
        images[index] = image
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
        return torch.from_numpy(np.ascontiguousarray(to_float(pixels))), self.targets[index]
