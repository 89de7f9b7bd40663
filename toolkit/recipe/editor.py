"""The recipe's JSON Schema, for editors: every word, and every plugin's options by its name.

A recipe that the schema refuses is refused by `toolkit validate` too. The reverse does not hold:
rules over several options, and what the data say, are checked by `toolkit validate` alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from toolkit.base.errors import PluginError
from toolkit.recipe.schema import PLUGIN_WORDS, RecipeBlocks
from toolkit.recipe.values import KINDS
from toolkit.registry import Registry, Row

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SEARCHED = "searched"
_NEVER_SEARCHED = ("seed", "final", "name")


def json_schema(registry: Registry) -> dict[str, Any]:
    """Builds the schema of the recipes that a registry's plugins can run.

    Plugins that do not load are left out.
    """
    schema = RecipeBlocks.model_json_schema()
    definitions = schema["$defs"]
    definitions.pop("PluginChoice")
    _let_search(definitions["Train"])
    definitions[_SEARCHED] = _searched()
    rows = registry.rows()
    for word, kind in PLUGIN_WORDS.items():
        of_kind = [row for row in rows if row.kind == kind]
        about = schema["properties"][word]
        schema["properties"][word] = {
            "description": about["description"],
            "examples": about.get("examples", []),
            **_plugin_word(word, of_kind, registry, definitions),
        }
    executors = registry.names("executors")
    definitions["Resources"]["properties"]["executor"]["enum"] = executors
    return {"$schema": DIALECT, **schema, "title": "A recipe of nas-toolkit"}


def _searched() -> dict[str, Any]:
    return {
        "description": "a value to be searched",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {kind: {"type": "array"} for kind in KINDS},
    }


def _plugin_word(
    word: str, rows: Sequence[Row], registry: Registry, definitions: dict[str, Any]
) -> dict[str, Any]:
    names, rules = [], []
    for row in rows:
        try:
            options: type[BaseModel] = registry.get(row.kind, row.name).Options
        except PluginError:
            continue
        names.append({"const": row.name, "description": row.purpose})
        own = f"{word}.{row.name}"
        definitions[own] = _options(options, own, definitions, word != "strategy")
        chosen = {"properties": {"name": {"const": row.name}}}
        rules.append({"if": chosen, "then": {"$ref": f"#/$defs/{own}"}})
    with_options = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"oneOf": names}},
        "allOf": rules,
    }
    return {"anyOf": [{"oneOf": names}, with_options]}


def _options(
    model: type[BaseModel], own: str, definitions: dict[str, Any], searched: bool
) -> dict[str, Any]:
    """A plugin's options; the definitions that they refer to join the others, under its name."""
    schema: dict[str, Any] = _renamed(model.model_json_schema(), own)
    inner = schema.pop("$defs", {})
    for part in (schema, *inner.values()) if searched else ():
        _let_search(part)
    definitions.update({f"{own}.{name}": part for name, part in inner.items()})
    schema["properties"] = {"name": {"type": "string"}, **schema.get("properties", {})}
    return schema


def _renamed(schema: Any, own: str) -> Any:
    """A copy whose references lead to definitions under a plugin's name."""
    if isinstance(schema, list):
        return [_renamed(inner, own) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    copied = {
        name: _renamed(inner, own) for name, inner in schema.items() if name != "discriminator"
    }
    if isinstance(schema.get("$ref"), str):
        copied["$ref"] = schema["$ref"].replace("#/$defs/", f"#/$defs/{own}.")
    return copied


def _let_search(schema: dict[str, Any]) -> None:
    """Allows a searched value in place of each of a mapping's values, and inside of its lists."""
    for name, field in schema.get("properties", {}).items():
        if name not in _NEVER_SEARCHED:
            schema["properties"][name] = _or_searched(field)


def _or_searched(field: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {
        name: field[name] for name in ("description", "default", "examples") if name in field
    }
    bare = copy.deepcopy({name: inner for name, inner in field.items() if name not in about})
    for part in (bare, *bare.get("anyOf", ())):
        if isinstance(part.get("items"), dict):
            part["items"] = _or_searched(part["items"])
        if "prefixItems" in part:
            part["prefixItems"] = [_or_searched(item) for item in part["prefixItems"]]
    return {**about, "anyOf": [bare, {"$ref": f"#/$defs/{_SEARCHED}"}]}
