"""Pruners: each ends what it should, with one objective and with several, and after a replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from strategy_drivers import make, trial_at
from toolkit.contracts import Direction, Trial, TrialState
from toolkit.errors import RecipeError
from toolkit.space import Float, Group
from toolkit_optuna.strategy import OptunaRandom

TREE = Group(x=Float(0, 1))
STEPS = 9


def new(pruner: Any, objectives: Mapping[str, Direction] | None = None) -> OptunaRandom:
    return make(OptunaRandom, TREE, {"pruner": pruner}, objectives)


def trial(number: int) -> Trial:
    return trial_at(number, {"x": (number * 0.37) % 1})


def run(strategy: OptunaRandom, number: int, level: float, slope: float = 0.1) -> int:
    """Train to the end or until pruned; the last step."""
    for step in range(1, STEPS + 1):
        if not strategy.report(trial(number), step, {"value": level + slope * step}):
            strategy.tell(trial(number), TrialState.PRUNED, {"value": level + slope * step})
            return step
    strategy.tell(trial(number), TrialState.DONE, {"value": level + slope * STEPS})
    return STEPS


PRUNERS = [
    {"name": "median", "n_startup_trials": 3},
    {"name": "percentile", "percentile": 50, "n_startup_trials": 3},
    {"name": "asha", "min_resource": 1, "reduction_factor": 3},
    {"name": "hyperband", "max_resource": STEPS},
    {"name": "threshold", "lower": 0.0, "n_warmup_steps": 2},
    {"name": "patient", "patience": 2, "wrapped": {"name": "median", "n_startup_trials": 3}},
    {"name": "wilcoxon", "n_startup_steps": 4},
]


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner["name"])
def test_bad_trials_end_early_and_the_best_never(pruner: dict[str, Any]) -> None:
    strategy = new(pruner)
    slope = -0.1 if pruner["name"] == "patient" else 0.1
    assert [run(strategy, number, 1.0 + number / 100) for number in range(1, 7)].count(STEPS)
    lasts = [run(strategy, number, -5.0, slope) for number in range(7, 13)]
    assert min(lasts) < STEPS
    assert run(strategy, 13, 9.0) == STEPS


@pytest.mark.parametrize(
    "name", ["median", "percentile", "asha", "hyperband", "patient", "wilcoxon"]
)
def test_a_name_alone_is_enough(name: str) -> None:
    assert run(new(name), 1, 1.0) == STEPS


def test_what_gets_worse_ends_after_its_patience() -> None:
    assert run(new({"name": "patient", "patience": 3}), 1, 1.0, slope=-0.1) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"name": "unheard_of"},
        {"name": "threshold"},
        {"name": "asha", "bootstrap_count": 2},
        {"name": "median", "typo": 1},
        {"name": "hyperband", "min_resource": 9, "max_resource": 3},
        {"name": "patient", "wrapped": {"name": "patient"}},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OptunaRandom.Options(pruner=options)


def test_a_smaller_value_is_better_where_it_is_minimised() -> None:
    strategy = new({"name": "median", "n_startup_trials": 2}, {"value": "minimize"})
    for number in (1, 2, 3):
        assert run(strategy, number, 1.0) == STEPS
    assert run(strategy, 4, -3.0) == STEPS
    assert run(strategy, 5, 3.0) == 1


TWO: dict[str, Direction] = {"gain": "maximize", "cost": "minimize"}


def run_two(strategy: OptunaRandom, number: int, gain: float, cost: float) -> int:
    for step in range(1, STEPS + 1):
        if not strategy.report(trial(number), step, {"gain": gain, "cost": cost}):
            strategy.tell(trial(number), TrialState.PRUNED, {"gain": gain, "cost": cost})
            return step
    strategy.tell(trial(number), TrialState.DONE, {"gain": gain, "cost": cost})
    return STEPS


@pytest.mark.parametrize(
    ("value", "cheap_and_weak_goes_on"),
    [
        ("first", False),
        ("sum", True),
        ("rank", True),
    ],
)
def test_several_objectives_are_pruned_by_first_sum_or_rank(
    value: str, cheap_and_weak_goes_on: bool
) -> None:
    strategy = new({"name": "median", "n_startup_trials": 3, "value": value}, TWO)
    for number in range(1, 6):
        run_two(strategy, number, 0.8 + number / 100, 5.0 + number / 100)
    assert run_two(strategy, 6, 0.1, 9.0) == 1, "dominated by all"
    assert run_two(strategy, 7, 0.95, 4.0) == STEPS, "dominates all"
    assert (run_two(strategy, 8, 0.7, 1.0) == STEPS) is cheap_and_weak_goes_on


def test_weights_must_name_objectives() -> None:
    with pytest.raises(RecipeError, match="gian"):
        new({"name": "median", "value": "sum", "weights": {"gian": 2}}, TWO)


def test_missing_and_nan_values_end_nothing_they_should_not() -> None:
    strategy = new({"name": "median", "n_startup_trials": 1})
    assert run(strategy, 1, 1.0) == STEPS and run(strategy, 2, 1.1) == STEPS
    assert strategy.report(trial(3), 1, {"loss": 4.0}), "another metric is no verdict"
    values: dict[str, Any] = {"value": None}
    assert not strategy.report(trial(3), 2, values), "a broken curve is a bad one"
    strategy.tell(trial(3), TrialState.FAILED, {})


@pytest.mark.parametrize("pruner", PRUNERS[:4], ids=lambda pruner: pruner["name"])
def test_reports_told_again_give_the_same_verdicts(pruner: dict[str, Any]) -> None:
    live, replayed = new(pruner), new(pruner)
    for number in range(1, 9):
        last = run(live, number, 1.0 - number / 10)
        for step in range(1, last + 1):
            value = {"value": 1.0 - number / 10 + 0.1 * step}
            replayed.report(trial(number), step, value)
        replayed.tell(trial(number), TrialState.DONE if last == STEPS else TrialState.PRUNED, value)
    levels = [1.05, 0.95, 0.5, 0.2, -1.0]
    assert [run(live, n, level) for n, level in enumerate(levels, 9)] == [
        run(replayed, n, level) for n, level in enumerate(levels, 9)
    ]
