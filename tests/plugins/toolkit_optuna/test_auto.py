"""The strategy auto: contract, no repeats, whole small spaces, replay, one or more objectives."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.contracts import Direction, Exhausted, Proposal, SearchContext, Trial, TrialState
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


def new(
    tree: Space,
    objectives: Mapping[str, Direction] | None = None,
    *,
    seed: int = 0,
    trials: int | None = None,
) -> AutoStrategy:
    strategy = AutoStrategy(AutoStrategy.Options())
    strategy.setup(SearchContext(tree, objectives or {"value": "maximize"}, seed, trials))
    return strategy


def ended(number: int, point: Any) -> Trial:
    return Trial(number, "train", point, {}, number, str(number))


def asked(strategy: AutoStrategy) -> Any:
    proposal = strategy.ask()
    assert isinstance(proposal, Proposal)
    return proposal.point


def gain(point: Mapping[str, str]) -> float:
    return float(sum(WORTH[operation] for operation in point.values()))


@pytest.mark.parametrize("tree", [NESTED, SMALL])
def test_the_contract_of_strategies_is_kept(tree: Space) -> None:
    def judge(point: Mapping[str, Any]) -> float:
        return float(len(json.dumps(point)))

    check_strategy(lambda: AutoStrategy(AutoStrategy.Options()), tree, judge, trials=40)


@pytest.mark.parametrize("trials", [None, 4, 100])
def test_every_point_of_a_finite_space_is_tried_once(trials: int | None) -> None:
    strategy, seen = new(SMALL, trials=trials), set()
    for number in range(int(SMALL.size())):
        point = asked(strategy)
        seen.add(json.dumps(point))
        strategy.tell(ended(number, point), TrialState.DONE, {"value": number % 3})
    assert isinstance(strategy.ask(), Exhausted)
    assert len(seen) == SMALL.size() == 10


def test_a_replayed_strategy_goes_on_as_the_live_one() -> None:
    live, history, running = new(CELL), [], []
    for number in range(60):
        running.append(ended(number, asked(live)))
        if len(running) == 3:
            trial = running.pop(random.Random(number).randrange(3))
            history.append((trial, TrialState.DONE, {"value": gain(trial.point or {})}))
            live.tell(*history[-1])
    replayed = new(CELL)
    for told in history:
        replayed.tell(*told)
    for trial in running:
        replayed.resume(trial)
    assert [live.ask() for _ in range(3)] == [replayed.ask() for _ in range(3)]


def test_it_finds_the_best_of_15625_cells() -> None:
    strategy, best = new(CELL), 0.0
    for number in range(100):
        point = asked(strategy)
        best = max(best, gain(point))
        strategy.tell(ended(number, point), TrialState.DONE, {"value": gain(point)})
    assert best == 24


def test_several_objectives_work_on_the_whole_front() -> None:
    strategy = new(CELL, {"gain": "maximize", "cost": "minimize"})
    found = {}
    for number in range(120):
        point = asked(strategy)
        values = {"gain": gain(point), "cost": gain(point) ** 2 + 5 * ("pool" in point.values())}
        found[values["gain"]] = values["cost"]
        strategy.tell(ended(number, point), TrialState.DONE, values)
    assert max(found) >= 22 and min(found) <= 3
    assert "Pareto" in strategy.choice


def test_it_says_what_it_chose() -> None:
    assert "10 in all" in new(SMALL, trials=20).choice
    assert "TPE" in new(CELL, trials=20).choice


def test_broken_results_and_strangers_teach_nothing() -> None:
    strategy = new(CELL)
    strategy.tell(Trial(0, "supernet", None, {}, 0, "s"), TrialState.DONE, {"value": 1.0})
    strategy.tell(ended(1, {"unheard": "of"}), TrialState.DONE, {"value": 1.0})
    for number in range(2, 30):
        state = (TrialState.FAILED, TrialState.OOM, TrialState.DONE)[number % 3]
        strategy.tell(ended(number, asked(strategy)), state, {})
    assert asked(strategy)


def test_a_recipe_without_a_strategy_is_served_by_auto(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    answer = CliRunner().invoke(app, ["validate", str(path), "--json"])
    assert answer.exit_code == 0, answer.output
    facts = json.loads(answer.stdout)
    assert facts["strategy"].startswith("auto: ")
    assert facts["resolved"]["strategy"]["name"] == "auto"
