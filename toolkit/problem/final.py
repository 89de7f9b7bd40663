"""How many trainings from scratch follow a search."""

from __future__ import annotations

import random

from toolkit.problem.problem import Problem
from toolkit.registry import plugin_code


def count_networks(problem: Problem) -> int:
    """Returns how many networks are trained from scratch in the end, the found one with them.

    Where rivals depend on what is found, those of a random architecture are counted.
    """
    final = problem.recipe.train.final
    count = 1 + final.random
    if len(problem.objectives) > 1:
        count += final.front - 1
    count += final.ensemble > 1
    if final.baselines:
        with plugin_code("space.rivals"):
            count += len(problem.points_beside(problem.draw(random.Random(0)))[1])
    return count


def count_trainings(problem: Problem) -> int:
    """Returns how many trainings these networks take, a seed each."""
    return count_networks(problem) * problem.recipe.train.final.seeds


def in_words(problem: Problem) -> str:
    """Says how many final trainings there are: `27 final trainings (9 networks, 3 seeds each)`.

    It is `up to` so many where points of a front are trained, of which there may be fewer.
    """
    networks, seeds = count_networks(problem), problem.recipe.train.final.seeds
    many = f"{networks} network{'s' * (networks != 1)}"
    each = f"{seeds} seed{'s' * (seeds != 1)}{' each' * (networks != 1)}"
    total = networks * seeds
    most = "up to " * (len(problem.objectives) > 1 and problem.recipe.train.final.front > 1)
    return f"{most}{total} final training{'s' * (total != 1)} ({many}, {each})"
