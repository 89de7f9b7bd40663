"""What pydantic found wrong, said in a recipe's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.base.spelling import did_you_mean
from toolkit.recipe.document import show
from toolkit.recipe.explained import written
from toolkit.recipe.faults import Path
from toolkit.recipe.schema import NAME_PATTERN
from toolkit.recipe.values import is_searched

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "date_type": "a date",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "list_type": "a list",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "null",
    "path_type": "a path",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
}
_TEXT = {"string_type", "path_type"}
_SIZES = ("string_too_long", "string_too_short", "too_long", "too_short")
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}


def validate_json(model: type[BaseModel], data: Mapping[str, Any]) -> BaseModel:
    """Validate plain JSON data without conversions, so that `true` or `"5"` is no integer.

    Raises:
        ValidationError: the data do not suit the model.
    """
    return model.model_validate_json(json.dumps(data), strict=True)


def problems(
    error: ValidationError, model: type[BaseModel], data: Any
) -> Iterator[tuple[Path, str, bool]]:
    """Say every fault that validation found.

    Yields:
        path in the data, text, and whether the fault is in the key rather than in the value.
        Alternatives that a value missed are joined into one fault.
    """
    expectations: dict[Path, list[str]] = {}
    values: dict[Path, Any] = {}
    hints: dict[Path, str] = {}
    for details in error.errors(include_url=False):
        path = _inside(details["loc"], data)
        if details["type"] == "extra_forbidden":
            yield path, _unknown_key(model, path), True
        elif details["type"] == "missing":
            name = str(details["loc"][-1])
            yield (*path, name), "missing, the recipe must give it", True
        elif details["type"] in ("value_error", "assertion_error"):
            yield path, _own_words(details), False
        else:
            values[path] = details["input"]
            expected = _expected(details)
            if expected not in expectations.setdefault(path, []):
                expectations[path].append(expected)
            hints.setdefault(path, _nearest_option(details))
    for path, expected_there in expectations.items():
        given = values[path]
        text = f"{show(given)} given, expected {' or '.join(expected_there)}"
        if "a mapping" in expected_there:
            text += _example(model, path)
        yield path, text + hints[path] + _advice(given, expected_there), False


def text_wanted(error: ValidationError, data: Any) -> list[Path]:
    """Paths in the data whose every fault is that text, or a path, is expected there."""
    kinds: dict[Path, set[str]] = {}
    for details in error.errors(include_url=False):
        kinds.setdefault(_inside(details["loc"], data), set()).add(details["type"])
    return [
        path
        for path, found in kinds.items()
        if found & _TEXT and found <= _TEXT | {"none_required"} and path
    ]


def _inside(location: tuple[int | str, ...], data: Any) -> Path:
    """The part of a location that leads through the data (the rest names types of a union)."""
    path: list[str | int] = []
    for step in location:
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_list or (isinstance(data, Mapping) and step in data):
            data = data[step]
            path.append(step)
    return tuple(path)


def _own_words(details: ErrorDetails) -> str:
    words = details.get("ctx", {}).get("error", details["msg"])
    return " ".join(str(words).split())


def _expected(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    kind = details["type"]
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"a number {words} {context[key]:g}"
    if kind in _SIZES:
        return f"a {'text' if kind.startswith('string') else 'list'} of {_sized(details)}"
    if kind in ("literal_error", "enum"):
        return str(context["expected"]).replace("'", "")
    if kind == "string_pattern_mismatch":
        if context["pattern"] == NAME_PATTERN:
            return "letters, digits, _, . and -, beginning with a letter or a digit"
        return f"text that matches {context['pattern']}"
    text = details["msg"]
    for start in ("Input should be ", "Value error, "):
        text = text.removeprefix(start)
    return text[:1].lower() + text[1:]


def _sized(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    most = details["type"].endswith("too_long")
    count = context["max_length" if most else "min_length"]
    unit = "character" if details["type"].startswith("string") else "item"
    return f"at {'most' if most else 'least'} {count} {unit}{'' if count == 1 else 's'}"


def _nearest_option(details: ErrorDetails) -> str:
    if details["type"] != "literal_error" or not isinstance(details["input"], str):
        return ""
    options = str(details.get("ctx", {}).get("expected", "")).replace(" or ", ",")
    return did_you_mean(details["input"], [part.strip(" '") for part in options.split(",")])


def _advice(given: Any, expected: Sequence[str]) -> str:
    if is_searched(given):
        return " (values can be searched under task, space and train alone)"
    if isinstance(given, str) and given.lower() in ("yes", "no", "on", "off"):
        return " (in YAML 1.2 this is text)"
    if "text" in expected and (given is None or isinstance(given, bool | float)):
        return f" (in quotes it is text: '{json.dumps(given)}')"
    if "a list" in expected and isinstance(given, str | int | float):
        items = given.split(",") if isinstance(given, str) else [str(given)]
        return f" (as in [{', '.join(item.strip() for item in items)}])"
    return ""


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    holder = _model_at(model, path[:-1])
    known = list(holder.model_fields) if holder else []
    near = did_you_mean(str(path[-1]), known)
    if near:
        return f"unknown key{near}"
    if not known:
        return "unknown key, none is expected here"
    return f"unknown key, expected {', '.join(known)}"


def _example(model: type[BaseModel], path: Path) -> str:
    holder = _model_at(model, path[:-1]) if path else None
    field = holder.model_fields.get(str(path[-1])) if holder else None
    return f" such as {written(field.examples[0])}" if field and field.examples else ""


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for step in path:
        if at is None:
            return None
        known = at.model_fields.get(str(step))
        if known is not None:
            at = _model_in(known.annotation)
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found:
            return found
    return None
