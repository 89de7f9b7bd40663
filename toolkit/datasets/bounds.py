"""What files of arrays may ask for: a header of its usual size, arrays that fit into memory.

An archive of a few kilobytes can hold zeros for terabytes. Sizes stand in the headers, so that they
are refused before anything is taken.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from toolkit.base.errors import DataError
from toolkit.base.files import special_kind
from toolkit.base.memory import CAP, allowed_bytes
from toolkit.base.plain import size_in_words

HEADER = 1 << 17
"""Bytes that are read of a header; NumPy's own limit is below."""


class Header(NamedTuple):
    """Shape and type of a stored array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes that the array takes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: Any) -> tuple[Header, bool, bytes]:
    """Reads the header of an `.npy` file.

    Returns:
        The header; whether columns are stored one after the other; what was read of the content.

    Raises:
        ValueError: it is none.
    """
    head = io.BytesIO(stream.read(HEADER))
    if np.lib.format.read_magic(head) == (1, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(head)
    else:
        shape, by_column, dtype = np.lib.format.read_array_header_2_0(head)
    return Header(shape, dtype), by_column, head.read()


def refuse_special(path: Path, hint: str = "") -> None:
    """Refuses what is neither a file nor a folder.

    Raises:
        DataError: it is a FIFO, a device or a socket.
    """
    if kind := special_kind(path):
        raise DataError(f"{path} is {kind}, expected a file.", hint=hint)


def refuse_too_large(what: str, size: int) -> None:
    """Refuses an array that cannot be held in memory.

    Args:
        what: it is, for the message.
        size: in bytes.

    Raises:
        DataError: there is less memory, or `resources.memory` allows less.
    """
    allowed = allowed_bytes()
    if size > allowed:
        cap = CAP in os.environ and int(os.environ[CAP]) == allowed
        whose = "resources.memory allows" if cap else "are free"
        raise DataError(
            f"{what} takes {size_in_words(size)} of memory, and {size_in_words(allowed)} {whose}.",
            hint="Give fewer samples or a narrower type, such as float32.",
        )
