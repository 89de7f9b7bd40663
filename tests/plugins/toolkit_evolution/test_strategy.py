"""Evolution, local and random search: contract, no repeats, typed moves, replay, progress."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from strategy_drivers import Search, all_points, asked, make, proposals, trial_at
from toolkit.analysis.pareto import hypervolume
from toolkit.contracts import Direction, Strategy, Trial, TrialState
from toolkit.space import Choice, Float, Group, Int, Space, decisions, sample, validate
from toolkit.space.variation import cross, mutate, neighbours, points
from toolkit.testing import FINITE, NESTED, check_strategy
from toolkit_evolution.strategy import LocalSearch, RandomStrategy, RegularizedEvolution

CELL = Group({f"op{edge}": Choice(["none", "skip", "conv1", "conv3", "pool"]) for edge in range(6)})
ALL: list[Any] = [
    pytest.param(RandomStrategy, {}, id="random"),
    pytest.param(RegularizedEvolution, {"population": 8, "sample": 4}, id="regularized"),
    pytest.param(RegularizedEvolution, {"population": 6, "crossover": 0.5}, id="crossover"),
    pytest.param(LocalSearch, {"initial": 4}, id="local"),
]


def judge(point: Mapping[str, Any]) -> float:
    if "cell" in point:
        return float(point["depth"])
    return -((math.log10(point["train"]["lr"]) + 2.5) ** 2)


@pytest.mark.parametrize(("cls", "options"), ALL)
@pytest.mark.parametrize("tree", [NESTED, FINITE])
def test_the_contract_of_strategies_is_kept(
    cls: type[Strategy], options: dict[str, Any], tree: Space
) -> None:
    check_strategy(lambda: cls(cls.Options(**options)), tree, judge, trials=60)


@pytest.mark.parametrize(("cls", "options"), ALL)
def test_a_replayed_strategy_goes_on_as_the_live_one(
    cls: type[Strategy], options: dict[str, Any]
) -> None:
    live = Search(make(cls, NESTED, options), judge, failing=5).run(40, at_once=3)
    resumed = live.resumed(make(cls, NESTED, options))
    assert proposals(live.strategy, 3) == proposals(resumed, 3)


@pytest.mark.parametrize(("cls", "options"), ALL)
def test_every_point_of_a_finite_space_is_tried_once(
    cls: type[Strategy], options: dict[str, Any]
) -> None:
    points = all_points(make(cls, FINITE, options), judge)
    assert len(points) == len(set(points)) == FINITE.size() == 21


@pytest.mark.parametrize(("cls", "options"), ALL)
def test_seeds_reproduce_and_differ(cls: type[Strategy], options: dict[str, Any]) -> None:
    def first(seed: int) -> list[Any]:
        return proposals(make(cls, NESTED, options, seed=seed), 12)

    assert first(3) == first(3) != first(4)


@pytest.mark.parametrize(("cls", "options"), ALL)
def test_broken_results_neither_teach_nor_kill(
    cls: type[Strategy], options: dict[str, Any]
) -> None:
    strategy = make(cls, NESTED, options)
    strategy.tell(Trial(0, "supernet", None, {}, 0, "s"), TrialState.DONE, {"value": 1.0})
    strategy.tell(trial_at(1, {"unheard": "of"}), TrialState.DONE, {"value": 1.0})
    endings: list[tuple[TrialState, dict[str, float]]] = [
        (TrialState.DONE, {"value": math.nan}),
        (TrialState.DONE, {}),
        (TrialState.OOM, {}),
        (TrialState.PRUNED, {"value": 9.0}),
        (TrialState.INVALID, {}),
    ]
    for number in range(30):
        strategy.tell(trial_at(number, asked(strategy)), *endings[number % len(endings)])
    assert strategy.told == []


def test_a_mutation_changes_one_decision_and_what_hangs_on_it() -> None:
    rng = random.Random(0)
    for _ in range(300):
        parent = sample(NESTED, rng)
        child = mutate(NESTED, parent, rng)
        validate(NESTED, child)
        before, after = decisions(NESTED, parent), decisions(NESTED, child)
        both = before.keys() & after.keys()
        # As text, since Python holds False and 0 equal.
        changed = [path for path in both if repr(before[path][1]) != repr(after[path][1])]
        assert len(changed) == 1, (parent, child)
        target = changed[0]
        assert all(path.startswith(f"{target}.") for path in before.keys() ^ after.keys())
        assert target not in ("architecture.only", "train.fixed")


def test_numbers_move_near_more_often_than_far() -> None:
    tree, rng = Group(n=Int(1, 1000), x=Float(1e-6, 1.0, log=True)), random.Random(0)
    start = {"n": 500, "x": 1e-3}
    children = [mutate(tree, start, rng) for _ in range(400)]
    moves = [abs(child["n"] - 500) for child in children if child["n"] != 500]
    assert sum(move < 250 for move in moves) > 0.85 * len(moves) > 0
    decades = [abs(math.log10(child["x"]) + 3) for child in children if child["x"] != 1e-3]
    assert sum(decade < 1.5 for decade in decades) > 0.85 * len(decades) > 0


def test_a_crossover_takes_every_decision_from_a_parent() -> None:
    rng = random.Random(0)
    for _ in range(200):
        mother, father = sample(NESTED, rng), sample(NESTED, rng)
        child = decisions(NESTED, cross(NESTED, mother, father, rng))
        parents = [decisions(NESTED, mother), decisions(NESTED, father)]
        assert all(
            any(child[path] == parent.get(path) for parent in parents)
            for path in child
            if any(path in parent for parent in parents)
        )


def test_neighbours_are_all_options_and_the_integers_beside() -> None:
    tree = Group(op=Choice(["a", "b", "c"]), n=Int(1, 3))
    around = neighbours(tree, {"op": "a", "n": 2}, random.Random(0))
    found = {(point["op"], point["n"]) for point in around}
    assert found == {("b", 2), ("c", 2), ("a", 1), ("a", 3)}


def test_points_lists_a_nested_tree_once() -> None:
    listed = [json.dumps(point) for point in points(FINITE)]
    assert len(listed) == len(set(listed)) == FINITE.size()


def test_the_oldest_die_however_good_they_were() -> None:
    strategy = make(RegularizedEvolution, CELL, {"population": 5, "sample": 5})
    for number in range(5):
        value = 100.0 if number == 0 else float(number)
        strategy.tell(trial_at(number, asked(strategy)), TrialState.DONE, {"value": value})
    star = decisions(CELL, strategy.told[0].point)

    def distance(point: dict[str, Any]) -> int:
        return sum(star[path] != known for path, known in decisions(CELL, point).items())

    child = asked(strategy)
    assert distance(child) == 1
    for number in range(5, 10):
        strange = {f"op{edge}": "pool" for edge in range(6)} | {f"op{number % 6}": "none"}
        strategy.tell(trial_at(number, strange), TrialState.DONE, {"value": 50.0 + number})
    assert distance(asked(strategy)) > 1


@pytest.mark.parametrize("cls", [RegularizedEvolution, LocalSearch])
def test_it_finds_better_cells_than_random_search(cls: type[Strategy]) -> None:
    worth = {"none": 0, "skip": 1, "pool": 2, "conv1": 3, "conv3": 4}

    def gain(point: Mapping[str, str]) -> float:
        return float(sum(worth[operation] for operation in point.values()))

    def best(kind: type[Strategy], seed: int) -> float:
        return max(Search(make(kind, CELL, seed=seed), gain).run(80).values)

    ours = sum(best(cls, seed) for seed in range(10))
    assert ours > sum(best(RandomStrategy, seed) for seed in range(10))


@pytest.mark.parametrize("cls", [RegularizedEvolution, LocalSearch])
def test_several_objectives_widen_the_front(cls: type[Strategy]) -> None:
    objectives: dict[str, Direction] = {"gain": "maximize", "cost": "minimize"}

    worth = {"none": 0, "skip": 3, "pool": 1, "conv1": 5, "conv3": 6}
    price = {"none": 0, "skip": 1, "pool": 4, "conv1": 5, "conv3": 9}

    def both(point: Mapping[str, str]) -> dict[str, float]:
        gain = sum(edge * worth[op] for edge, op in enumerate(point.values(), 1))
        return {"gain": gain, "cost": sum(price[op] for op in point.values())}

    def area(kind: type[Strategy], seed: int) -> float:
        strategy = make(kind, CELL, objectives=objectives, seed=seed)
        found = [both(point) for point in Search(strategy, both).run(80).points]
        return hypervolume([(-values["gain"], values["cost"]) for values in found], (0, 54))

    ours = sum(area(cls, seed) for seed in range(6))
    assert ours > sum(area(RandomStrategy, seed) for seed in range(6))
