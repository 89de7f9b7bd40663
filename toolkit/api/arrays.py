"""Live arrays among a task's options, told from what a recipe holds and taken out of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Number
from typing import TYPE_CHECKING, Any

from toolkit.api.archive import OPTION, Archive
from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.recipe import Source
    from toolkit.registry import Registry


def take_arrays(
    source: Source, words: Mapping[str, Any], registry: Registry
) -> tuple[Source, Mapping[str, Any], Archive | None]:
    """Takes the arrays out of the task of a recipe, and out of that among the words to change.

    Returns:
        Recipe and words without arrays, and the archive of these; None where there are none.

    Raises:
        PluginError: there is no such task.
        RecipeError: the task takes no such arrays, or its data are given twice.
        DataError: one of them holds Python objects.
    """
    new = _options(words)
    if "name" in new and isinstance(source, Mapping):
        source = {**source, "task": new["name"]}  # One that is named anew takes nothing over.
    old = _options(source)
    if not any(map(_may_be_array, [*new.values(), *old.values()])):
        return source, words, None
    name = plugin_name(words.get("task")) or _task_of(source)
    if name is None:
        raise RecipeError(
            "task: arrays are given, but not the task that reads them.",
            hint='Name it, for example {"name": "spd_arrays", "X": X, "y": y}.',
        )
    declared: Mapping[str, str] = registry.get("tasks", name).arrays
    given = {**old, **new}
    arrays = {key: given[key] for key in declared if _may_be_array(given.get(key))}
    _refuse_other_arrays(name, declared, {k: v for k, v in given.items() if k not in arrays})
    if not arrays:
        return source, words, None
    if OPTION in given:
        raise RecipeError(
            f"task: {OPTION} and {', '.join(arrays)} are both given.",
            hint=f"Give the arrays, or the path of an archive of them as {OPTION}.",
        )
    from toolkit.datasets.live import to_array

    archive = Archive(
        {key: to_array(value, key) for key, value in arrays.items()},
        {key: declared[key] for key in arrays},
    )
    return _without(source, declared), _without(words, declared), archive


def plugin_name(value: Any) -> str | None:
    """Returns the name in a word of a recipe that names a plugin, if there is one."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return name if isinstance(name, str) else None


def _task_of(source: Source) -> str | None:
    from toolkit.recipe import written_words

    words = source if isinstance(source, Mapping) else written_words(source)
    return plugin_name(words.get("task"))


def _options(words: Any) -> Mapping[str, Any]:
    task = words.get("task") if isinstance(words, Mapping) else None
    return task if isinstance(task, Mapping) else {}


def _may_be_array(value: Any) -> bool:
    """Whether a value is nothing else; a list may be one, where its name is that of an array."""
    return value is not None and not isinstance(value, str | Number | Mapping | os.PathLike)


def _without(words: Any, declared: Mapping[str, str]) -> Any:
    task = _options(words)
    if not task:
        return words
    rest = {k: v for k, v in task.items() if not (k in declared and _may_be_array(v))}
    return {**words, "task": rest or None}


def _refuse_other_arrays(
    name: str, declared: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    for key, value in options.items():
        if hasattr(value, "__array__") and getattr(value, "shape", None) != ():
            takes = f"arrays named {', '.join(declared)}" if declared else "no arrays"
            raise RecipeError(
                f"task.{key}: an array is given, and {name} takes {takes}.",
                hint="Other options are plain data, as in a recipe file.",
            )
