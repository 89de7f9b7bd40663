"""A plugin's object, made from its name in a recipe and options that its `Options` check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from toolkit.recipe.faults import Faults, Mark
from toolkit.recipe.messages import problems, validate_json
from toolkit.recipe.schema import PluginChoice
from toolkit.registry import Registry


def build(registry: Registry, kind: str, choice: PluginChoice | str) -> Any:
    """Makes a plugin's object.

    Raises:
        PluginError: see `Registry.get`.
        RecipeError: its options are wrong.
    """
    name = choice if isinstance(choice, str) else choice.name
    options = {} if isinstance(choice, str) else dict(choice.options)
    cls = registry.get(kind, name)
    return cls(checked_options(cls, name, options)) if hasattr(cls, "Options") else cls()


def checked_options(cls: Any, name: str, options: dict[str, Any]) -> Any:
    """Options of a plugin, validated as a recipe's are: without conversions.

    Raises:
        RecipeError: they are wrong; the message lists all faults.
    """
    try:
        return validate_json(cls.Options, options)
    except ValidationError as error:
        _refuse(error, cls, name, options)


def known_options(cls: Any, name: str, options: Mapping[str, Any]) -> Any:
    """Options of a plugin that were checked when a recipe was loaded, as a run keeps them.

    Raises:
        RecipeError: they are wrong all the same.
    """
    try:
        return cls.Options.model_validate(dict(options))
    except ValidationError as error:
        _refuse(error, cls, name, dict(options))


def _refuse(error: ValidationError, cls: Any, name: str, options: dict[str, Any]) -> NoReturn:
    faults = Faults()
    for path, text, _ in problems(error, cls.Options, options):
        faults.add(Mark(f"options of {name}"), path, text)
    faults.raise_any(name)
    raise error
