"""What a function of the API is given, gathered: a recipe in any form, overrides, live arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.api.archive import Archive
from toolkit.api.arrays import plugin_name, take_arrays
from toolkit.base.errors import RecipeError
from toolkit.base.places import expanded

if TYPE_CHECKING:
    from toolkit.recipe import Recipe, Source
    from toolkit.registry import Registry

RecipeLike: TypeAlias = "str | Path | Mapping[str, Any] | Recipe"
"""A recipe's file, the name of a shipped recipe, a mapping, or what `load_recipe` returned."""
Overrides: TypeAlias = Mapping[str, Any] | Sequence[str] | None
"""Values by dotted key, `{"train.lr": 0.01}`, or texts as on the command line."""


@dataclass(frozen=True)
class Given:
    """A recipe to load, with all that is to be changed of it.

    Attributes:
        source: the recipe, plain.
        overrides: as on the command line.
        registry: knows the plugins.
        archive: the arrays its task was given, if any.
    """

    source: Source
    overrides: tuple[str, ...]
    registry: Registry
    archive: Archive | None = None

    def changed(self, *overrides: str) -> Given:
        """Returns this with further overrides."""
        return replace(self, overrides=(*self.overrides, *overrides))

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, read and checked."""
        from toolkit.recipe import load_recipe

        return load_recipe(self.source, self.overrides, self.registry)

    @contextmanager
    def stored(self, folder: Path) -> Iterator[Given]:
        """Yields this with its arrays in a run folder, where there are any."""
        if self.archive is None:
            yield self
            return
        with self.archive.kept_in(folder):
            yield self._reading_from(folder)

    def _reading_from(self, folder: Path) -> Given:
        assert self.archive is not None
        more = [f"{k}={json.dumps(value)}" for k, value in self.archive.overrides(folder).items()]
        return replace(self.changed(*more), archive=None)

    def output(self, folder: str | Path | None, suffix: str = "") -> Path:
        """Returns the run folder: the one given, or one named after the recipe in `runs/`."""
        # What is wrong with the recipe is said before anything is written.
        recipe = self.recipe if self.archive is None else self._reading_from(Path()).recipe
        return Path("runs") / f"{recipe.name}{suffix}" if folder is None else expanded(folder)


def gather(
    recipe: RecipeLike,
    overrides: Overrides = None,
    words: Mapping[str, Any] | None = None,
    plugins: Sequence[str | Path] = (),
) -> Given:
    """Puts together what a function of the API is given.

    Args:
        recipe: in any of its forms; a mapping may leave out `version` and `name`.
        overrides: of the recipe.
        words: values for words of the recipe, see `toolkit.recipe.override_texts`. Here and in a
            mapping, the task may be given arrays under the names that its class declares.
        plugins: paths of local plugins.

    Raises:
        PluginError: a local plugin does not load.
        RecipeError, DataError: something that was given is not what a recipe holds.
    """
    from toolkit.recipe import override_texts, plain_data
    from toolkit.registry import Registry

    registry = Registry(plugins)
    source: Source = recipe if isinstance(recipe, str | Path) else _mapping(recipe)
    source, words, archive = take_arrays(source, dict(words or {}), registry)
    if isinstance(source, Mapping):
        source = plain_data(source)
    return Given(source, tuple(override_texts(overrides, words)), registry, archive)


def _mapping(recipe: Any) -> dict[str, Any]:
    """A recipe as a mapping, with the two words that it may leave out."""
    from toolkit.recipe import Recipe

    if isinstance(recipe, Recipe):
        return recipe.resolved()
    if not isinstance(recipe, Mapping):
        raise RecipeError(
            f"A recipe of type {type(recipe).__qualname__} is given.",
            hint="Give a path, the name of a shipped recipe, or a mapping.",
        )
    return {"version": 1, "name": plugin_name(recipe.get("task")) or "run", **recipe}
