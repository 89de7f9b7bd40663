"""Images as PNG files, written with zlib alone."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Returns a PNG file of 8 bits a channel, without a filter on its lines.

    Args:
        pixels: bytes (height, width) of a grey image, or (height, width, 3) of a coloured one.

    Raises:
        ValueError: they are of another shape or type.
    """
    coloured = pixels.ndim == 3 and pixels.shape[2] == 3
    if str(pixels.dtype) != "uint8" or not (coloured or pixels.ndim == 2) or not pixels.size:
        raise ValueError(
            f"pixels are {pixels.dtype} {pixels.shape}; bytes (height, width) or"
            " (height, width, 3) are expected"
        )
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if coloured else 0, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
