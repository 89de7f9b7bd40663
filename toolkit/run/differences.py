"""What differs between two recipes, key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = "(absent)"
_NAMED_BY_CONTENT = re.compile(r".*/([0-9a-f]{64}\.npz)")


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ between two nested mappings, with both values."""
    flat_old, flat_new = dict(_flatten(old)), dict(_flatten(new))
    keys = dict.fromkeys([*flat_old, *flat_new])
    pairs = {key: (flat_old.get(key, _ABSENT), flat_new.get(key, _ABSENT)) for key in keys}
    return {key: pair for key, pair in pairs.items() if _content(pair[0]) != _content(pair[1])}


def _content(value: Any) -> Any:
    """A value without the folder of a file that is named by its content: it is equal anywhere."""
    named = _NAMED_BY_CONTENT.fullmatch(value) if isinstance(value, str) else None
    return named[1] if named else value


def shown_difference(key: str, pair: tuple[Any, Any]) -> str:
    """A differing key for a person to read."""
    return f"{key}: {_show(pair[0])} there, {_show(pair[1])} now"


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _show(value: Any) -> str:
    return value if value == _ABSENT else json.dumps(value)
