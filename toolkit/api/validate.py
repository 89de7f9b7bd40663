"""`validate` and `load_recipe`: a recipe checked, with its data or without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from toolkit.api.given import Overrides, RecipeLike, gather
from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.problem import Problem
    from toolkit.recipe import Recipe


def validate(
    recipe: RecipeLike,
    *,
    plugins: Sequence[str | Path] = (),
    overrides: Overrides = None,
    **words: Any,
) -> dict[str, Any]:
    """Checks a recipe, its data and its options without running anything.

    Args:
        recipe: see `toolkit.search`, as for the other arguments.

    Returns:
        What was read: `recipe`, `task`, `data`, `space`, `points` (how many the space has, None
        where it has no end), `strategy`, `budget`, `objectives`, `constraints` where there are any,
        `searched` (dotted names), `in the end` (how many final trainings there are); `parts`
        (samples by class), `groups` and `warnings` of the data, and in words `training`,
        `validation`, `test`, `held out` and `placement`; and `resolved`, the recipe with every
        default stated.

    Raises:
        RecipeError, DataError, SpaceError, PluginError: what is wrong, and where.
    """
    from toolkit.problem import assemble

    given = gather(recipe, overrides, words, plugins)
    with TemporaryDirectory() as folder, given.stored(Path(folder)) as stored:
        return _facts(assemble(stored.recipe, given.registry, strategy=True))


def _facts(problem: Problem) -> dict[str, Any]:
    from toolkit.base.secrets import masked
    from toolkit.problem import examine
    from toolkit.problem.final import in_words

    recipe, info = problem.recipe, problem.info
    survey, strategy = examine(problem), problem.prepared_strategy()
    choice = strategy.choice
    points = problem.tree.size()
    return {
        "recipe": recipe.name,
        "task": recipe.task.name,
        "data": f"{info.inputs_in_words}; {info.labels_in_words};"
        f" {info.train_size} training samples",
        **survey.facts(),
        **_validation(problem),
        "space": recipe.space.name,
        "points": None if math.isinf(points) else points,
        "strategy": f"{recipe.strategy.name}: {choice}" if choice else recipe.strategy.name,
        "budget": _budget(problem),
        "objectives": dict(problem.objectives),
        **({"constraints": list(map(str, problem.bounds))} if problem.bounds else {}),
        **_placement(problem),
        "searched": sorted(recipe.searched),
        "in the end": in_words(problem),
        "parts": survey.counts,
        "groups": survey.groups,
        "warnings": [masked(text) for text in survey.warnings],
        "resolved": recipe.resolved(masked=True),
    }


def _budget(problem: Problem) -> str:
    """What ends the search: the first of these that is spent."""
    from toolkit.base.summary import duration_in_words
    from toolkit.engine.budget import total_trials
    from toolkit.engine.engine import search_strategy
    from toolkit.engine.pilot import pilot_of

    asked, strategy = problem.recipe.budget, search_strategy(problem)
    trials = total_trials(asked, strategy.default_trials())
    pilot = pilot_of(strategy)
    if pilot is not None:
        strategy.setup(problem.search_context(trials))
    own = 0 if pilot is None else pilot.trainings
    said = [
        "" if trials is None else f"{trials} trial{'' if trials == 1 else 's'}",
        "" if asked.time is None else f"{duration_in_words(asked.time)} of searching",
        "" if asked.total is None else f"{duration_in_words(asked.total)} in all",
        "" if asked.epochs is None else f"{asked.epochs:g} epochs",
    ]
    total = " or ".join(filter(None, said))
    return f"{total}, the pilot's {own} trainings among them" if own else total


def _placement(problem: Problem) -> dict[str, str]:
    """What would run where, as far as that is known before a run."""
    asked = problem.recipe.resources
    executor = problem.registry.get("executors", asked.executor)
    words = executor.preview(asked.workers, asked.gpus, asked.threads, asked.busy_gpus)
    return {"placement": words} if words else {}


def _validation(problem: Problem) -> dict[str, str]:
    """What trials are judged on, where it is not the task's own validation part."""
    folds = problem.source.folds_in_words()
    return {"validated on": folds} if folds else {}


def load_recipe(
    recipe: RecipeLike,
    *,
    plugins: Sequence[str | Path] = (),
    overrides: Overrides = None,
    **words: Any,
) -> Recipe:
    """Reads a recipe and checks all that can be checked without its data.

    Args:
        recipe: see `toolkit.search`, as for the other arguments.

    Returns:
        The recipe, which `toolkit.search` takes in turn.

    Raises:
        RecipeError: it has faults; the message lists all of them, each with its place.
        PluginError: a plugin that it names does not load.
    """
    given = gather(recipe, overrides, words, plugins)
    if given.archive is not None:
        raise RecipeError(
            f"task: {', '.join(given.archive.arrays)} are arrays, which are kept in a run folder.",
            hint="toolkit.search and toolkit.validate take them; load_recipe reads paths.",
        )
    return given.recipe
