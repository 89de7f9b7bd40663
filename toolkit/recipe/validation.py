"""A recipe's document checked against schema and plugins, and made a `Recipe`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from toolkit.base.errors import PluginError, ToolkitError, UnknownPluginError
from toolkit.base.spelling import did_you_mean
from toolkit.recipe.document import Document, show
from toolkit.recipe.faults import Faults, Path, dotted
from toolkit.recipe.messages import problems, text_wanted, validate_json
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.schema import (
    DEFAULT_STRATEGY,
    PLUGIN_WORDS,
    PluginChoice,
    RecipeBlocks,
    split_plugin,
    split_plugins,
)
from toolkit.recipe.values import first, parse_searched, probes, put, searched_in
from toolkit.registry import Registry
from toolkit.space import Float, Leaf

NEVER_SEARCHED = (("task", "name"), ("space", "name"), ("train", "seed"), ("train", "final"))


def check(document: Document, registry: Registry, faults: Faults, name: str, source: str) -> Recipe:
    """Make a recipe of a document.

    Args:
        document: the recipe as written; is not changed.
        registry: knows the plugins.
        faults: those found so far; others are added.
        name: what to call the recipe in the error.
        source: its text.

    Raises:
        RecipeError: there are faults.
        PluginError: a plugin that it names does not load, and there are no faults.
    """
    return _Check(document, registry, faults).recipe(name, source)


def _set_defaults(data: dict[str, Any], usual: Mapping[str, Any]) -> None:
    """Fill in what is left out, within mappings too."""
    for name, value in usual.items():
        own = data.setdefault(name, value)
        if isinstance(own, dict) and isinstance(value, dict) and own is not value:
            _set_defaults(own, value)


class _Check:
    def __init__(self, document: Document, registry: Registry, faults: Faults) -> None:
        self.written, self.registry, self.faults = document, registry, faults
        self.document = document.copy()
        self.searched: dict[Path, Leaf] = {}
        self.broken_plugin: PluginError | None = None

    def recipe(self, name: str, source: str) -> Recipe:
        data = self.document.data
        if not isinstance(data, dict):
            if not self.document.is_broken(()):
                text = f"{show(data)} given, expected a mapping of version, name, task, ..."
                self.faults.add(self.document.mark(()), (), text)
            self.faults.raise_any(name)
        self._take_broken(data, ())
        if "strategy" not in data and ("strategy",) not in self.document.broken:
            self._take_usual(data)
        data.setdefault("strategy", DEFAULT_STRATEGY)
        self._take_searched()
        blocks = self._blocks()
        options = {word: self._options(word, kind) for word, kind in PLUGIN_WORDS.items()}
        self._executor()
        trackers = [] if blocks is None else self._trackers(blocks.track)
        self._refuse_idle_searches()
        self.faults.raise_any(name)
        if self.broken_plugin:
            raise self.broken_plugin
        assert blocks is not None
        complete: dict[str, Any] = {
            word: getattr(blocks, word).model_copy(update={"options": options[word]})
            for word in PLUGIN_WORDS
        }
        complete["track"] = trackers
        searched = {dotted(path): leaf for path, leaf in self.searched.items()}
        return Recipe.assemble(blocks.model_copy(update=complete), searched, source, self.written)

    def _take_usual(self, data: dict[str, Any]) -> None:
        """Fills in how the space is usually searched, and with it the data's preparation."""
        space = self._class_of("search_spaces", data.get("space"))
        if space is None:
            return
        _set_defaults(data, copy.deepcopy(dict(space.usual)))
        task = self._class_of("tasks", data.get("task"))
        if space.searches_preparations and task is not None and task.preparations:
            own = data["task"]
            data["task"] = {"name": own} if isinstance(own, str) else own
            _set_defaults(data["task"], copy.deepcopy(dict(task.preparations)))

    def _class_of(self, kind: str, word: Any) -> Any:
        """The plugin that a word names; None where it is not known, which is told later."""
        named = split_plugin(word)
        name = named.get("name") if isinstance(named, dict) else None
        if not isinstance(name, str):
            return None
        try:
            return self.registry.get(kind, name)
        except ToolkitError:
            return None

    def _add(self, path: Path, text: str, *, key: bool = False) -> None:
        if not self.document.is_broken(path):
            self.faults.add(self.document.mark(path, key=key), path, text)

    def _take_broken(self, data: Any, path: Path) -> None:
        """Leave out what could not be read: its fault is known."""
        if isinstance(data, dict):
            for name in list(data):
                if (*path, name) in self.document.broken:
                    del data[name]
                else:
                    self._take_broken(data[name], (*path, name))
        elif isinstance(data, list):
            for index, item in enumerate(data):
                self._take_broken(item, (*path, index))

    def _take_searched(self) -> None:
        """Note what is searched and put its first value in its place."""
        data = self.document.data
        for path, value in searched_in(data):
            try:
                leaf = self._searched(path, value)
            except ValueError as error:
                self._break(path, str(error))
                continue
            self.searched[path] = leaf
            put(data, path, first(leaf))

    def _searched(self, path: Path, value: Mapping[str, Any]) -> Leaf:
        """Read a searched value.

        Raises:
            ValueError: it is malformed, or cannot be searched where it stands.
        """
        if len(path) == 1:
            raise ValueError(f"the whole of {path[0]} cannot be searched, only its values")
        if path[:2] in NEVER_SEARCHED:
            raise ValueError(f"{dotted(path[:2])} cannot be searched")
        if dots := [step for step in path if isinstance(step, str) and "." in step]:
            raise ValueError(f"{show(value)} given, and what is below {dots[0]} cannot be searched")
        try:
            leaf = parse_searched(value)
        except ValueError as error:
            raise ValueError(f"{show(value)} given, {error}") from None
        for at, option in enumerate(value.get("choice", ())):
            secret = self.document.secret.get((*path, "choice", at))
            if secret is not None and isinstance(option, str):
                raise ValueError(
                    f"{secret} given as a choice: what is searched is shown in every table, and"
                    " values of the environment are shown nowhere"
                )
        return leaf

    def _break(self, path: Path, text: str) -> None:
        self._add(path, text)
        self.document.broken.add(path)
        self._take_broken(self.document.data, ())

    def _blocks(self) -> RecipeBlocks | None:
        data = split_plugins(self.document.data)
        self._probe(RecipeBlocks, data, "train", ())
        return self._validate(RecipeBlocks, data, ())  # type: ignore[return-value]

    def _validate(self, model: type[BaseModel], data: Any, base: Path) -> BaseModel | None:
        try:
            return validate_json(model, data)
        except ValidationError as error:
            if self._take_as_typed(error, data, base):
                return self._validate(model, data, base)
            for path, text, is_key in problems(error, model, data):
                at = self._as_written((*base, *path))
                if is_key or not any(at[: len(known)] == known for known in self.searched):
                    self._add(at, text, key=is_key)
        return None

    def _take_as_typed(self, error: ValidationError, data: Any, base: Path) -> bool:
        """Put the text as it was typed where an override means text: a folder called 2024."""
        taken = False
        for path in text_wanted(error, data):
            typed = self.document.typed.pop(self._as_written((*base, *path)), None)
            if typed is not None:
                put(data, path, typed)
                taken = True
        return taken

    @staticmethod
    def _as_written(path: Path) -> Path:
        return (
            (path[0], *path[2:]) if path[1:2] == ("options",) and path[0] in PLUGIN_WORDS else path
        )

    def _probe(self, model: type[BaseModel], data: Any, word: str, base: Path) -> None:
        """Check that every option, or both ends, of each searched value would suit the model."""
        for path, leaf in self.searched.items():
            if path[0] != word:
                continue
            written = _at(self.written.data, path)
            # What is searched because it usually is, is written nowhere.
            kind = next(iter(written)) if written else None
            for position, value in probes(leaf):
                changed = copy.deepcopy(data)
                put(changed, path[len(base) :], value)
                fault = self._fault_of(model, changed, path, base)
                if fault:
                    place = self.document.mark((*path, kind, position) if kind else path[:1])
                    self.faults.add(place, path, fault + _integers(leaf, fault))
                if fault and isinstance(leaf, Float):
                    break

    def _fault_of(self, model: type[BaseModel], data: Any, path: Path, base: Path) -> str:
        """What a model holds against the value at a path, with all the rest as it is."""
        try:
            validate_json(model, data)
        except ValidationError as error:
            for inner, text, is_key in problems(error, model, data):
                if not is_key and (*base, *inner)[: len(path)] in (path, base):
                    return text
        except ToolkitError as error:
            return str(error)
        return ""

    def _options(self, word: str, kind: str) -> dict[str, Any]:
        """A plugin's options, defaults filled in."""
        plugin, given = _name_and_options(self.document.data.get(word))
        if plugin is None:
            return {}
        place: Path = (word, "name") if (word, "name") in self.document.values else (word,)
        return self._complete_options(kind, plugin, given, (word,), place)

    def _complete_options(
        self, kind: str, plugin: str, given: dict[str, Any], base: Path, place: Path
    ) -> dict[str, Any]:
        """The options of a plugin that stands at `place`, which are those below `base`."""
        try:
            model: type[BaseModel] = self.registry.get(kind, plugin).Options
        except UnknownPluginError as error:
            self.faults.add(self.document.mark(place), place[:1], str(error))
            return {}
        except PluginError as error:
            self.broken_plugin = self.broken_plugin or error
            return {}
        try:
            if len(base) == 1:
                self._probe(model, given, str(base[0]), base)
            valid = self._validate(model, given, base)
            return dict(given) if valid is None else _complete(valid, given)
        except ToolkitError as error:
            self._add(base, str(error))
        except Exception as error:
            self.broken_plugin = PluginError(
                f"The options of {plugin} cannot be checked: {type(error).__name__}: {error}"
            )
        return {}

    def _executor(self) -> None:
        resources = self.document.data.get("resources")
        name = resources.get("executor") if isinstance(resources, dict) else None
        known = self.registry.names("executors")
        if isinstance(name, str) and name not in known:
            near = did_you_mean(name, known) or f", expected {', '.join(known)}"
            self._add(("resources", "executor"), f"no executor {name!r} is registered{near}")

    def _trackers(self, choices: Sequence[PluginChoice]) -> list[PluginChoice]:
        """The trackers with their options, defaults filled in."""
        return [
            choice.model_copy(
                update={
                    "options": self._complete_options(
                        "trackers",
                        choice.name,
                        dict(choice.options),
                        ("track", index, choice.name),
                        ("track", index),
                    )
                }
            )
            for index, choice in enumerate(choices)
        ]

    def _refuse_idle_searches(self) -> None:
        fidelity = self.document.data.get("fidelity")
        for path in self.searched:
            if isinstance(fidelity, dict) and path[0] == "train" and fidelity.get(str(path[1])):
                self._add(path, f"is searched, but fidelity.{path[1]} sets it in every trial")


def _at(data: Any, path: Path) -> Any:
    """What is written at a path; None where nothing is."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _integers(leaf: Leaf, fault: str) -> str:
    if isinstance(leaf, Float) and fault.endswith("expected an integer"):
        return "; {int: [lowest, highest]} searches integers"
    return ""


def _name_and_options(value: Any) -> tuple[str | None, dict[str, Any]]:
    choice = split_plugin(value)
    if not isinstance(choice, dict) or not isinstance(choice.get("name"), str):
        return None, {}
    return choice["name"], choice.get("options", {})


def _complete(valid: BaseModel, given: dict[str, Any]) -> dict[str, Any]:
    """Options with defaults, if they read back as they are; else as they were given."""
    try:
        complete = valid.model_dump(mode="json")
        same = validate_json(type(valid), complete) == valid
    except (ValidationError, ToolkitError, ValueError, TypeError):
        same = False
    return complete if same else copy.deepcopy(given)
