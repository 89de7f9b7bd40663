"""The plugins a recipe names, put together: what engine and workers both need of a recipe."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

from toolkit.contracts import (
    Architecture,
    Direction,
    SearchSpace,
    Strategy,
    Task,
    TaskInfo,
)
from toolkit.errors import PluginError, RecipeError, SpaceError, ToolkitError
from toolkit.graph import digest, fingerprint
from toolkit.recipe import Recipe, Train
from toolkit.recipe.values import fill, nest, tree
from toolkit.registry import Registry, describe_failure
from toolkit.space import Choice, Fixed, Group, Leaf, Node, Space

T = TypeVar("T")
STEPS = 600
"""Training steps that default epochs amount to; the calibrated radar task needs about so many."""


class Problem:
    """A recipe's task, search space, strategy and objectives, ready to use.

    Args:
        recipe: what to work on.
        registry: knows the plugins.
        architecture: the only one there is to be; by default all of the space.

    Raises:
        PluginError: a plugin the recipe names does not exist or does not load.
        RecipeError: task and space do not fit, or an objective is none of the task's metrics.
        DataError: the task's data are missing or malformed.
        SpaceError: the space's options are impossible for these data.
    """

    def __init__(
        self, recipe: Recipe, registry: Registry, architecture: Architecture | None = None
    ) -> None:
        self.recipe, self.architecture = recipe, architecture
        self.task: Task = registry.build("tasks", recipe.task)
        self._space_class: type[SearchSpace] = registry.get("search_spaces", recipe.space.name)
        self._strategy_class: type[Strategy] = registry.get("strategies", recipe.strategy.name)
        self.info: TaskInfo = _answer("task.info", self.task.info)
        if self.info.kind not in self._space_class.accepts:
            raise RecipeError(
                f"The task {recipe.task.name} gives {self.info.kind} data, and the space "
                f"{recipe.space.name} accepts {', '.join(sorted(self._space_class.accepts))}.",
                hint="Name a task and a space of the same kind; `toolkit plugins` lists both.",
            )
        self.objectives = self._objectives()

    def _objectives(self) -> dict[str, Direction]:
        known = {**self.task.directions, "parameters": "minimize", "duration_s": "minimize"}
        for name in self.recipe.objectives:
            if name not in known:
                raise RecipeError(
                    f"objectives: {name!r} is no metric of the task {self.recipe.task.name}.",
                    hint=f"It has {', '.join(known)}.",
                )
        return dict(self.recipe.objectives) or dict(
            itertools.islice(self.task.directions.items(), 1)
        )

    def strategy(self) -> Strategy:
        """A new strategy object, not yet set up."""
        return self._strategy_class(
            self._strategy_class.Options.model_validate(dict(self.recipe.strategy.options))
        )

    def space(self, point: Mapping[str, Any] | None = None) -> SearchSpace:
        """The search space, with the values a point gives to searched options filled in."""
        options = fill(self.recipe.space.options, (point or {}).get("space") or {})
        return self._space_class(self._space_class.Options.model_validate(options))

    def train(self, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any]) -> Train:
        """The training block of one trial, every default filled in."""
        chosen = {**self.recipe.train.model_dump(), **((point or {}).get("train") or {})}
        if chosen["batch_size"] is None:
            chosen["batch_size"] = max(2, min(32, self.info.train_size // 4))
        if chosen["epochs"] is None:
            steps_per_epoch = math.ceil(self.info.train_size / chosen["batch_size"])
            chosen["epochs"] = min(max(math.ceil(STEPS / steps_per_epoch), 5), 200)
        own = {key: value for key, value in fidelity.items() if key not in ("of_epochs", "data")}
        return Train.model_validate({**chosen, **own})

    def fidelity(
        self, point: Mapping[str, Any] | None, proposed: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A search trial's fidelity in full: what the recipe sets, and of how many epochs."""
        search = self.recipe.fidelity.model_dump(exclude_none=True)
        full = self.train(point, search).epochs
        fidelity = {"epochs": full, "of_epochs": full, **search, **proposed}
        if fidelity["of_epochs"] <= fidelity["epochs"]:
            del fidelity["of_epochs"]
        if fidelity.get("data") == 1:
            del fidelity["data"]
        return fidelity

    @cached_property
    def tree(self) -> Space:
        """The run's tree: the space's architectures and the values searched under space and train.

        Where a searched option of the space is a choice that changes the architectures, each of
        its options holds its own tree of them.
        """
        searched = self.recipe.searched
        train = {
            path.removeprefix("train."): leaf
            for path, leaf in searched.items()
            if path.startswith("train.")
        }
        space = {
            path.removeprefix("space."): leaf
            for path, leaf in searched.items()
            if path.startswith("space.")
        }
        members: dict[str, Node] = {"architecture": self._architectures(space)}
        if train:
            members["train"] = tree(train)
        if space:
            members["space"] = tree(space)
        return Group(members)

    def _architectures(self, searched: Mapping[str, Leaf]) -> Space:
        if self.architecture is not None:
            self._check_fit(self.architecture, searched)
            return Fixed(self.architecture)
        trees = [
            _answer(
                "space.parameters", partial(self.space({"space": values}).parameters, self.info)
            )
            for values in _corners(searched)
        ]
        if any(tree != trees[0] for tree in trees[1:]):
            raise RecipeError(
                f"space: searching {', '.join(searched)} changes which architectures exist.",
                hint="Search such an option in separate recipes; others can be searched in one.",
            )
        return trees[0]

    def _check_fit(self, architecture: Architecture, searched: Mapping[str, Leaf]) -> None:
        """Refuse an architecture that the space does not hold with any of the searched values."""
        for values in _corners(searched):
            space = self.space({"space": values})
            tree = _answer("space.parameters", partial(space.parameters, self.info))
            faults = list(tree.faults(architecture))
            if not faults or architecture in space.baselines(self.info).values():
                continue
            more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
            given = f" with {values}" if values else ""
            raise SpaceError(
                f"The architecture does not fit the space {self.recipe.space.name} as this recipe"
                f" has it{given}: {'; '.join(faults[:3])}{more}.",
                hint="Give the space the options with which it was found: they are in the"
                " recipe.resolved.yaml of that run.",
            )

    def fingerprint(self, point: Mapping[str, Any]) -> str:
        """Equal for points that mean the same model and the same training."""
        graph = self.space(point).graph(point["architecture"], self.info)
        config = {key: value for key, value in point.items() if key != "architecture"}
        structure = fingerprint(graph)
        return structure if not config else digest([structure, config])

    def points_of_baselines(self) -> dict[str, dict[str, Any]]:
        """The space's hand-made networks as points, by name."""
        return {
            name: {"architecture": architecture}
            for name, architecture in self.space().baselines(self.info).items()
        }


def _answer(what: str, ask: Callable[[], T]) -> T:
    """What a plugin's method returns; an unforeseen error of it is told as the plugin's."""
    try:
        return ask()
    except ToolkitError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{what} failed: {describe_failure(error)}.", hint="The fault is in that plugin."
        ) from error


def _corners(searched: Mapping[str, Leaf]) -> Iterator[dict[str, Any]]:
    """Every option of choices, both ends of ranges, in all combinations."""
    ends = [
        leaf.options if isinstance(leaf, Choice) else (leaf.low, leaf.high)
        for leaf in searched.values()
    ]
    if math.prod(map(len, ends)) > 1024:
        raise SpaceError("space: too many searched options to check them all (over 1024 cases).")
    for values in itertools.product(*ends):
        yield nest(dict(zip(searched, values, strict=True)))
