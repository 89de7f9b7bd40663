"""What there is to work with: plugins and shipped recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def list_recipes() -> list[ShippedRecipe]:
    """Returns the shipped recipes, by name."""
    from toolkit.recipe import purpose, shipped_recipes

    return [ShippedRecipe(name, purpose(path), path) for name, path in shipped_recipes().items()]
