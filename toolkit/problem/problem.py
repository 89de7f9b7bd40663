"""A recipe's task, search space, strategy and objectives, ready to use."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import RecipeError, SpaceError
from toolkit.base.plain import digest
from toolkit.contracts import (
    Architecture,
    Proposal,
    SearchContext,
    SearchSpace,
    Strategy,
    Survey,
    Task,
    TaskInfo,
    Train,
)
from toolkit.contracts.costs import COSTS
from toolkit.contracts.jobs import ENSEMBLE
from toolkit.contracts.outer import OuterFold
from toolkit.problem.agreement import check_data, check_one_training, check_supernet
from toolkit.problem.joined import JoinedSource
from toolkit.problem.lengths import differ_by_point, training_block, whole_fidelity
from toolkit.problem.measures import Measures
from toolkit.problem.members import ensemble_graph, is_ensemble, members_in_words
from toolkit.problem.source import DataSource
from toolkit.problem.trees import refuse_misfit, tree_of_all, tree_of_points
from toolkit.recipe import Recipe, from_checked
from toolkit.recipe.options import build, known_options
from toolkit.recipe.values import corners, fill
from toolkit.registry import Registry, checked, plugin_code
from toolkit.space import Fixed, Group, Leaf, Space, fitted, is_point, sample
from toolkit.space.graphs import fingerprint

if TYPE_CHECKING:
    import networkx

    from toolkit.contracts import Learner

_REMEMBERED = 64
"""Settings of a task that are kept beside the first; each knows little more than labels."""


class Problem:
    """A recipe's task, search space, strategy and objectives, ready to use.

    Args:
        recipe: what to work on.
        registry: knows the plugins.
        architecture: the only one there is to be; by default all of the space.

    Raises:
        PluginError: a plugin the recipe names does not exist or does not load.
        RecipeError: task and space do not fit, or an objective or constraint names nothing that
            is measured.
        DataError: the task's data are missing or malformed.
        SpaceError: the space's options are impossible for these data.
    """

    def __init__(
        self, recipe: Recipe, registry: Registry, architecture: Architecture | None = None
    ) -> None:
        self.recipe, self.registry, self.architecture = recipe, registry, architecture
        self._sources: OrderedDict[str, DataSource] = OrderedDict()
        self._whole: Problem | None = None
        self.source = self._make_source(recipe.task.options)
        self.task, self.info = self.source.task, self.source.info
        self._space_class: type[SearchSpace] = registry.get("search_spaces", recipe.space.name)
        self._strategy_class: type[Strategy] = registry.get("strategies", recipe.strategy.name)
        check_data(recipe, self._space_class, self.info)
        if architecture is None:
            check_supernet(recipe, self._strategy_class, self._space_class)
        measures = Measures(recipe, self.task, self.info, self._space_class)
        self.directions, self.objectives = measures.directions, measures.objectives
        self.bounds = measures.bounds

    def _make_source(self, options: Mapping[str, Any]) -> DataSource:
        task: Task = build(
            self.registry, "tasks", self.recipe.task.model_copy(update={"options": options})
        )
        with plugin_code("task.info"):
            info = checked(task.info(), TaskInfo)
        source = DataSource(
            digest(dict(options)), task, info, self.recipe.train.seed, self.recipe.validation
        )
        return self._in_outer_fold(source)

    def _in_outer_fold(self, source: DataSource) -> DataSource:
        outer = self.recipe.validation.outer
        return source if outer is None else source.in_fold(outer)

    def in_fold(self, outer: OuterFold) -> Problem:
        """Returns the same problem with a fold of all samples as the test split.

        Tasks and what they have read are shared with this one, which is of no fold.

        Raises:
            DataError: the samples cannot be divided so, or there is no such fold.
        """
        inside = copy.copy(self)
        for name in ("survey", "tree", "whole_tree", "searched_tree", "has_successors"):
            inside.__dict__.pop(name, None)
        validation = self.recipe.validation.model_copy(update={"outer": outer})
        inside.recipe = self.recipe.model_copy(update={"validation": validation})
        inside._whole, inside._sources = self, OrderedDict()
        inside.source = inside._in_outer_fold(self.source)
        inside.info = inside.source.info
        return inside

    def source_of(self, point: Mapping[str, Any] | None) -> DataSource:
        """The data as a point has them: with its values of the task.

        Raises:
            RecipeError, DataError: the values do not suit the task.
        """
        if point is not None and is_ensemble(point.get("architecture") or {}):
            sources = list(self._sources_of(point).values())
            return sources[0] if len(sources) == 1 else JoinedSource.of(sources)
        values = (point or {}).get("task")
        if not values:
            return self.source
        options = fill(self.recipe.task.options, values)
        key = digest(options)
        source = self._sources.get(key)
        if source is None:
            if self._whole is None:
                source = self._make_source(options)
            else:
                source = self._in_outer_fold(self._whole.source_of(point))
            self._sources[key] = source
            check_data(self.recipe, self._space_class, source.info)
        self._sources.move_to_end(key)
        if len(self._sources) > _REMEMBERED:
            self._sources.popitem(last=False)
        return source

    def _sources_of(self, point: Mapping[str, Any]) -> dict[str, DataSource]:
        """The data of an ensemble's members, by what they depend on."""
        members = [member["point"] for member in point["architecture"][ENSEMBLE]]
        return {source.key: source for source in map(self.source_of, members)}

    @property
    def refits(self) -> bool:
        """Whether final trainings are judged on folds, and then made on all of their samples."""
        return self.recipe.validation.on_folds and self.recipe.train.final.refit

    def check_one_shot(self) -> None:
        """Refuses what a strategy with one supernet, and so one training, would leave alone.

        Raises:
            RecipeError: values are searched beside the architecture, or folds are asked for.
        """
        if self.architecture is None:
            check_one_training(self.recipe, self._strategy_class)

    @property
    def costs(self) -> tuple[str, ...]:
        """Costs of the deployed model that objectives or constraints ask for in every trial."""
        names = dict.fromkeys([*self.objectives, *(bound.name for bound in self.bounds)])
        return tuple(n for n in names if n in COSTS and n not in self.task.directions)

    @cached_property
    def survey(self) -> Survey | None:
        """What the task says of its parts before anything runs; None if it says nothing.

        Raises:
            DataError: the data are missing or malformed.
        """
        if self.source.outer is not None:
            return self.source.outer_survey()
        with plugin_code("task.survey"):
            found = self.task.survey(self.recipe.train.seed)
            return None if found is None else checked(found, Survey)

    @classmethod
    def of_checked(cls, recipe: Mapping[str, Any], plugin_paths: Sequence[str]) -> Problem:
        """Puts together, in another process, the plugins of a resolved recipe that was checked."""
        return cls(from_checked(recipe), Registry(plugin_paths))

    def search_context(self, trials: int | None) -> SearchContext:
        """What strategies are told once, in the engine and in workers alike."""
        return SearchContext(
            self.searched_tree,
            self.objectives,
            self.recipe.train.seed,
            trials,
            epochs=self.search_epochs(),
            constraints=self.bounds,
        )

    def strategy(self) -> Strategy:
        """A new strategy object, not yet set up."""
        cls, choice = self._strategy_class, self.recipe.strategy
        return cls(known_options(cls, choice.name, choice.options))

    def prepared_strategy(self) -> Strategy:
        """A new strategy object, set up as for a search.

        Raises:
            RecipeError: it cannot serve the recipe.
        """
        strategy = self.strategy()
        strategy.setup(self.search_context(self.recipe.budget.trials))
        return strategy

    def space(self, point: Mapping[str, Any] | None = None) -> SearchSpace:
        """The search space, with the values a point gives to searched options filled in."""
        options = fill(self.recipe.space.options, (point or {}).get("space") or {})
        return self._space_class(known_options(self._space_class, self.recipe.space.name, options))

    def learner(self, point: Mapping[str, Any]) -> Learner:
        """A model with fresh weights and how it learns: a point's, or an ensemble of points'."""
        architecture = copy.deepcopy(point["architecture"])
        if not is_ensemble(architecture):
            return self.space(point).build(architecture, self.source_of(point).info)
        from toolkit.problem.ensemble import EnsembleLearner, Member

        sources = self._sources_of(point)
        sizes = [math.prod(source.info.shape) for source in sources.values()]
        begins = [0, *itertools.accumulate(sizes)]
        members = []
        for member in architecture[ENSEMBLE]:
            own = member["point"]
            source = self.source_of(own)
            part = None if len(sources) == 1 else list(sources).index(source.key)
            learner, train = self.learner(own), self.train(own, {})
            first = begins[part or 0]
            members.append(Member(learner, train, member["sharpness"], source, part, first))
        return EnsembleLearner(members)

    def members_in_words(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        """What the members of an ensemble are, a line each; of anything else nothing."""
        return members_in_words(point["architecture"], self.fingerprint)

    def graph(self, point: Mapping[str, Any]) -> networkx.DiGraph:
        """A point's architecture as its space draws it; of an ensemble, what is averaged."""
        architecture = copy.deepcopy(point["architecture"])
        if is_ensemble(architecture):
            return ensemble_graph(architecture, self.fingerprint)
        return self.space(point).graph(architecture, self.source_of(point).info)

    def train(self, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any]) -> Train:
        """The training block of one trial, every default filled in."""
        return training_block(self.recipe, self.source_of(point).info.train_size, point, fidelity)

    def search_epochs(self) -> int | None:
        """Epochs of a full training of the search; None where they differ from point to point."""
        return (
            None if differ_by_point(self.recipe) else self.train(None, self._set_for_search).epochs
        )

    def epochs_of(
        self, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any], *, final: bool
    ) -> int | None:
        """Epochs that a training reports in all its folds; None where only the data say how many.

        A learner with a loop of its own may report others.
        """
        epochs, folds = self.train(point, fidelity).epochs, self.recipe.validation.folds_in_all
        if epochs is None or folds is None:
            return None
        return epochs * (folds + (final and self.refits))

    def fidelity(
        self, point: Mapping[str, Any] | None, proposed: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A search trial's fidelity in full: what the recipe sets, and of how many epochs."""
        search = self._set_for_search
        return whole_fidelity(self.train(point, search).epochs, search, proposed)

    @property
    def _set_for_search(self) -> dict[str, Any]:
        return self.recipe.fidelity.model_dump(exclude_none=True)

    @cached_property
    def tree(self) -> Space:
        """The run's tree: architectures, and the values searched under task, space and train."""
        if self.architecture is None:
            return self.whole_tree
        return self._tree(self.architecture)

    @cached_property
    def whole_tree(self) -> Space:
        """The tree with all architectures of the space, where only one is to be in `tree`, too."""
        return self._tree(None)

    @cached_property
    def searched_tree(self) -> Space:
        """The part of `tree` that strategies search; what is left are successors of the best."""
        return self._tree(self.architecture, searched=True)

    @cached_property
    def has_successors(self) -> bool:
        """Whether anything is left of `tree` for these."""
        return bool(self.searched_tree != self.tree)

    def successors(self, point: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Points of `tree` that the space makes of one, with its other values."""
        info, architecture = self.source_of(point).info, copy.deepcopy(point["architecture"])
        with plugin_code("space.successors"):
            found = self.space(point).successors(architecture, info)
        points = [{**point, "architecture": dict(each)} for each in found]
        return [each for each in points if self.holds(each)]

    def _tree(self, architecture: Architecture | None, searched: bool = False) -> Space:
        if architecture is not None:
            self._check_fit(architecture)
            return tree_of_points(Fixed(architecture), self.recipe.searched)
        trees = [self._parameters(values, searched) for values in corners(self._deciding)]
        return tree_of_points(tree_of_all(trees, self._deciding), self.recipe.searched)

    @property
    def _deciding(self) -> dict[str, Leaf]:
        """Values searched under task and space, by their path: they decide what there is."""
        return {k: v for k, v in self.recipe.searched.items() if not k.startswith("train.")}

    def draw(self, rng: random.Random, space: Space | None = None) -> dict[str, Any]:
        """Returns a random point of the run's tree, or of a part of it, see `fitting`."""
        return self.fitting(sample(self.tree if space is None else space, rng))

    def fitting(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a point of `tree` with the architecture that is there with its other values.

        Which architectures there are may depend on values under task and space: a matrix of ten
        rows has no twenty components. What is not there becomes the nearest that is.
        """
        own = self._own_tree(point)
        if own is None:
            return dict(point)
        return {**point, "architecture": fitted(own, point["architecture"])}

    def holds(self, point: Any) -> bool:
        """Says whether a point is one of the run's, with an architecture that its values have."""
        if not self.depends_on_values or not isinstance(point, Mapping):
            return is_point(self.tree, point)
        values = {word: part for word, part in point.items() if word != "architecture"}
        members = {w: part for w, part in self.tree.members.items() if w != "architecture"}
        if not is_point(Group(members), values):
            return False
        own = self._own_tree(values) or self.tree.members["architecture"]
        return is_point(own, point.get("architecture"))

    def _own_tree(self, values: Mapping[str, Any]) -> Space | None:
        """The architectures there are with some values; None where these change nothing.

        None too where the space has none with values between two that it has some with: a trial of
        such a point fails by itself.
        """
        try:
            return self._parameters(values) if self.depends_on_values else None
        except SpaceError:
            return None

    @property
    def depends_on_values(self) -> bool:
        """Whether which architectures there are may depend on values that a point gives."""
        return self.architecture is None and bool(self._deciding)

    def _check_fit(self, architecture: Architecture) -> None:
        """Refuse an architecture that the space does not hold with some of the searched values."""
        for values in corners(self._deciding):
            faults = list(self._parameters(values).faults(architecture))
            if faults and architecture not in self._baselines(values).values():
                refuse_misfit(self.recipe.space.name, values, faults)

    def _parameters(self, values: Mapping[str, Any], part: bool = False) -> Space:
        space, info = self.space(values), self.source_of(values).info
        with plugin_code("space.parameters"):
            own = space.searched(info) if part else None
            return checked(space.parameters(info) if own is None else own, Group)

    def preparation(self, point: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """What the space prepares for all trainings depends on; None if it prepares nothing."""
        with plugin_code("space.preparation"):
            return self.space(point).preparation(self.source_of(point).info)

    def to_prepare(self) -> Mapping[str, Any] | None:
        """Values under task and space to prepare with, or None where there is nothing to prepare.

        Raises:
            RecipeError: searched values differ in what has to be prepared.
        """
        points = list(corners(self._deciding))
        first = self.preparation(points[0])
        if any(self.preparation(point) != first for point in points[1:]):
            raise RecipeError(
                f"space: searching {', '.join(self._deciding)} changes what is prepared for all"
                " trials.",
                hint="Give such an option one value, and sweep it in whole runs:"
                " toolkit sweep --whole.",
            )
        return None if first is None else points[0]

    def fingerprint(self, point: Mapping[str, Any]) -> str:
        """Equal for points that mean the same model and the same training."""
        config = {key: value for key, value in point.items() if key != "architecture"}
        if is_ensemble(point["architecture"]):
            return digest([point["architecture"], config])
        structure = fingerprint(self.graph(point))
        return structure if not config else digest([structure, config])

    def trial_folder(self, proposal: Proposal) -> str | None:
        """A search trial's folder within the run folder; None for one by number and fingerprint."""
        return None

    def reproduction(self, folder: Path, which: str) -> str:
        """How to run a trial (its number), or `smoke`, once more by itself, in a sentence."""
        return f"To reproduce it: python -m toolkit.engine.reproduce {folder} {which}"

    def points_beside(
        self, point: Mapping[str, Any]
    ) -> tuple[str | None, dict[str, dict[str, Any]]]:
        """Networks to train beside a found point, by name, and the found one's own name.

        These are the space's rivals of the point, or else its hand-made networks, among which the
        found one has no name. They are trained with the point's other values, as it is.
        """
        info = self.source_of(point).info
        with plugin_code("space.rivals"):
            rivals = dict(self.space(point).rivals(copy.deepcopy(point["architecture"]), info))
        if not rivals:
            beside = self._baselines(point).items()
            return None, {name: {**point, "architecture": network} for name, network in beside}
        points = {name: {**point, "architecture": rival} for name, rival in rivals.items()}
        found = self.fingerprint(point)
        own = [name for name, rival in points.items() if self.fingerprint(rival) == found]
        return next(iter(own), None), {n: rival for n, rival in points.items() if n not in own}

    def _baselines(self, values: Mapping[str, Any]) -> Mapping[str, Architecture]:
        """The space's hand-made networks, by name."""
        with plugin_code("space.baselines"):
            return dict(self.space(values).baselines(self.source_of(values).info))
