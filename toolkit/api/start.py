"""A first recipe, written after a look at the data."""

from __future__ import annotations

import json
import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import RecipeError, ToolkitError, ToolkitWarning
from toolkit.base.places import expanded

if TYPE_CHECKING:
    from toolkit.contracts import Survey, Task, TaskInfo
    from toolkit.recipe.explained import Explained
    from toolkit.registry import Registry

BRINGS_DATA = "drone_radar"
"""The task of a recipe for which no data are given."""
FEW = 1000
"""Training samples below which a space without supernet is taken, and folds are validated on."""
_WIDE = 96


@dataclass(frozen=True)
class _Seen:
    """A task that has looked at its data."""

    name: str
    cls: type[Task]
    info: TaskInfo
    survey: Survey | None
    on_folds: bool
    options: Mapping[str, Any]
    others: tuple[str, ...] = ()
    """Tasks that can read them, too."""

    @property
    def likely(self) -> float:
        """See `Survey.likely`."""
        return self.survey.likely if self.survey else 0.0

    @property
    def read_as(self) -> str:
        """Which task was taken of several; nothing where one alone reads the data."""
        if not self.others:
            return ""
        words = " and ".join(self.others)
        return (
            f"{self.options['data']} is read by {self.name}, as {self.info.inputs_in_words};"
            f" --task {words} can read it, too."
        )


def write_recipe(
    data: str | Path | None = None,
    task: str | None = None,
    output: str | Path = "recipe.yaml",
    plugins: Sequence[str | Path] = (),
    overrides: Sequence[str] = (),
) -> Path:
    """Writes a commented recipe that runs, after a look at the data.

    Args:
        data: a file or folder of your own; None for a task that brings its data along.
        task: what reads them; None for the one that can, and of several the one that the data look
            meant for, of which the recipe's first lines and a `ToolkitWarning` tell.
        output: the recipe's path, which must not be there yet.
        plugins: paths of local plugins.
        overrides: options of the task that its data need, such as `task.x=epochs`.

    Returns:
        The recipe's path.

    Raises:
        RecipeError: the file is there already; no task reads the data, or several do and nothing
            tells them apart; or no space builds models for them.
        DataError: the task that was named cannot read the data; the message says why.
    """
    from toolkit.api.validate import validate
    from toolkit.base.files import write_atomically
    from toolkit.registry import Registry

    path, registry = Path(output), Registry(plugins)
    if path.exists():
        raise RecipeError(
            f"{path} is there already, and nothing is written over it.",
            hint="Name another file with --output.",
        )
    given = None if data is None else expanded(data)
    if given is not None and not given.exists():
        raise RecipeError(f"There are no data at {given}.", hint="Name a file or a folder.")
    seen = _look(registry, task, given, _options(overrides))
    text = _text(registry, seen, path)
    write_atomically(path, text)
    try:
        validate(path, plugins=plugins)
    except ToolkitError:
        path.unlink()
        raise
    if seen.read_as:
        warnings.warn(ToolkitWarning(seen.read_as), stacklevel=2)
    return path


def _options(overrides: Sequence[str]) -> Mapping[str, Any]:
    """Options of the task as they are given.

    Raises:
        RecipeError: they are malformed, or of anything else.
    """
    from toolkit.recipe.load import written_words

    words = written_words({"task": {}}, overrides)
    others = [word for word in words if word != "task"]
    if others or not isinstance(words.get("task"), dict):
        raise RecipeError(
            f"{' '.join(overrides)} given, expected options of the task, as in task.x=epochs.",
            hint="Everything else is changed in the recipe that is written.",
        )
    return words["task"]


def _look(
    registry: Registry, name: str | None, data: Path | None, options: Mapping[str, Any]
) -> _Seen:
    """The task that reads the data, having done so."""
    if name is not None or data is None:
        return _see(registry, name or BRINGS_DATA, data, options)
    seen, refusals = [], []
    for each in registry.names("tasks"):
        with suppress(ToolkitError):  # A plugin that does not load reads nothing.
            if "data" not in registry.get("tasks", each).Options.model_fields:
                continue
            try:
                seen.append(_see(registry, each, data, options))
            except ToolkitError as error:
                refusals.append(f"{each}: {error.message}")
    if not seen:
        raise RecipeError(
            f"No task can read {data} as it is.",
            hint=f"{_holds(data)}What each task says:\n  " + "\n  ".join(refusals),
        )
    seen.sort(key=lambda each: -each.likely)
    first, *others = seen
    if others and others[0].likely == first.likely:
        choices = "\n  ".join(f"{each.name}: {_purpose(each.cls)}" for each in seen)
        raise RecipeError(
            f"{data} can be read by several tasks:\n  {choices}",
            hint=f"Say which with --task, for example --task {first.name}.",
        )
    return replace(first, others=tuple(each.name for each in others if each.likely))


def _holds(data: Path) -> str:
    """What an archive of arrays holds, and how to say which is which; nothing of other data."""
    import zipfile

    if data.suffix.lower() != ".npz" or not zipfile.is_zipfile(data):
        return ""
    with zipfile.ZipFile(data) as archive:
        names = sorted(name.removesuffix(".npy") for name in archive.namelist())
    return (
        f"It holds the arrays {', '.join(names)}. Where they have names of their own, name a task,"
        " its inputs and labels: --task series_arrays task.x=NAME task.y=NAME task.groups=NAME. "
    )


def _see(registry: Registry, name: str, data: Path | None, given: Mapping[str, Any]) -> _Seen:
    from toolkit.base.places import data_dir
    from toolkit.recipe.options import build
    from toolkit.recipe.schema import PluginChoice

    options = dict(given) if data is None else {"data": str(data), **given}
    task: Task = build(registry, "tasks", PluginChoice(name=name, options=options))
    info, survey = task.info(), task.survey(0)
    if survey is not None and survey.suggests and not survey.suggests.keys() & given.keys():
        return _see(registry, name, data, {**given, **survey.suggests})
    on_folds = type(task).pool.__qualname__ != "Task.pool" and task.pool(data_dir(), 0) is not None
    return _Seen(name, type(task), info, survey, on_folds, options)


def _spaces(registry: Registry, info: TaskInfo) -> list[str]:
    """Names of the spaces that build models for the data; first the one to begin with."""
    from toolkit.contracts import OneShotSpace

    found = []
    for name in registry.names("search_spaces"):
        with suppress(ToolkitError):
            cls = registry.get("search_spaces", name)
            if info.kind in cls.accepts and info.outputs in cls.gives:
                found.append((issubclass(cls, OneShotSpace) == (info.train_size < FEW), name))
    if not found:
        raise RecipeError(
            f"No search space builds models for data of kind {info.kind!r}.",
            hint="`toolkit plugins new search-space NAME` writes one to begin with.",
        )
    return [name for _, name in sorted(found)]


def _text(registry: Registry, seen: _Seen, path: Path) -> str:
    from toolkit.recipe.explained import explain

    info, (space, *others) = seen.info, _spaces(registry, seen.info)
    about = f"{info.inputs_in_words}; {info.labels_in_words}; {info.train_size} training samples."
    facts = dict(seen.survey.facts()) if seen.survey else {}
    lines = [*_comment(f"{_purpose(seen.cls)}. What is read: {about}")]
    if seen.read_as:
        lines += _comment(seen.read_as)
    for part, counts in facts.items():
        lines += _comment(f"{part}: {counts}")
    for warning in seen.survey.warnings if seen.survey else ():
        lines += _comment(f"Note: {warning}")
    named = Path(seen.options.get("data", path)).stem
    stem = re.sub(r"[^0-9A-Za-z_.-]", "_", named).lstrip("._-") or "mine"
    lines += [
        "# Options behind a # can be taken into use; there stands the default, or an example.",
        "version: 1",
        f"name: {stem}  # the run's folder is runs/{stem}",
        "task:",
        f"  name: {seen.name}",
    ]
    options = dict(seen.options)
    if registry.get("search_spaces", space).searches_preparations:
        options = {**seen.cls.preparations, **options}
    lines += [f"  {name}: {_quoted(value)}" for name, value in options.items()]
    for option in explain(seen.cls.Options):
        if "." not in option.name and option.name not in options:
            lines += _option(option, "  ")
    lines += ["", *_comment(f"Which networks there are: {_purpose_of(registry, space)}.")]
    if others:
        lines += _comment(f"Others for such data: {', '.join(others)}.")
    own = registry.get("search_spaces", space).first_recipe(info)
    lines += [*_block("space", space, own.get("space", {})), ""]
    lines += [*_comment("What to try next; auto chooses by the budget.")]
    lines += [f"strategy: {own.get('strategy', 'auto')}", ""]
    validation = "folds" if seen.on_folds and info.train_size < FEW else "own"
    if own.get("validation", validation) == "folds":
        lines += [*_comment("Few samples: trials are judged on folds."), "validation: folds", ""]
    for word in ("objectives", "fidelity"):
        lines += [f"{word}: {json.dumps(own[word])}", ""] if word in own else []
    lines += [
        *_comment("The search ends when one of these is spent; epochs and failures are others."),
        "budget:",
        f"  trials: {own.get('budget', {}).get('trials', 20)}",
        f"  time: {own.get('budget', {}).get('time', '10m')}",
        "",
        *_comment("How a network is trained, in the search and at its end."),
        "train:",
    ]
    from toolkit.contracts.training import Train

    for option in explain(Train):
        if option.name in own.get("train", {}) and option.name != "final":
            lines += [
                *_comment(option.meaning, "  "),
                f"  {option.name}: {own['train'][option.name]}",
            ]
        elif "." not in option.name and option.name != "final":
            lines += _option(option, "  ")
    final = own.get("train", {}).get("final", {"seeds": 3, "random": 1})
    lines.append("  final:  # trained from scratch and tested, once the search has ended")
    meanings = {option.name: option.meaning for option in explain(Train)}
    for name, value in final.items():
        lines += _comment(meanings[f"final.{name}"], "    ")
        lines.append(f"    {name}: {_quoted(value)}")
    return "\n".join(lines) + "\n"


def _block(word: str, name: str, options: Mapping[str, Any]) -> list[str]:
    """A plugin of the recipe, with what is not as by default."""
    if not options:
        return [f"{word}: {name}"]
    lines = [f"{word}:", f"  name: {name}"]
    for option, value in options.items():
        if isinstance(value, Mapping):
            lines += [f"  {option}:", *(f"    {k}: {_quoted(v)}" for k, v in value.items())]
        else:
            lines.append(f"  {option}: {_quoted(value)}")
    return lines


def _option(option: Explained, indent: str) -> list[str]:
    """An option as lines that are comments, so that its default holds."""
    shown = option.default or (option.examples[0] if option.examples else "...")
    meaning = f"{option.meaning} ({option.values})"
    return [*_comment(meaning, indent), f"{indent}# {option.name}: {shown}"]


def _comment(text: str, indent: str = "") -> list[str]:
    lead = f"{indent}# "
    return textwrap.wrap(
        " ".join(text.split()),
        _WIDE,
        initial_indent=lead,
        subsequent_indent=lead,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _purpose(cls: Any) -> str:
    return ((cls.__doc__ or "").strip().splitlines() or [cls.__name__])[0].rstrip(".")


def _purpose_of(registry: Registry, space: str) -> str:
    return _purpose(registry.get("search_spaces", space))


def _quoted(value: Any) -> str:
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_./][\w./-]*", value)
    return str(value) if plain else json.dumps(value)
