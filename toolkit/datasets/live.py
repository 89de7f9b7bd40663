"""Arrays of a running program, made fit to be kept in an archive.

Import this inside functions: it imports NumPy, which `import toolkit` must not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.base.errors import DataError

_STORED = "iufcbUS"
"""Kinds of numbers and text: what is stored and read without pickle."""
_RAGGED = (
    "Samples of unequal length go one after the other into one array, with their lengths in a"
    " second one."
)


def to_array(value: Any, name: str) -> NDArray[Any]:
    """Returns what NumPy makes of a list, a Series, a tensor, ...: an array of numbers or text.

    Args:
        value: anything with one entry a sample.
        name: what to call it in an error.

    Raises:
        DataError: it is no such array, or one of Python objects.
    """
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    if np.ma.is_masked(detached):
        raise DataError(
            f"{name!r} is masked in {int(np.ma.count_masked(detached))} entries, and masks are not"
            " stored.",
            hint="Leave these samples out, or fill the entries in: array.filled(value).",
        )
    try:
        array = np.asarray(detached)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{name!r} is no array: {str(error).rstrip('.')}.",
            hint=_RAGGED,
        ) from None
    if array.dtype.kind == "O":
        array = _of_one_kind(array, name)
    if array.dtype.kind not in _STORED:
        raise DataError(
            f"{name!r} is an array of type {array.dtype}, expected numbers or text.",
            hint="Convert it first, for example with astype(float) or astype(str).",
        )
    if array.ndim == 0:
        raise DataError(f"{name!r} is a single value, expected an array with one entry a sample.")
    return array


def _of_one_kind(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Text or numbers that came as Python objects, as the columns of data frames do."""
    items = array.ravel().tolist()
    if items and array.ndim:
        if all(isinstance(item, str) for item in items):
            return array.astype(str)
        if all(isinstance(item, Number) for item in items):
            return np.array(items).reshape(array.shape)
    odd = [type(item).__name__ for item in items if not isinstance(item, str | Number)]
    what = f"Python objects ({odd[0]})" if odd else "text and numbers mixed"
    raise DataError(
        f"{name!r} holds {what}, which are never stored.",
        hint=f"Give an array of numbers or of text. {_RAGGED}",
    )


def content_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Returns the SHA-256 of arrays' names, types, shapes and entries, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()


def describe_changes(old: Mapping[str, NDArray[Any]], new: Mapping[str, NDArray[Any]]) -> list[str]:
    """Says for each array that differs between two sets of them what differs."""
    said = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            said.append(f"{name} is missing now")
        elif name not in old:
            said.append(f"{name} was not there")
        elif old[name].shape != new[name].shape:
            said.append(f"{name} had the shape {old[name].shape}, and has {new[name].shape}")
        elif old[name].dtype != new[name].dtype:
            said.append(f"{name} was of type {old[name].dtype}, and is of {new[name].dtype}")
        else:
            count = int(_differs(old[name], new[name]).sum())
            if count:
                said.append(f"{name} differs in {count} of {new[name].size} entries")
    return said


def _differs(old: NDArray[Any], new: NDArray[Any]) -> NDArray[np.bool_]:
    both_nan = (old != old) & (new != new)
    different: NDArray[np.bool_] = (old != new) & ~both_nan
    return different
