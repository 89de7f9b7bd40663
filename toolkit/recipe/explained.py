"""What a recipe's words and plugins' options mean, taken from the schema that checks them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

_SIMPLE = {"boolean": "true or false", "null": "null", "string": "text", "object": "mapping"}
_LONGEST_DEFAULT = 60


@dataclass(frozen=True)
class Explained:
    """One word of a recipe, or one option of a plugin.

    Attributes:
        name: as in a recipe, dotted where it lies in a mapping: `covariance.window`.
        values: what may be given, with its range: `integer above 0`.
        default: as it is written in a recipe; empty where there is none to write, which the meaning
            then explains.
        required: whether a recipe must give it.
        meaning: what it does, with its unit.
        examples: values as they are written in a recipe.
    """

    name: str
    values: str
    default: str
    required: bool
    meaning: str
    examples: tuple[str, ...] = ()


def explain(model: type[BaseModel]) -> list[Explained]:
    """Explains every field of a model, those of the models in it after the field that holds them.

    Args:
        model: a plugin's `Options`, or a block of a recipe.
    """
    schema = model.model_json_schema()
    return list(_fields(schema, schema.get("$defs", {}), ""))


def _fields(schema: Mapping[str, Any], defs: Mapping[str, Any], before: str) -> Iterator[Explained]:
    for name, field in schema.get("properties", {}).items():
        if before and "const" in field and name in schema.get("required", ()):
            continue  # The name by which a mapping is told from others.
        whole = f"{before}{name}"
        required = name in schema.get("required", ())
        default = (
            "" if required or field.get("default") in (None, {}, []) else written(field["default"])
        )
        yield Explained(
            whole,
            values_of(field, defs),
            default if len(default) <= _LONGEST_DEFAULT else "",
            required,
            field.get("description", ""),
            tuple(map(written, field.get("examples", ()))),
        )
        for label, inner in _inner(field, defs):
            yield from _fields(inner, defs, f"{whole}{label}.")


def _inner(field: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The mappings that a field may hold, with what tells one from others: `(median)`."""
    found = [part for part in _parts(field, defs) if "properties" in part]
    for part in found:
        yield (f"({_variant(part)})" if len(found) > 1 else ""), part


def _parts(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema's alternatives, references followed, lists entered."""
    if "$ref" in schema:
        yield from _parts(defs[schema["$ref"].rpartition("/")[2]], defs)
        return
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    for alternative in alternatives:
        yield from _parts(alternative, defs)
    if isinstance(schema.get("items"), Mapping):
        yield from _parts(schema["items"], defs)
    if not alternatives:
        yield schema


def _variant(schema: Mapping[str, Any]) -> str:
    constants = [
        field["const"] for field in schema.get("properties", {}).values() if "const" in field
    ]
    return str(constants[0] if constants else schema.get("title", ""))


def values_of(schema: Mapping[str, Any], defs: Mapping[str, Any] = {}) -> str:
    """What a JSON Schema allows, in words: `integer above 0`, `a, b or c`."""
    if "$ref" in schema:
        return values_of(defs[schema["$ref"].rpartition("/")[2]], defs)
    for kind in ("anyOf", "oneOf", "allOf"):
        if kind in schema:
            texts = [values_of(part, defs) for part in schema[kind] if part.get("type") != "null"]
            return _either(list(dict.fromkeys(texts)))
    if "const" in schema:
        return written(schema["const"])
    if "enum" in schema:
        return _either([written(value) for value in schema["enum"]])
    kind = schema.get("type", "")
    if kind in ("integer", "number"):
        return kind + _range(schema)
    if kind == "array":
        return _list(schema, defs)
    if kind == "string" and schema.get("format") in ("path", "file-path", "directory-path"):
        return "path"
    return _SIMPLE.get(kind, "any value")


def _either(texts: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = {"above": above, "of at least": low, "below": below, "of at most": high}
    said = [f"{word} {bound:g}" for word, bound in words.items() if bound is not None]
    return f" {' and '.join(said)}" if said else ""


def _list(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        inner = list(dict.fromkeys(values_of(item, defs) for item in schema["prefixItems"]))
        return f"list of {len(schema['prefixItems'])}: {_either(inner)}"
    items = schema.get("items")
    return f"list of {values_of(items, defs)}" if items else "list"


def written(value: Any) -> str:
    """A plain value as a recipe can have it, in one line of YAML."""
    if isinstance(value, str) and value and not set(value) & set(":{}[],#&*!|>'\"%@`<="):
        return value
    if isinstance(value, Mapping):
        # Schemas sort what they hold; people write what something is before its options.
        items = sorted(value.items(), key=lambda item: item[0] != "name")
        return "{" + ", ".join(f"{name}: {written(inner)}" for name, inner in items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)
