"""Values of the environment that a recipe names: shown to nobody, wherever a text repeats them."""

from __future__ import annotations

import json

_SHORTEST = 4
"""Characters: what is shorter stands in any text by chance."""
_known: dict[str, str] = {}


def hide(value: str, name: str) -> None:
    """Has a value stand as its name, such as `${env:TOKEN}`, in all texts that are masked."""
    if len(value) >= _SHORTEST:
        _known[value] = name


def masked(text: str) -> str:
    """Returns a text with names in place of values, as they are and as JSON writes them."""
    for value in sorted(_known, key=len, reverse=True):
        escaped = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
        for written in {value, *escaped}:
            text = text.replace(written, _known[value])
    return text
