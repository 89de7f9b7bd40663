"""Whether a recipe's task, search space and strategy go together, and its training with them."""

from __future__ import annotations

from toolkit.base.errors import RecipeError
from toolkit.contracts import (
    OneShotSpace,
    OneShotStrategy,
    SearchSpace,
    Strategy,
    TaskInfo,
)
from toolkit.recipe import Recipe


def check_data(recipe: Recipe, space: type[SearchSpace], info: TaskInfo) -> None:
    """Refuses data that the space does not take, and training options that do not suit them.

    Raises:
        RecipeError: they do not go together.
    """
    task, name = recipe.task.name, recipe.space.name
    if info.kind not in space.accepts:
        raise RecipeError(
            f"The task {task} gives {info.kind} data, and the space {name} accepts"
            f" {', '.join(sorted(space.accepts))}.",
            hint="Name a task and a space of the same kind; `toolkit plugins` lists both.",
        )
    if info.outputs not in space.gives:
        raise RecipeError(
            f"The task {task} judges {info.outputs}, and models of the space {name} give"
            f" {', '.join(sorted(space.gives))}.",
            hint="Name a task and a space of the same outputs; `toolkit plugins` lists both.",
        )
    train = recipe.train
    if info.outputs == "values" and train.class_weight is not None:
        raise RecipeError(
            "train.class_weight: The targets are continuous, and there are no classes to weigh.",
            hint="Leave it out.",
        )
    given = train.loss is not None or "train.loss" in recipe.searched
    if info.outputs != "values" and given:
        raise RecipeError(
            f"train.loss: It is a loss of continuous targets, and the task {task} judges"
            f" {info.outputs}.",
            hint="Leave it out, or give the task `target: continuous`.",
        )
    final = train.final
    if info.outputs != "scores" and (final.ensemble > 1 or final.hand_over == "ensemble"):
        raise RecipeError(
            f"train.final: An ensemble averages class probabilities, and the task {task} judges"
            f" {info.outputs}.",
            hint="Leave train.final.ensemble out, and hand over the winner or what is found.",
        )


def check_supernet(recipe: Recipe, strategy: type[Strategy], space: type[SearchSpace]) -> None:
    """Refuses a strategy that searches a supernet where the space offers none.

    Raises:
        RecipeError: that is so.
    """
    wanted = issubclass(strategy, OneShotStrategy) and strategy.needs_supernet
    if wanted and not issubclass(space, OneShotSpace):
        raise RecipeError(
            f"strategy: {recipe.strategy.name} searches a supernet, and the space"
            f" {recipe.space.name} offers none.",
            hint="Use a multi-trial strategy such as optuna.tpe, or leave the word out.",
        )


def check_one_training(recipe: Recipe, strategy: type[Strategy]) -> None:
    """Refuses what a strategy with one supernet, and so one training, would leave alone.

    Raises:
        RecipeError: values are searched beside the architecture, or folds are asked for.
    """
    name = recipe.strategy.name
    if not issubclass(strategy, OneShotStrategy):
        return
    if recipe.searched:
        raise RecipeError(
            f"{next(iter(recipe.searched))}: is searched, and the strategy {name} trains one"
            " supernet, with one value of it.",
            hint="Give it one value, or use a multi-trial strategy such as optuna.tpe.",
        )
    if recipe.validation.on_folds:
        raise RecipeError(
            f"validation: The strategy {name} trains one supernet, on one training part, and folds"
            " are asked for.",
            hint="Leave the word out, or use a multi-trial strategy such as optuna.tpe.",
        )
