"""A recipe's task, search space, strategy and objectives, ready to use."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import PluginError, RecipeError, SpaceError
from toolkit.base.plain import digest
from toolkit.base.spelling import did_you_mean
from toolkit.contracts import (
    Architecture,
    Bound,
    ClassificationTask,
    Direction,
    OneShotSpace,
    OneShotStrategy,
    Proposal,
    SearchContext,
    SearchSpace,
    Strategy,
    Survey,
    Task,
    TaskInfo,
    Train,
)
from toolkit.contracts.classification import METRICS
from toolkit.contracts.constraints import FIRST, KNEE, parse_all, parse_rule
from toolkit.contracts.costs import COSTS
from toolkit.contracts.jobs import ENSEMBLE
from toolkit.contracts.outer import OuterFold
from toolkit.problem.joined import JoinedSource
from toolkit.problem.source import DataSource
from toolkit.recipe import Recipe, from_checked
from toolkit.recipe.options import build
from toolkit.recipe.values import corners, fill, tree
from toolkit.registry import Registry, plugin_code
from toolkit.space import Fixed, Group, Leaf, Node, Space, is_point
from toolkit.space.graphs import fingerprint

if TYPE_CHECKING:
    import networkx

    from toolkit.contracts import Learner

STEPS = 600
"""Training steps that default epochs amount to; the calibrated radar task needs about so many."""

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
        self._check_kind(self.info)
        if architecture is None and self._lacks_supernet():
            raise RecipeError(
                f"strategy: {recipe.strategy.name} searches a supernet, and the space"
                f" {recipe.space.name} offers none.",
                hint="Use a multi-trial strategy such as optuna.tpe, or leave the word out.",
            )
        self.directions = self._directions()
        self.objectives = self._objectives()
        self.bounds = self._bounds()

    def _make_source(self, options: Mapping[str, Any]) -> DataSource:
        task: Task = build(
            self.registry, "tasks", self.recipe.task.model_copy(update={"options": options})
        )
        with plugin_code("task.info"):
            info = task.info()
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
            self._check_kind(source.info)
        self._sources.move_to_end(key)
        if len(self._sources) > _REMEMBERED:
            self._sources.popitem(last=False)
        return source

    def _sources_of(self, point: Mapping[str, Any]) -> dict[str, DataSource]:
        """The data of an ensemble's members, by what they depend on."""
        members = [member["point"] for member in point["architecture"][ENSEMBLE]]
        return {source.key: source for source in map(self.source_of, members)}

    def _check_kind(self, info: TaskInfo) -> None:
        if info.kind not in self._space_class.accepts:
            raise RecipeError(
                f"The task {self.recipe.task.name} gives {info.kind} data, and the space "
                f"{self.recipe.space.name} accepts"
                f" {', '.join(sorted(self._space_class.accepts))}.",
                hint="Name a task and a space of the same kind; `toolkit plugins` lists both.",
            )
        if info.outputs not in self._space_class.gives:
            raise RecipeError(
                f"The task {self.recipe.task.name} judges {info.outputs}, and models of the space"
                f" {self.recipe.space.name} give {', '.join(sorted(self._space_class.gives))}.",
                hint="Name a task and a space of the same outputs; `toolkit plugins` lists both.",
            )
        train = self.recipe.train
        if info.outputs == "values" and train.class_weight is not None:
            raise RecipeError(
                "train.class_weight: The targets are continuous, and there are no classes to"
                " weigh.",
                hint="Leave it out.",
            )
        given = train.loss is not None or "train.loss" in self.recipe.searched
        if info.outputs != "values" and given:
            raise RecipeError(
                f"train.loss: It is a loss of continuous targets, and the task"
                f" {self.recipe.task.name} judges {info.outputs}.",
                hint="Leave it out, or give the task `target: continuous`.",
            )
        final = train.final
        if info.outputs != "scores" and (final.ensemble > 1 or final.hand_over == "ensemble"):
            raise RecipeError(
                f"train.final: An ensemble averages class probabilities, and the task"
                f" {self.recipe.task.name} judges {info.outputs}.",
                hint="Leave train.final.ensemble out, and hand over the winner or what is found.",
            )

    @property
    def refits(self) -> bool:
        """Whether final trainings are judged on folds, and then made on all of their samples."""
        return self.recipe.validation.on_folds and self.recipe.train.final.refit

    def check_one_shot(self) -> None:
        """Refuses what a strategy with one supernet, and so one training, would leave alone.

        Raises:
            RecipeError: values are searched beside the architecture, or folds are asked for.
        """
        name = self.recipe.strategy.name
        if self.architecture is not None or not issubclass(self._strategy_class, OneShotStrategy):
            return
        if self.recipe.searched:
            raise RecipeError(
                f"{next(iter(self.recipe.searched))}: is searched, and the strategy {name} trains"
                " one supernet, with one value of it.",
                hint="Give it one value, or use a multi-trial strategy such as optuna.tpe.",
            )
        if self.recipe.validation.on_folds:
            raise RecipeError(
                f"validation: The strategy {name} trains one supernet, on one training part, and"
                " folds are asked for.",
                hint="Leave the word out, or use a multi-trial strategy such as optuna.tpe.",
            )

    def _lacks_supernet(self) -> bool:
        strategy, space = self._strategy_class, self._space_class
        wanted = issubclass(strategy, OneShotStrategy) and strategy.needs_supernet
        return wanted and not issubclass(space, OneShotSpace)

    def _directions(self) -> dict[str, Direction]:
        """Everything that may be an objective or a constraint, with its direction."""
        own, measured = self.task.directions, self._space_class.measures
        taken = [name for name in measured if name in own or name in COSTS]
        if taken:
            raise PluginError(
                f"The space {self.recipe.space.name} measures {', '.join(taken)}, and so does the"
                f" task {self.recipe.task.name} or the toolkit itself.",
                hint="Its measures need names of their own.",
            )
        return {
            **own,
            **measured,
            "duration_s": "minimize",
            **{name: direction for name, direction in COSTS.items() if name not in own},
        }

    def _objectives(self) -> dict[str, Direction]:
        for name, direction in self.recipe.objectives.items():
            self._must_know("objectives", name)
            if direction != self.directions[name]:
                raise RecipeError(
                    f"objectives: {name} is to be {direction}d here, but it is a value to"
                    f" {self.directions[name]}.",
                    hint=f"Write {name}: {self.directions[name]}.",
                )
        return dict(self.recipe.objectives) or dict(
            itertools.islice(self.task.directions.items(), 1)
        )

    def _bounds(self) -> tuple[Bound, ...]:
        for name in self.recipe.constraints:
            self._must_know("constraints", name)
        if self.recipe.train.final.choose not in (FIRST, KNEE):
            bounds, metric = parse_rule(self.recipe.train.final.choose)
            for name in (bounds[0].name, metric):
                self._must_know("train.final.choose", name)
        return parse_all(self.recipe.constraints)

    def _must_know(self, word: str, name: str) -> None:
        if name not in self.directions:
            near = did_you_mean(name, list(self.directions))
            of_classes = self.info.outputs == "scores"
            if name in METRICS and of_classes and isinstance(self.task, ClassificationTask):
                raise RecipeError(
                    f"{word}: {name} is not measured.", hint=f"Add it: task.metrics: [{name}]."
                )
            raise RecipeError(
                f"{word}: {name!r} is neither a metric of the task {self.recipe.task.name}, nor a"
                f" measure of the space {self.recipe.space.name}, nor a cost{near}.",
                hint=f"There are {', '.join(self.directions)}.",
            )
        missing = self._space_class.unmeasurable(self.info)
        if name in missing:
            raise RecipeError(
                f"{word}: {name} cannot be measured on these data.", hint=missing[name]
            )

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
            return self.task.survey(self.recipe.train.seed)

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
        return self._strategy_class(
            self._strategy_class.Options.model_validate(dict(self.recipe.strategy.options))
        )

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
        return self._space_class(self._space_class.Options.model_validate(options))

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
        if not is_ensemble(point["architecture"]):
            return ()
        own = [member["point"] for member in point["architecture"][ENSEMBLE]]
        return tuple(f"{self.fingerprint(each)}: {json.dumps(each)}" for each in own)

    def graph(self, point: Mapping[str, Any]) -> networkx.DiGraph:
        """A point's architecture as its space draws it; of an ensemble, what is averaged."""
        architecture = copy.deepcopy(point["architecture"])
        if not is_ensemble(architecture):
            return self.space(point).graph(architecture, self.source_of(point).info)
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("mean", label="mean of probabilities")
        for number, member in enumerate(architecture[ENSEMBLE], 1):
            name = f"member {number}: {self.fingerprint(member['point'])[:8]}"
            graph.add_node(name, label=name)
            graph.add_edge(name, "mean")
        return graph

    def train(self, point: Mapping[str, Any] | None, fidelity: Mapping[str, Any]) -> Train:
        """The training block of one trial, every default filled in."""
        chosen = {**self.recipe.train.model_dump(), **((point or {}).get("train") or {})}
        train_size = self.source_of(point).info.train_size
        if chosen["batch_size"] is None:
            chosen["batch_size"] = max(2, min(32, train_size // 4))
        if chosen["epochs"] is None:
            steps_per_epoch = math.ceil(train_size / chosen["batch_size"])
            chosen["epochs"] = min(max(math.ceil(STEPS / steps_per_epoch), 5), 200)
        own = {key: value for key, value in fidelity.items() if key not in ("of_epochs", "data")}
        return Train.model_validate({**chosen, **own})

    def search_epochs(self) -> int | None:
        """Epochs of a full training of the search; None where they differ from point to point."""
        train, searched = self.recipe.train, self.recipe.searched
        search = self.recipe.fidelity.model_dump(exclude_none=True)
        by_batch = train.epochs is None and "train.batch_size" in searched
        if "epochs" not in search and ("train.epochs" in searched or by_batch):
            return None
        return self.train(None, search).epochs

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
        return [each for each in points if is_point(self.tree, each)]

    def _tree(self, architecture: Architecture | None, searched: bool = False) -> Space:
        values = self.recipe.searched
        of_word = {
            word: {
                path.removeprefix(f"{word}."): leaf
                for path, leaf in values.items()
                if path.startswith(f"{word}.")
            }
            for word in ("train", "space", "task")
        }
        deciding = {path: leaf for path, leaf in values.items() if not path.startswith("train.")}
        architectures = self._architectures(deciding, architecture, searched)
        members: dict[str, Node] = {"architecture": architectures}
        members |= {word: tree(leaves) for word, leaves in of_word.items() if leaves}
        return Group(members)

    def _architectures(
        self, searched: Mapping[str, Leaf], architecture: Architecture | None, part: bool
    ) -> Space:
        """The architectures there are, whatever the values searched under task and space."""
        if architecture is not None:
            self._check_fit(architecture, searched)
            return Fixed(architecture)
        trees = [self._parameters(values, part) for values in corners(searched)]
        if any(tree != trees[0] for tree in trees[1:]):
            word = next(iter(searched)).partition(".")[0]
            raise RecipeError(
                f"{word}: searching {', '.join(searched)} changes which architectures exist.",
                hint="Search such an option in separate recipes; others can be searched in one.",
            )
        return trees[0]

    def _parameters(self, values: Mapping[str, Any], part: bool = False) -> Space:
        space, info = self.space(values), self.source_of(values).info
        with plugin_code("space.parameters"):
            own = space.searched(info) if part else None
            return space.parameters(info) if own is None else own

    def preparation(self, point: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """What the space prepares for all trainings depends on; None if it prepares nothing."""
        with plugin_code("space.preparation"):
            return self.space(point).preparation(self.source_of(point).info)

    def to_prepare(self) -> Mapping[str, Any] | None:
        """Values under task and space to prepare with, or None where there is nothing to prepare.

        Raises:
            RecipeError: searched values differ in what has to be prepared.
        """
        searched = {k: v for k, v in self.recipe.searched.items() if not k.startswith("train.")}
        points = list(corners(searched))
        first = self.preparation(points[0])
        if any(self.preparation(point) != first for point in points[1:]):
            raise RecipeError(
                f"space: searching {', '.join(searched)} changes what is prepared for all trials.",
                hint="Give such an option one value, and sweep it in whole runs:"
                " toolkit sweep --whole.",
            )
        return None if first is None else points[0]

    def _check_fit(self, architecture: Architecture, searched: Mapping[str, Leaf]) -> None:
        """Refuse an architecture that the space does not hold with any of the searched values."""
        for values in corners(searched):
            faults = list(self._parameters(values).faults(architecture))
            if not faults or architecture in self._baselines(values).values():
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
        rivals = self.space(point).rivals(copy.deepcopy(point["architecture"]), info)
        if not rivals:
            beside = self._baselines(point).items()
            return None, {name: {**point, "architecture": network} for name, network in beside}
        points = {name: {**point, "architecture": rival} for name, rival in rivals.items()}
        found = self.fingerprint(point)
        own = [name for name, rival in points.items() if self.fingerprint(rival) == found]
        return next(iter(own), None), {n: rival for n, rival in points.items() if n not in own}

    def _baselines(self, values: Mapping[str, Any]) -> Mapping[str, Architecture]:
        """The space's hand-made networks, by name."""
        return self.space(values).baselines(self.source_of(values).info)


def is_ensemble(architecture: Architecture) -> bool:
    """Whether it is an ensemble of points: `{"ensemble": [{"point": ..., "sharpness": ...}]}`.

    A member may have the number of the `trial` whose results on folds are those of the ensemble's.
    """
    return set(architecture) == {ENSEMBLE}
