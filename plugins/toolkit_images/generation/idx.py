"""Files in the idx format of MNIST: a type, a shape, and bytes; gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DataError

_BYTES = 0x08
_MOST = 1 << 30
"""Bytes of an array that is read at most."""


def find_idx(folder: Path, part: str, what: str) -> Path:
    """The file of a part (`train` or `t10k`) in a folder, `what` being images or labels.

    Raises:
        DataError: there is none, or more than one.
    """
    found = sorted(
        path for path in folder.glob(f"*{part}-{what}-idx?-ubyte*") if path.suffix in ("", ".gz")
    )
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"{folder} holds {names} as the {what} of {part}, and one file is expected.",
            hint=f"Put {part}-{what}-idx{3 if what == 'images' else 1}-ubyte.gz there.",
        )
    return found[0]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of bytes in a file.

    Raises:
        DataError: it is no idx file of bytes, or its length is another than its shape says.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                content = stream.read(_MOST + 1)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Fetch it anew.") from error
    head = content[:4]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _BYTES or not 1 <= head[3] <= 4:
        raise DataError(
            f"{path} is no idx file of bytes.", hint="Its first bytes are 0, 0, 8 and the axes."
        )
    start = 4 + 4 * head[3]
    if len(content) < start:
        raise DataError(f"{path} ends in its head.", hint="Fetch it anew.")
    shape = struct.unpack(f">{head[3]}I", content[4:start])
    if math.prod(shape) != len(content) - start or math.prod(shape) > _MOST:
        raise DataError(
            f"{path} has {len(content) - start} bytes for the shape {shape}.",
            hint="Fetch it anew.",
        )
    array: NDArray[Any] = np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    return array
