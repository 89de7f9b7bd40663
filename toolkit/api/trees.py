"""The space of a study, as a tree or as values by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.base.errors import RecipeError
from toolkit.recipe.values import is_searched, parse_searched
from toolkit.space import Fixed, Group, Node, Space


def tree_of(space: Space | Mapping[str, Any]) -> Space:
    """Returns a tree of values by name as a recipe writes them; a tree as it is.

    Raises:
        RecipeError: a value is malformed, or there are none.
    """
    if isinstance(space, Group):
        return space
    if not isinstance(space, Mapping) or not space:
        raise RecipeError(
            f"The space is {space!r}, expected a tree of toolkit.space or searched values by name.",
            hint='For example {"lr": {"log": [1e-4, 1e-1]}}.',
        )
    return Group({name: _node(value, name) for name, value in space.items()})


def _node(value: Any, path: str) -> Node:
    if isinstance(value, Group) or hasattr(value, "to_json"):
        node: Node = value
        return node
    if is_searched(value):
        try:
            return parse_searched(value)
        except ValueError as error:
            raise RecipeError(f"{path}: {error}.") from None
    if isinstance(value, Mapping):
        return Group({name: _node(inner, f"{path}.{name}") for name, inner in value.items()})
    return Fixed(value)
