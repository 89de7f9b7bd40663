"""Whether the plugins at a path are right, said in words: the contract suites, and what is around.

The data that a search space is tried on come from a recipe that names it, or else from a task that
brings data along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.contracts import OneShotStrategy, SearchSpace, Strategy, Task, TaskInfo
from toolkit.recipe.explained import explain
from toolkit.recipe.load import load_recipe
from toolkit.recipe.options import build
from toolkit.recipe.recipe import Recipe
from toolkit.recipe.schema import PluginChoice
from toolkit.registry import SINGULAR, Plugin, Registry, describe_failure
from toolkit.registry.local import find_classes
from toolkit.space import Choice, Float, Group, Int
from toolkit.testing.executors import Jobs, closing_ends_what_runs, executor_promises
from toolkit.testing.promises import Promise
from toolkit.testing.spaces import SpaceCase, space_promises
from toolkit.testing.strategies import StrategyCase, strategy_promises
from toolkit.testing.tasks import task_promises
from toolkit.testing.trackers import tracker_promises
from toolkit.testing.trees import FINITE, NESTED

if TYPE_CHECKING:
    import torch

WORDS = {"tasks": "task", "search_spaces": "space", "strategies": "strategy"}
"""The word of a recipe that names a plugin of a kind and holds its options."""
BATCH = 8
"""Inputs that a search space is tried with."""
NUMBERS = Group(x=Float(-2, 2), y=Float(1e-3, 1, log=True), n=Int(1, 9), one=Choice(["only"]))
TREES = {"nested": NESTED, "finite": FINITE, "numbers": NUMBERS}
"""What a strategy is tried on: the first that it serves."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        plugin: kind and name.
        promise: what was looked at, such as `the slots stay the same`.
        fault: what is missing or wrong, and what to do; empty if it is right.
    """

    plugin: str
    promise: str
    fault: str = ""


def check_plugins(path: Path, recipe: Path | None = None) -> Iterator[Finding]:
    """Yields what is right and what is missing of every plugin at a path, as it is found.

    Args:
        path: a `.py` file, a package or a project's folder, as for `--plugin`.
        recipe: says which options and data to try them with; by default the recipes beside them
            that name them.

    Raises:
        PluginError: nothing at the path loads.
        RecipeError: the recipe given is wrong.
    """
    registry = Registry([path])
    recipes = [load_recipe(recipe, [], registry)] if recipe is not None else _beside(path, registry)
    for found in find_classes(path.absolute()):
        if found.fault:
            what = f"{SINGULAR[found.kind]} {found.name}"
            yield Finding(what, "it fulfils its contract", f"{found.cls.__name__} {found.fault}.")
    for plugin in registry.local():
        what = f"{SINGULAR[plugin.kind]} {plugin.name}"
        cls = registry.get(plugin.kind, plugin.name)
        yield Finding(what, "it says what it is", _undocumented(cls))
        if hasattr(cls, "Options"):
            yield Finding(what, "every option is explained", _unexplained(cls))
        with TemporaryDirectory() as folder:
            for fault_of in _suites(plugin, registry, recipes, Path(folder)):
                yield Finding(what, fault_of.words, _fault(fault_of.check))
    yield from _around(path)


def _undocumented(cls: type) -> str:
    if (vars(cls).get("__doc__") or "").strip():
        return ""
    return f"{cls.__name__} has no docstring; its first line is what `toolkit plugins` shows."


def _unexplained(cls: Any) -> str:
    silent = [option.name for option in explain(cls.Options) if not option.meaning]
    if not silent:
        return ""
    return f"{', '.join(silent)}: give Field(..., description=...) with the meaning and the unit."


def _fault(check: Callable[[], None]) -> str:
    """What a check finds; whatever a plugin's code raises is its fault."""
    try:
        check()
    except AssertionError as error:
        return str(error) or describe_failure(error)
    except NotImplementedError as error:
        return f"a method is not written yet: {describe_failure(error)}"
    except (Exception, SystemExit) as error:
        return describe_failure(error)
    return ""


def _suites(
    plugin: Plugin, registry: Registry, recipes: Iterable[Recipe], folder: Path
) -> Iterator[Promise]:
    """What the contract of a plugin's kind promises, with what it takes to try it."""
    word = WORDS.get(plugin.kind)
    choices = [getattr(recipe, word) for recipe in recipes if word]
    named = [choice for choice in choices if choice.name == plugin.name]
    choice = named[0] if named else PluginChoice(name=plugin.name)
    try:
        match plugin.kind:
            case "tasks":
                yield from task_promises(build(registry, "tasks", choice), folder)
            case "search_spaces":
                space = build(registry, "search_spaces", choice)
                task, inputs = _data_for(space, registry, recipes, plugin.name, folder)
                yield from space_promises(SpaceCase(space, task, inputs))
            case "strategies":
                yield from strategy_promises(_on_a_tree(registry, choice))
            case "trackers":
                yield from tracker_promises(lambda: build(registry, "trackers", choice), folder)
            case "executors":
                yield from _executor(registry.get("executors", plugin.name), folder)
    except ToolkitError as error:
        message = str(error)
        yield Promise("it can be tried", lambda: _raise(message))


def _raise(message: str) -> None:
    raise AssertionError(message)


def _executor(cls: Any, folder: Path) -> Iterator[Promise]:
    from toolkit.executors.inline import InlineExecutor

    jobs = Jobs(cls, folder)
    try:
        yield from executor_promises(jobs, isolated=not issubclass(cls, InlineExecutor))
        yield Promise("closing ends what runs", lambda: closing_ends_what_runs(jobs))
    finally:
        jobs.executor.close()


def _on_a_tree(registry: Registry, choice: PluginChoice) -> StrategyCase:
    def make() -> Strategy:
        made: Strategy = build(registry, "strategies", choice)
        return made

    if issubclass(registry.get("strategies", choice.name), OneShotStrategy):
        return StrategyCase(make, Group(architecture=FINITE))
    refusals = []
    for name, tree in TREES.items():
        case = StrategyCase(make, tree)
        try:
            case.new()
        except RecipeError as error:
            refusals.append(f"{name}: {error.message}")
        else:
            return case
    raise RecipeError(f"It serves none of the trees that strategies are tried on ({refusals}).")


def _data_for(
    space: SearchSpace, registry: Registry, recipes: Iterable[Recipe], name: str, folder: Path
) -> tuple[TaskInfo, torch.Tensor]:
    """Data that a space accepts, and a batch of inputs of them.

    Raises:
        RecipeError: there are none that can be read.
    """
    import torch

    task = _task_for(space, registry, [r for r in recipes if r.space.name == name])
    part = task.load(folder, 0).train
    inputs = [torch.as_tensor(part[index][0]) for index in range(min(BATCH, len(part)))]  # type: ignore[arg-type]
    return task.info(), torch.stack(inputs)


def _task_for(space: SearchSpace, registry: Registry, recipes: list[Recipe]) -> Task:
    if recipes:
        named: Task = build(registry, "tasks", recipes[0].task)
        return named
    found: list[tuple[int, Task]] = []
    for name in registry.names("tasks"):
        with suppress(ToolkitError):  # It needs options, or data that are not there.
            task: Task = build(registry, "tasks", name)
            info = task.info()
            if info.kind in space.accepts and info.outputs in space.gives:
                found.append((info.train_size, task))
    if not found:
        kinds = ", ".join(sorted(space.accepts))
        raise RecipeError(
            f"There is no task that brings along data of kind {kinds}.",
            hint="Give a recipe that names this space and a task with data: --recipe FILE.",
        )
    return min(found, key=lambda pair: pair[0])[1]


def _beside(path: Path, registry: Registry) -> list[Recipe]:
    """The recipes of a project that can be read."""
    recipes = []
    if path.is_dir():
        for file in sorted([*path.glob("*.yaml"), *path.glob("recipes/*.yaml")]):
            with suppress(ToolkitError):  # A YAML file need not be a recipe.
                recipes.append(load_recipe(file, [], registry))
    return recipes


def _around(path: Path) -> Iterator[Finding]:
    """What a project has around its plugins."""
    if not (path / "pyproject.toml").is_file():
        return
    tests = [*path.glob("tests/**/test_*.py"), *path.glob("test_*.py")]
    yield Finding(
        "project",
        "it has tests",
        "" if tests else "tests/ has no test_*.py; `toolkit.testing` has a suite of each kind.",
    )
