"""What results are judged by: objectives and constraints among all that is measured."""

from __future__ import annotations

import itertools

from toolkit.base.errors import PluginError, RecipeError
from toolkit.base.spelling import did_you_mean
from toolkit.contracts import Bound, ClassificationTask, Direction, SearchSpace, Task, TaskInfo
from toolkit.contracts.classification import METRICS
from toolkit.contracts.constraints import FIRST, KNEE, parse_all, parse_rule
from toolkit.contracts.costs import COSTS
from toolkit.recipe import Recipe


class Measures:
    """Names of what is measured, and what a recipe asks of them.

    Args:
        recipe: asks for objectives and constraints.
        task: its metrics are measured.
        info: of the task.
        space: its measures are, too.

    Attributes:
        directions: everything that may be an objective or a constraint, with its direction.
        objectives: what is searched for, the primary objective first.
        bounds: the constraints.

    Raises:
        PluginError: task and space measure something of the same name.
        RecipeError: an objective or a constraint names nothing that is measured.
    """

    def __init__(
        self, recipe: Recipe, task: Task, info: TaskInfo, space: type[SearchSpace]
    ) -> None:
        self._recipe, self._task, self._info, self._space = recipe, task, info, space
        self.directions = self._directions()
        self.objectives = self._objectives()
        self.bounds = self._bounds()

    def _directions(self) -> dict[str, Direction]:
        own, measured = self._task.directions, self._space.measures
        taken = [name for name in measured if name in own or name in COSTS]
        if taken:
            raise PluginError(
                f"The space {self._recipe.space.name} measures {', '.join(taken)}, and so does the"
                f" task {self._recipe.task.name} or the toolkit itself.",
                hint="Its measures need names of their own.",
            )
        return {
            **own,
            **measured,
            "duration_s": "minimize",
            **{name: direction for name, direction in COSTS.items() if name not in own},
        }

    def _objectives(self) -> dict[str, Direction]:
        for name, direction in self._recipe.objectives.items():
            self._must_know("objectives", name)
            if direction != self.directions[name]:
                raise RecipeError(
                    f"objectives: {name} is to be {direction}d here, but it is a value to"
                    f" {self.directions[name]}.",
                    hint=f"Write {name}: {self.directions[name]}.",
                )
        return dict(self._recipe.objectives) or dict(
            itertools.islice(self._task.directions.items(), 1)
        )

    def _bounds(self) -> tuple[Bound, ...]:
        for name in self._recipe.constraints:
            self._must_know("constraints", name)
        if self._recipe.train.final.choose not in (FIRST, KNEE):
            bounds, metric = parse_rule(self._recipe.train.final.choose)
            for name in (bounds[0].name, metric):
                self._must_know("train.final.choose", name)
        return parse_all(self._recipe.constraints)

    def _must_know(self, word: str, name: str) -> None:
        if name not in self.directions:
            near = did_you_mean(name, list(self.directions))
            of_classes = self._info.outputs == "scores"
            if name in METRICS and of_classes and isinstance(self._task, ClassificationTask):
                raise RecipeError(
                    f"{word}: {name} is not measured.", hint=f"Add it: task.metrics: [{name}]."
                )
            raise RecipeError(
                f"{word}: {name!r} is neither a metric of the task {self._recipe.task.name}, nor a"
                f" measure of the space {self._recipe.space.name}, nor a cost{near}.",
                hint=f"There are {', '.join(self.directions)}.",
            )
        missing = self._space.unmeasurable(self._info)
        if name in missing:
            raise RecipeError(
                f"{word}: {name} cannot be measured on these data.", hint=missing[name]
            )
