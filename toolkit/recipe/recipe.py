"""A recipe as the engine uses it: validated blocks, and what is to be searched."""

from __future__ import annotations

import copy
import pathlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ConfigDict, Field, PrivateAttr

from toolkit.contracts.training import Block
from toolkit.recipe.document import Document
from toolkit.recipe.faults import Path
from toolkit.recipe.schema import PluginChoice, RecipeBlocks
from toolkit.recipe.values import put, written
from toolkit.space import Leaf


class Recipe(RecipeBlocks):
    """What `load_recipe` returns. Plugin options are complete: defaults are filled in.

    Attributes:
        searched: leaf by dotted path, such as `train.lr` or `space.channels.0`. The blocks hold
            the first value of each (lowest, or first option).
        source: the recipe's text as the user wrote it; empty where it came from `resolved`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    searched: Mapping[str, Any] = Field(default_factory=dict)
    source: str = Field("", repr=False)
    _document: Document = PrivateAttr(default_factory=Document)

    @classmethod
    def assemble(
        cls, blocks: RecipeBlocks, searched: Mapping[str, Leaf], source: str, document: Document
    ) -> Recipe:
        """Put validated parts together."""
        parts = {name: getattr(blocks, name) for name in RecipeBlocks.model_fields}
        recipe = cls.model_construct(**parts, searched=dict(searched), source=source)
        recipe._document = document
        return recipe

    def resolved(self, *, masked: bool = False) -> dict[str, Any]:
        """The whole recipe as plain JSON: itself a recipe, every default stated.

        Args:
            masked: leave `${env:NAME}` as it was written, for what is kept or shown.
        """
        data: dict[str, Any] = {}
        for name in RecipeBlocks.model_fields:
            value = getattr(self, name)
            if isinstance(value, PluginChoice):
                data[name] = {"name": value.name, **copy.deepcopy(dict(value.options))}
            else:
                data[name] = value.model_dump(mode="json") if isinstance(value, Block) else value
        data["track"] = [{each.name: copy.deepcopy(dict(each.options))} for each in self.track]
        for path, leaf in self.searched.items():
            put(data, _steps(data, path), written(leaf))
        for steps, text in self._document.secret.items() if masked else ():
            with suppress(KeyError, IndexError, TypeError):  # It is not part of what is resolved.
                put(data, steps, text)
        return data

    def where(self, path: str | Path) -> str:
        """Place of a key (`"task"`, `"space.channels"`): `file:line:column`, or the override."""
        steps = tuple(path.split(".")) if isinstance(path, str) else path
        return str(self._document.mark(_steps(self._document.data, steps), key=True))

    def says(self, path: str) -> bool:
        """Whether a key was written (`"task.scale"`), whatever its value, and is no default."""
        data = self._document.data
        for name in path.split("."):
            if not isinstance(data, dict) or name not in data:
                return False
            data = data[name]
        return True

    def beside(self, message: str) -> str:
        """A hint where an error names a path of the task that lies beside the recipe, not here."""
        mark, data = self._document.mark(()), self._document.data
        task = data.get("task") if isinstance(data, dict) else None
        if mark.line is None or not isinstance(task, dict):
            return ""
        folder = pathlib.Path(mark.source).absolute().parent
        for text in task.values():
            here = pathlib.Path(text) if isinstance(text, str) and text else None
            if here is None or here.exists() or str(here.absolute()) not in message:
                continue
            if (folder / here).exists():
                return (
                    f"{text} lies beside the recipe, and is looked for in the current folder: write"
                    f" ${{recipe_dir}}/{text} to have it found from anywhere."
                )
        return ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.resolved() == other.resolved()

    def __hash__(self) -> int:
        return hash(self.name)


def _steps(data: Any, path: str | Path) -> Path:
    """A path with the positions in lists as integers, as far as the data go."""
    steps: list[str | int] = []
    for name in path.split(".") if isinstance(path, str) else path:
        step = int(name) if isinstance(data, list) and str(name).isdigit() else name
        steps.append(step)
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = None
    return tuple(steps)
