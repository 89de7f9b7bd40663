"""Recipes and overrides given as Python objects, in the words that recipe files are written in."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from toolkit.base.errors import RecipeError
from toolkit.recipe.document import MAX_DEPTH
from toolkit.recipe.schema import PLUGIN_WORDS
from toolkit.recipe.values import is_searched

OF_THEIR_OWN = ("objectives", "constraints")
"""Words under which a user names things: a new mapping takes the place of the old one."""
_NO_PATH = frozenset("=+~ \t\r\n")


def plain_data(value: Any, where: str = "", depth: int = 0) -> Any:
    """Returns a Python value as a recipe holds it.

    Tuples and ranges are lists, paths are text, and scalars of NumPy and torch are numbers.

    Args:
        value: text, a number, True, False, None, or lists and mappings of such.
        where: the dotted path to it, for errors.

    Raises:
        RecipeError: it is something else.
    """
    if depth > MAX_DEPTH:
        raise RecipeError(f"{where[:60]}...: nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise RecipeError(f"{where}: {value} given, expected a finite number.")
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {
            _key(key, where): plain_data(inner, f"{where}.{key}".lstrip("."), depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | range):
        return [
            plain_data(inner, f"{where}.{index}", depth + 1) for index, inner in enumerate(value)
        ]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return plain_data(value.item(), where, depth + 1)
    raise RecipeError(
        f"{where}: {_a(type(value).__qualname__)} is given, and recipes hold plain data.",
        hint="Plain are text, numbers, True, False, None, and lists and mappings of these.",
    )


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise RecipeError(f"{where or 'recipe'}: the key {key!r} given, expected text.")
    return key


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def override_texts(
    overrides: Mapping[str, Any] | Sequence[str] | None, words: Mapping[str, Any]
) -> list[str]:
    """Returns overrides as the command line has them, in order.

    Args:
        overrides: values by dotted key, `{"train.lr": 0.01}`, or texts, `["train.lr=0.01"]`.
        words: values by word of the recipe. A mapping changes what it names and leaves the rest,
            `{"train": {"lr": 0.01}}`; one that names a plugin takes the place of the whole word,
            as do new objectives and constraints. None leaves a word as it is.

    Raises:
        RecipeError: a value is no plain data.
    """
    if isinstance(overrides, str):
        raise RecipeError(
            f"overrides: {overrides!r} given, expected a mapping or a list.",
            hint='For example {"train.lr": 0.01}, or ["train.lr=0.01"].',
        )
    if isinstance(overrides, Mapping):
        texts = [_text(key, value) for key, value in overrides.items()]
    else:
        texts = list(overrides or ())
    for word, value in words.items():
        if value is not None:
            texts += _texts_of_word(word, value)
    return texts


def _texts_of_word(word: str, value: Any) -> Iterator[str]:
    names_plugin = word in PLUGIN_WORDS and isinstance(value, Mapping) and "name" in value
    if names_plugin or word in OF_THEIR_OWN:
        yield _text(word, value)
    else:
        yield from _merging(word, value)


def _merging(path: str, value: Any) -> Iterator[str]:
    """Overrides for the innermost values of a mapping, so that what stands beside them stays."""
    holds_keys = isinstance(value, Mapping) and value and not is_searched(value)
    if holds_keys and all(isinstance(key, str) and not _NO_PATH & set(key) for key in value):
        for key, inner in value.items():
            yield from _merging(f"{path}.{key}", inner)
    else:
        yield _text(path, value)


def _text(path: str, value: Any) -> str:
    return f"{path}={json.dumps(plain_data(value, path))}"
