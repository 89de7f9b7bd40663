"""Plain JSON out of what code hands around, and its digest: NaN and infinities are null.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

MOST_METRICS = 10_000
"""Metrics of one report or result: each is a column for those who read them."""

Direction: TypeAlias = Literal["maximize", "minimize"]
"""Which way a number is better."""


def finite(content: Any) -> Any:
    """Returns plain JSON with NaN and infinities as null, which JSON lacks."""
    if content is None or type(content) in (str, int, bool):
        return content
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return content


def digest(content: Any) -> str:
    """Hash of plain JSON content, independent of the order of keys: 16 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def floats(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns metrics as plain floats, also where they came as 0-d tensors or NumPy scalars.

    Raises:
        ValueError: there are more than `MOST_METRICS`.
    """
    if len(values) > MOST_METRICS:
        raise ValueError(f"{len(values)} metrics given, expected at most {MOST_METRICS}")
    return {str(name): float(value) for name, value in values.items()}


def is_number(value: Any) -> bool:
    """Says whether a metric is there and finite."""
    return isinstance(value, int | float) and math.isfinite(value)


def shortened(text: str, most: int = 20_000) -> str:
    """Returns a text without its middle where it has more characters than `most`."""
    if len(text) <= most:
        return text
    left_out = len(text) - most
    return f"{text[: most // 2]}\n[... {left_out} characters left out ...]\n{text[-most // 2 :]}"


def text_of(error: BaseException) -> str:
    """Returns the text of an exception of a plugin's, whatever making it does.

    One that cannot be made is said to be so; what is no UTF-8 in it is an escape.
    """
    try:
        return encodable(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as fault:
        return f"its text cannot be made ({type(fault).__name__})"


def copied(value: Any) -> Any:
    """Returns a copy of plain JSON."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def shown(value: Any, most: int = 500) -> str:
    """Returns a value of a plugin's as its `repr` says it, whatever making that does."""
    try:
        return encodable(shortened(repr(value), most))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"{type(value).__name__} that cannot be shown"


def size_in_words(count: float) -> str:
    """Returns a number of bytes with its unit: `1.5 GB`."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:{'.0f' if count >= 100 * size else '.3g'}} {unit}"
    return f"{count / 1e3:.3g} kB"


def encodable(text: str) -> str:
    """Returns text that can be written as UTF-8, with what cannot as escapes.

    Python holds bytes that are no UTF-8, such as those of a file's name, as lone surrogates.
    """
    return text.encode("utf-8", "backslashreplace").decode()
