"""What there is to work with: plugins, their options, the words of a recipe, shipped recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.recipe.explained import Explained
    from toolkit.registry import Row


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe that comes with the toolkit."""

    name: str
    purpose: str
    path: Path


def list_plugins(plugins: Sequence[str | Path] = (), *, check: bool = False) -> list[Row]:
    """Returns every plugin there is, by kind and name.

    Args:
        plugins: paths of local plugins to be listed too.
        check: load each, so that those that do not work say why.
    """
    from toolkit.registry import Registry

    return Registry(plugins, tolerant=True).rows(check=check)


@dataclass(frozen=True)
class DescribedPlugin:
    """A plugin as `toolkit plugins NAME` shows it.

    Attributes:
        kind: `task`, `search space`, `strategy`, `executor` or `tracker`.
        text: what it is, with the paper it stands on.
        options: what a recipe may set.
        used: how a recipe names it.
    """

    kind: str
    name: str
    origin: str
    text: str
    options: list[Explained]
    used: str


def describe_plugin(name: str, plugins: Sequence[str | Path] = ()) -> list[DescribedPlugin]:
    """Describes a plugin and its options; a name that stands for several kinds gives each.

    Args:
        name: the plugin's name in a recipe.
        plugins: paths of local plugins to look in too.

    Raises:
        UnknownPluginError: there is none of that name.
        PluginError: it does not load.
    """
    from toolkit.base.errors import UnknownPluginError
    from toolkit.base.spelling import did_you_mean
    from toolkit.registry import Registry

    registry = Registry(plugins)
    rows = registry.rows()
    found = []
    for row in (row for row in rows if row.name == name):
        found.append(described(row.kind, name, row.origin, registry.get(row.kind, name)))
    if not found:
        near = did_you_mean(name, [row.name for row in rows])
        raise UnknownPluginError(
            f"No plugin {name!r} is registered{near}.", hint="`toolkit plugins` lists them."
        )
    return found


def described(kind: str, name: str, origin: str, cls: Any) -> DescribedPlugin:
    """Describes a plugin's class."""
    import inspect

    from toolkit.recipe.explained import explain
    from toolkit.registry import SINGULAR

    options = explain(cls.Options) if hasattr(cls, "Options") else []
    given = [f"{each.name}: ..." for each in options if each.required and "." not in each.name]
    used = f"{_WORDS.get(kind, kind)}: " + (
        f"{{{', '.join([f'name: {name}', *given])}}}" if given else name
    )
    return DescribedPlugin(SINGULAR[kind], name, origin, inspect.getdoc(cls) or "", options, used)


_WORDS = {
    "tasks": "task",
    "search_spaces": "space",
    "strategies": "strategy",
    "executors": "resources.executor",
    "trackers": "track",
}


def recipe_schema(plugins: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Returns the JSON Schema of recipes, with every plugin's options, for editors.

    Args:
        plugins: paths of local plugins that recipes may name too.
    """
    from toolkit.recipe.editor import json_schema
    from toolkit.registry import Registry

    return json_schema(Registry(plugins))


def list_recipes() -> list[ShippedRecipe]:
    """Returns the shipped recipes, by name."""
    from toolkit.recipe import purpose, shipped_recipes

    return [ShippedRecipe(name, purpose(path), path) for name, path in shipped_recipes().items()]
