"""What a sweep will do: which values, which trials or runs, decided before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from toolkit.base.errors import RecipeError, SpaceError
from toolkit.contracts import Architecture, OneShotStrategy, Strategy
from toolkit.problem import Problem
from toolkit.recipe import Recipe, Source, load_recipe
from toolkit.recipe.values import tree
from toolkit.space import Space
from toolkit.sweeps.axes import Axis, axis_of
from toolkit.sweeps.proposals import Listed, grid_points, random_points
from toolkit.sweeps.repeats import Repeated

if TYPE_CHECKING:
    from toolkit.registry import Registry

LARGE = 10_000
"""Configurations of a grid above which the user has to say yes."""
Sampling = Literal["grid", "random", "strategy"]
_UNSWEPT = {
    "train.seed": "--seeds K repeats every configuration with K seeds",
    "name": "it names the run",
    "version": "there is one",
}


@dataclass(frozen=True)
class Request:
    """What a user asks of a sweep beside the recipe; fields as the command's options."""

    axes: tuple[Axis, ...] = ()
    grid: bool = False
    random: int | None = None
    strategy: str | None = None
    trials: int | None = None
    seeds: int = 1
    architecture: Architecture | None = None
    whole: bool = False
    confirmed: bool = False


@dataclass(frozen=True)
class Plan:
    """A sweep, checked.

    Attributes:
        source: the recipe's name, its file, or plain data.
        overrides: those of the user.
        recipe: with the axes searched; in a sweep of whole runs, as the user gave it.
        axes: what is swept.
        whole: whether each configuration and seed is a run of its own, or a trial.
        sampling: how configurations are chosen.
        configurations: how many; None if the strategy decides.
        seeds: repeats of each.
        architecture: what is trained, if it is given.
        registry: knows the plugins.
        chooser: the strategy's recipe text, where one chooses.
    """

    source: Source
    overrides: tuple[str, ...]
    recipe: Recipe
    axes: tuple[Axis, ...]
    whole: bool
    sampling: Sampling
    configurations: int | None
    seeds: int
    architecture: Architecture | None
    registry: Registry
    chooser: str = ""

    def purpose(self) -> dict[str, Any]:
        """What makes it this sweep; `total` may change when it is resumed."""
        sweep: dict[str, Any] = {
            "axes": {axis.key: axis.text() for axis in self.axes},
            "sampling": self.sampling,
            "strategy": self.chooser,
            "whole_runs": self.whole,
        }
        total: dict[str, Any] = {"configurations": self.configurations}
        # What a strategy has learned from means over some seeds cannot be unlearned.
        (sweep if self.sampling == "strategy" else total)["seeds"] = self.seeds
        given = {} if self.architecture is None else {"architecture": self.architecture}
        return {"command": "sweep", "sweep": {**sweep, "total": total}, **given}

    @cached_property
    def tree(self) -> Space:
        """Of whole runs: the axes alone, by the names of their keys."""
        return tree({axis.key: axis.leaf for axis in self.axes})

    def strategy(self, space: Space) -> Strategy:
        """The strategy that proposes this sweep's trials, points of a tree; not yet set up."""
        seed = self.recipe.train.seed
        if self.sampling == "grid":
            return Listed(list(grid_points(space, self.axes)), self.seeds)
        if self.sampling == "random":
            assert self.configurations is not None
            points = random_points(space, self.axes, self.configurations, seed)
            return Listed(points, self.seeds)
        inner = _chosen_strategy(self.source, self.overrides, self.chooser, self.registry)
        return inner if self.seeds == 1 and not self.whole else Repeated(inner, self.seeds)

    def load(self, *overrides: str) -> Recipe:
        """The recipe with further overrides."""
        return load_recipe(self.source, [*self.overrides, *overrides], self.registry)

    def probes(self) -> list[Recipe]:
        """Of whole runs: recipes that between them have every option, or end, of every axis.

        Raises:
            RecipeError: a key or a value does not suit the recipe.
        """
        firsts = {axis.key: axis.override(_probes(axis)[0]) for axis in self.axes}
        wanted = [list(firsts.values())]
        for axis in self.axes:
            others = [text for key, text in firsts.items() if key != axis.key]
            wanted += [[*others, axis.override(value)] for value in _probes(axis)[1:]]
        return [self.load(*overrides) for overrides in wanted]


def make_plan(
    source: Source, overrides: Sequence[str], request: Request, registry: Registry
) -> Plan:
    """Decide what a sweep does.

    Raises:
        RecipeError: recipe and request do not fit together, or contradict themselves.
    """
    _check_request(request)
    base = load_recipe(source, overrides, registry)
    own = tuple(axis_of(key, leaf) for key, leaf in base.searched.items())
    if not request.axes and not own:
        raise RecipeError(
            f"Nothing is to be swept: the recipe {base.name} searches no value, and no -s is"
            " given.",
            hint="For example -s train.batch_size=16,32 or -s 'train.lr=log(1e-4,1e-1)'.",
        )
    axes = request.axes or own
    whole = request.whole or not all(map(_is_searchable, axes))
    whole = whole or (request.architecture is None and not _has_one_architecture(base, registry))
    if not whole:
        mine = {axis.key for axis in request.axes}
        axes = (*request.axes, *(axis for axis in own if axis.key not in mine))
    sampling, configurations = _sampling(request, axes)
    plan = Plan(
        source,
        tuple(overrides),
        base,
        axes,
        whole,
        sampling,
        configurations,
        request.seeds,
        request.architecture,
        registry,
        request.strategy or "",
    )
    if sampling == "strategy" and configurations is None:
        chosen = _chosen_strategy(source, overrides, plan.chooser, registry)
        plan = replace(plan, configurations=chosen.default_trials())
    return plan if whole else replace(plan, recipe=_of_trials(plan))


def _of_trials(plan: Plan) -> Recipe:
    """The recipe of a sweep of trials: its axes searched, its totals those of the sweep."""
    total = None if plan.configurations is None else plan.configurations * plan.seeds
    # The recipe's totals are meant for its search; the user's own are heard.
    first = ["budget.time=null", f"budget.failures={(total or LARGE) + 1}"]
    swept = [axis.searched() for axis in plan.axes if axis.key not in plan.recipe.searched]
    swept += [a.searched() for a in plan.axes if a.key in plan.recipe.searched]
    last = [] if total is None else [f"budget.trials={total}"]
    return load_recipe(plan.source, [*first, *plan.overrides, *swept, *last], plan.registry)


def _check_request(request: Request) -> None:
    ways = {
        "--grid": request.grid,
        "--random": request.random is not None,
        "--strategy": request.strategy is not None,
    }
    chosen = [name for name, given in ways.items() if given]
    if len(chosen) > 1:
        raise RecipeError(
            f"{' and '.join(chosen)} are given, and each chooses the configurations.",
            hint="Give one of them.",
        )
    if request.trials is not None and request.strategy is None:
        raise RecipeError(
            "--trials is given without --strategy.",
            hint="A grid has as many configurations as points; for random ones say --random N.",
        )
    keys = [axis.key for axis in request.axes]
    for key in keys:
        if keys.count(key) > 1:
            raise RecipeError(f"-s {key} is given twice.", hint="Give all its values at once.")
        if key in _UNSWEPT:
            raise RecipeError(f"-s {key}: it cannot be swept.", hint=f"{_UNSWEPT[key]}.")
        for other in keys:
            if key.startswith(f"{other}."):
                raise RecipeError(f"-s {key} lies within -s {other}.", hint="Sweep one of them.")


def _sampling(request: Request, axes: Sequence[Axis]) -> tuple[Sampling, int | None]:
    if request.random is not None:
        return "random", request.random
    if request.strategy is not None:
        return "strategy", request.trials
    ranges = [axis.key for axis in axes if axis.points is None]
    if ranges:
        also = "" if request.grid else ", or say --random N or --strategy optuna.tpe --trials N"
        raise RecipeError(
            f"{', '.join(ranges)}: a range has no end of values, and a grid needs points.",
            hint=f"Give it points, e.g. log(1e-4,1e-1,4) for four{also}.",
        )
    count = math.prod(len(axis.points or ()) for axis in axes)
    if count > LARGE and not request.confirmed:
        raise RecipeError(
            f"The grid has {count:,} configurations.",
            hint="Give fewer points, or --random N; --yes runs them all.",
        )
    return "grid", count


def _is_searchable(axis: Axis) -> bool:
    """Whether a recipe may search it, so that one engine can run all its values as trials."""
    word, _, rest = axis.key.partition(".")
    if not rest or not axis.plain:
        return False
    return (word == "train" and rest.split(".")[0] not in ("seed", "final")) or (
        word == "space" and rest.split(".")[0] != "name"
    )


def _has_one_architecture(recipe: Recipe, registry: Registry) -> bool:
    try:
        return Problem(recipe, registry).tree.members["architecture"].size() == 1
    except (SpaceError, RecipeError):
        return False


def _chosen_strategy(
    source: Source, overrides: Sequence[str], text: str, registry: Registry
) -> Strategy:
    choice = load_recipe(source, [*overrides, f"strategy={text}"], registry).strategy
    cls: type[Strategy] = registry.get("strategies", choice.name)
    if issubclass(cls, OneShotStrategy):
        raise RecipeError(
            f"--strategy {choice.name} searches architectures, not values.",
            hint="Name one that proposes trials, e.g. optuna.tpe; `toolkit plugins` lists them.",
        )
    return cls(cls.Options.model_validate(dict(choice.options)))


def _probes(axis: Axis) -> Sequence[Any]:
    """Every option, or both ends."""
    if axis.points is not None and len(axis.points) > 0:
        return axis.points
    low, high = getattr(axis.leaf, "low", None), getattr(axis.leaf, "high", None)
    return (low, high)
