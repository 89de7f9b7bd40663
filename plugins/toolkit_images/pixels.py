"""Arrays of pixels: which axis is which, in which range, how many channels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DataError

Layout = Literal["auto", "nchw", "nhwc"]
BYTES = "bytes divided by 255"
"""Preparation of pixels stored as bytes, in words."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Luma of red, green and blue (ITU-R BT.601)."""
_LOOKED_AT = 200
"""New images whose range is looked at."""


def image_shape(
    shape: tuple[int, ...], layout: Layout, name: str
) -> tuple[tuple[int, int, int], bool]:
    """Shape (channels, height, width) of one image, and whether its channels come last.

    Raises:
        DataError: the array holds no images, or its axes can be read in two ways.
    """
    if len(shape) == 3:
        return (1, shape[1], shape[2]), False
    if len(shape) != 4:
        raise DataError(
            f"{name!r} has shape {shape}.",
            hint="Images are read as (N, H, W), (N, H, W, channels) or (N, channels, H, W).",
        )
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if layout == "auto" and first == last:
        raise DataError(
            f"{name!r} has shape {shape}, in which the channels (1 or 3) cannot be told.",
            hint="Set the task's layout to nchw or nhwc.",
        )
    channels_last = last if layout == "auto" else layout == "nhwc"
    channels = shape[3] if channels_last else shape[1]
    if channels not in (1, 3):
        raise DataError(
            f"{name!r} has shape {shape}: {channels} channels read as {layout}.",
            hint="Images have 1 channel or 3; look at the task's layout.",
        )
    if channels_last:
        return (channels, shape[1], shape[2]), True
    return (channels, shape[2], shape[3]), False


def to_nchw(images: NDArray[Any], layout: Layout, name: str) -> NDArray[Any]:
    """Images as (N, channels, H, W), their type unchanged.

    Raises:
        DataError: see `image_shape`; or they are not of real numbers, all finite.
    """
    shape, channels_last = image_shape(images.shape, layout, name)
    if images.dtype.kind not in "uifb":
        raise DataError(f"{name!r} has type {images.dtype}; images are of bytes or real numbers.")
    if images.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(1))
        if len(wrong):
            raise DataError(
                f"Image {wrong[0]} of {name!r} has a pixel that is not finite"
                f" ({len(wrong)} images have).",
                hint="Leave these images out, or fill the pixels in.",
            )
    if channels_last:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return images.reshape(len(images), *shape)


def fitted_range(images: NDArray[Any], train: NDArray[Any]) -> tuple[float, float] | None:
    """Returns the lowest and the highest pixel of the training images; None for bytes.

    Pixels that lie in [0, 1] already are to stay as they are: their range is (0, 1).
    """
    if images.dtype == np.uint8:
        return None
    own = images[train].astype(np.float32)
    low, high = float(own.min()), float(own.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def in_unit_range(
    images: NDArray[Any], known: tuple[float, float] | None
) -> tuple[NDArray[Any], str]:
    """Pixels in [0, 1], and what was done to them in words.

    Bytes stay bytes, which `to_float` divides by 255. Other numbers are shifted and scaled so that
    their range, that of the training images, is [0, 1]; pixels of others beyond it are clipped.
    """
    if known is None:
        return images, BYTES
    images, (low, high) = images.astype(np.float32), known
    if (low, high) == (0.0, 1.0):
        return images.clip(0, 1), "the pixels as they are, clipped to [0, 1]"
    scaled = ((images - low) / max(high - low, 1e-12)).clip(0, 1)
    return scaled, f"(pixel - {low:.9g}) / {max(high - low, 1e-12):.9g}, clipped to [0, 1]"


def warn_of_range(images: NDArray[Any], known: tuple[float, float] | None) -> list[str]:
    """Warns of new images (N, ...) most of which reach far beyond the range of the training's.

    Args:
        images: as they come.
        known: the range of those of the training; None for bytes.
    """
    if known is None or not len(images):
        return []
    some = images[:: -(-len(images) // _LOOKED_AT)].reshape(-1, images[0].size)
    low, high = (float(np.median(ends)) for ends in (some.min(1), some.max(1)))
    reach = (known[1] - known[0]) / 2
    if known[0] - reach <= low and high <= known[1] + reach:
        return []
    return [
        f"The pixels of the new images go from {low:.4g} to {high:.4g} (medians of the least and"
        f" largest of an image), those of the training from {known[0]:.4g} to {known[1]:.4g}: what"
        " lies beyond is clipped. If they are in other units, 0 to 255 for 0 to 1 say, save them in"
        " those of the training."
    ]


def to_float(images: NDArray[Any]) -> NDArray[np.float32]:
    """float32 in [0, 1]."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(images, np.float32)


def channels_in_words(given: int, wanted: int | None) -> str:
    """What `with_channels` does, as the end of a sentence."""
    if wanted is None or given == wanted:
        return ""
    if wanted == 3:
        return "; then the one channel three times"
    return "; then 0.299 red + 0.587 green + 0.114 blue as the one channel"


def with_channels(images: NDArray[np.float32], channels: int | None) -> NDArray[np.float32]:
    """Images (N, C, H, W) with the wanted number of channels: repeated, or made grey."""
    if channels is None or images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    return np.einsum("nchw,c->nhw", images, GREY)[:, None]
