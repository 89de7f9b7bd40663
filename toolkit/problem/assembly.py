"""A recipe put together and checked for the person who wrote it, faults told with their place."""

from __future__ import annotations

import warnings

from toolkit.base.errors import DataError, RecipeError, SpaceError, ToolkitError, ToolkitWarning
from toolkit.contracts import Architecture, Survey
from toolkit.problem.problem import Problem
from toolkit.recipe import Recipe
from toolkit.recipe.schema import RecipeBlocks
from toolkit.registry import Registry, plugin_code
from toolkit.training.data import count_splits


def assemble(
    recipe: Recipe,
    registry: Registry,
    *,
    architecture: Architecture | None = None,
    strategy: bool = False,
) -> Problem:
    """Puts a recipe's plugins together, checked as far as goes without running anything.

    Args:
        recipe: what to work on.
        registry: knows the plugins.
        architecture: the only one that is to be trained; by default all of the space.
        strategy: set the strategy up too (which may import what is heavy).

    Raises:
        RecipeError, DataError, SpaceError: the parts do not fit, or the data are missing; the
            message begins with the place in the recipe.
        PluginError: a plugin does not load.
    """
    blamed = "space"
    try:
        problem = Problem(recipe, registry, architecture)
        problem.check_one_shot()
        _ = problem.tree  # faults of the space show here
        problem.to_prepare()
        survey = problem.survey
        if survey:
            _check_metrics(problem, survey)
        problem.source.folds_in_words()
        doubts = problem.source.doubts_of_folds(whose=not survey or not _tell_whose(survey))
        blamed = "resources"
        registry.get("executors", recipe.resources.executor).check(recipe.resources.gpus)
        if strategy:
            blamed = "strategy"
            problem.prepared_strategy()
    except (RecipeError, DataError, SpaceError) as error:
        raise _located(error, recipe, blamed) from error
    for text in (
        *(survey.warnings if survey else ()),
        *doubts,
        *_alike(problem),
        *_not_recentred(problem),
    ):
        warnings.warn(ToolkitWarning(text), stacklevel=2)
    return problem


def _not_recentred(problem: Problem) -> list[str]:
    """Warns of known groups that inputs do not carry, though the space can recentre them."""
    options, kind = problem.recipe.task.options, f"grouped_{problem.info.kind}"
    off = options.get("grouped") is False and not problem.recipe.says("task.grouped")
    if not off or kind not in problem.space().accepts or not problem.source.knows_groups():
        return []
    return [
        "Samples have groups, and recentring of groups is off: what differs from one person or"
        " recording to the next is left in. To have the space search it, write"
        " `task.grouped=true`; `task.grouped=false` leaves this line out."
    ]


def _tell_whose(survey: Survey) -> bool:
    from toolkit.datasets.groups import tell_whose

    return tell_whose(survey.warnings)


def _alike(problem: Problem) -> list[str]:
    """Warnings of class names that may be meant to be one."""
    from toolkit.datasets.names import warn_of_alike

    return warn_of_alike(problem.info.class_names)


def examine(problem: Problem) -> Survey:
    """Loads the data, as a search would, and says what is in which part.

    Raises:
        DataError: they are missing or malformed; the message begins with the place in the recipe.
    """
    try:
        with plugin_code("task.load"):
            splits = problem.source.load()
    except DataError as error:
        raise _located(error, problem.recipe, "task") from error
    return problem.survey or count_splits(splits, problem.info)


def _check_metrics(problem: Problem, survey: Survey) -> None:
    """Refuses metrics that the held-out parts cannot give."""
    from toolkit.datasets.metrics import check_parts

    check_parts(tuple(problem.task.directions), survey.counts)


def _located(error: ToolkitError, recipe: Recipe, blamed: str) -> ToolkitError:
    """The same error with the place of the recipe's word it is about.

    Args:
        blamed: the word that an error which names none is about.
    """
    start = error.message.split(":", 1)[0].split(".", 1)[0]
    word = start if start in RecipeBlocks.model_fields else ""
    named = word or ("task" if isinstance(error, DataError) else blamed)
    words = "" if word else f"{named}: "
    hint = recipe.beside(error.message) or error.hint
    return type(error)(f"{recipe.where(named)}: {words}{error.message}", hint=hint)
