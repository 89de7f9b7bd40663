"""Values of the environment that a recipe names: shown to nobody, wherever a text repeats them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_SHORTEST = 4
"""Characters: what is shorter stands in any text by chance."""
_known: dict[str, str] = {}


def hide(value: str, name: str) -> None:
    """Has a value stand as its name, such as `${env:TOKEN}`, in all texts that are masked."""
    if len(value) >= _SHORTEST:
        _known[value] = name


def hidden() -> dict[str, str]:
    """Returns the names that stand for values, by value, to be hidden in another process too."""
    return dict(_known)


def hide_all(values: Mapping[str, str]) -> None:
    """Has what is hidden in another process hidden in this one, see `hidden`."""
    for value, name in values.items():
        hide(value, name)


def written_forms() -> list[tuple[str, str]]:
    """Returns how values are written, as they are, in JSON and in URLs, each with its name.

    The longest come first.
    """
    forms = [(form, name) for value, name in _known.items() for form in _forms(value)]
    return sorted(forms, key=lambda written: len(written[0]), reverse=True)


def masked(text: str) -> str:
    """Returns a text with names in place of values, as they are and as JSON and URLs have them."""
    for form, name in written_forms():
        text = text.replace(form, name)
    return text


def masked_within(plain: Any) -> Any:
    """Returns plain data with the texts in it masked; keys stay."""
    if isinstance(plain, str):
        return masked(plain)
    if isinstance(plain, Mapping):
        return {key: masked_within(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [masked_within(value) for value in plain]
    return plain


def _forms(value: str) -> set[str]:
    escaped = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {value, *escaped, quote(value, safe="", errors="replace")}
