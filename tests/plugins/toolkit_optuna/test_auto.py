"""The strategy auto: contract, no repeats, whole small spaces, replay, one or more objectives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from strategy_drivers import Search, all_points, asked, make, proposals, trial_at
from toolkit.cli.app import app
from toolkit.contracts import Direction, Trial, TrialState
from toolkit.space import Choice, Float, Group, Int, Space
from toolkit.testing import check_strategy
from toolkit_optuna.auto import AutoStrategy

NESTED = Group(
    architecture=Group(
        body=Choice({"conv": Group(width=Int(4, 64, log=True)), "plain": None}),
        flag=Choice([None, False, 0, "0", True, 1]),
    ),
    train=Group(lr=Float(1e-4, 1e-1, log=True)),
)
CELL = Group({f"op{edge}": Choice(["none", "skip", "conv1", "conv3", "pool"]) for edge in range(6)})
SMALL = Group(kind=Choice({"a": Group(n=Int(1, 4)), "b": None}), flag=Choice([True, False]))
WORTH = {"none": 0, "skip": 1, "pool": 2, "conv1": 3, "conv3": 4}
RECIPE = """
version: 1
name: plain
task: digits
space: nullspace_head
budget: {trials: 4}
"""


def gain(point: Mapping[str, str]) -> float:
    return float(sum(WORTH[operation] for operation in point.values()))


@pytest.mark.parametrize("tree", [NESTED, SMALL])
def test_the_contract_of_strategies_is_kept(tree: Space) -> None:
    def judge(point: Mapping[str, Any]) -> float:
        return float(len(json.dumps(point)))

    check_strategy(lambda: AutoStrategy(AutoStrategy.Options()), tree, judge, trials=40)


@pytest.mark.parametrize("trials", [None, 4, 100])
def test_every_point_of_a_finite_space_is_tried_once(trials: int | None) -> None:
    points = all_points(make(AutoStrategy, SMALL, trials=trials), lambda point: len(str(point)) % 3)
    assert len(points) == len(set(points)) == SMALL.size() == 10


def test_a_replayed_strategy_goes_on_as_the_live_one() -> None:
    live = Search(make(AutoStrategy, CELL), gain).run(60, at_once=3)
    resumed = live.resumed(make(AutoStrategy, CELL))
    assert proposals(live.strategy, 3) == proposals(resumed, 3)


def test_it_finds_the_best_of_15625_cells() -> None:
    assert max(Search(make(AutoStrategy, CELL), gain).run(100).values) == 24


def test_several_objectives_work_on_the_whole_front() -> None:
    def both(point: Mapping[str, str]) -> dict[str, float]:
        return {"gain": gain(point), "cost": gain(point) ** 2 + 5 * ("pool" in point.values())}

    objectives: dict[str, Direction] = {"gain": "maximize", "cost": "minimize"}
    search = Search(make(AutoStrategy, CELL, objectives=objectives), both).run(120)
    gains = [gain(point) for point in search.points]
    assert max(gains) >= 22 and min(gains) <= 3
    assert "Pareto" in search.strategy.choice


def test_it_says_what_it_chose() -> None:
    assert "10 in all" in make(AutoStrategy, SMALL, trials=20).choice
    assert "TPE" in make(AutoStrategy, CELL, trials=20).choice


def test_broken_results_and_strangers_teach_nothing() -> None:
    strategy = make(AutoStrategy, CELL)
    strategy.tell(Trial(0, "supernet", None, {}, 0, "s"), TrialState.DONE, {"value": 1.0})
    strategy.tell(trial_at(1, {"unheard": "of"}), TrialState.DONE, {"value": 1.0})
    for number in range(2, 30):
        state = (TrialState.FAILED, TrialState.OOM, TrialState.DONE)[number % 3]
        strategy.tell(trial_at(number, asked(strategy)), state, {})
    assert asked(strategy)


def test_a_recipe_without_a_strategy_is_served_by_auto(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    answer = CliRunner().invoke(app, ["validate", str(path), "--json"])
    assert answer.exit_code == 0, answer.output
    facts = json.loads(answer.stdout)
    assert facts["strategy"].startswith("auto: ")
    assert facts["resolved"]["strategy"]["name"] == "auto"
