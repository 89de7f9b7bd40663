"""Every sampler of Optuna's as a strategy: replay, refusals, exhausted spaces."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from strategy_drivers import Search, asked, make, proposed, trial_of
from toolkit.contracts import Direction, Exhausted, TrialState
from toolkit.errors import PluginError, RecipeError
from toolkit.space import Choice, Float, Group, Int, Space, validate
from toolkit.testing import FINITE, check_strategy
from toolkit_optuna.enumeration import OptunaBruteForce, OptunaGrid
from toolkit_optuna.samplers import OptunaCmaEs, OptunaGP, OptunaNsga2, OptunaNsga3, OptunaQMC
from toolkit_optuna.strategy import OptunaStrategy

NUMBERS = Group(x=Float(-2, 2), y=Float(1e-3, 1, log=True), n=Int(1, 9), one=Choice(["only"]))
FLAT = Group(a=Choice([None, False, 0]), b=Int(1, 7, step=3), c=Choice(["x"]), d=Float(2, 2))
MIXED = Group(
    body=Choice(
        {
            "conv": Group(
                width=Int(4, 64, log=True),
                deep=Choice({"yes": Group(rate=Float(0, 1)), "no": None}),
            ),
            "plain": None,
        }
    ),
    lr=Float(1e-4, 1e-1, log=True),
)

HAS_CMAES = importlib.util.find_spec("cmaes") is not None
needs_cmaes = pytest.mark.skipif(not HAS_CMAES, reason="the package cmaes is not installed")
CASES = [
    pytest.param(OptunaCmaEs, {}, NUMBERS, id="cmaes", marks=needs_cmaes),
    pytest.param(OptunaCmaEs, {"with_margin": True}, NUMBERS, id="margin", marks=needs_cmaes),
    pytest.param(OptunaGP, {"n_startup_trials": 8}, NUMBERS, id="gp"),
    pytest.param(OptunaQMC, {}, MIXED, id="sobol"),
    pytest.param(OptunaQMC, {"qmc_type": "halton"}, NUMBERS, id="halton"),
    pytest.param(OptunaNsga2, {"population_size": 6}, MIXED, id="nsga2"),
    pytest.param(OptunaNsga3, {"population_size": 6}, MIXED, id="nsga3"),
    pytest.param(OptunaGrid, {}, FLAT, id="grid"),
    pytest.param(OptunaBruteForce, {}, FINITE, id="brute_force"),
]
VARIANTS = ("margin", "halton")
"""Cases that `tests/test_plugin_contracts.py` has not."""


def judge(point: Mapping[str, Any]) -> float:
    if "x" in point:
        return -((point["x"] - 0.7) ** 2) - (point["n"] - 6) ** 2 / 10
    return float(sum(map(ord, json.dumps(point)))) % 7


@pytest.mark.parametrize(("cls", "options", "tree"), [c for c in CASES if c.id in VARIANTS])
def test_variants_keep_the_contract_of_strategies(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    check_strategy(lambda: cls(cls.Options(**options)), tree, judge, trials=16)


@pytest.mark.parametrize(("cls", "options", "tree"), CASES)
def test_a_replayed_strategy_goes_on_as_the_live_one(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    trials = 6 if tree is FLAT else 10 if cls is OptunaGP else 17
    live = Search(make(cls, tree, options), judge, failing=4).run(trials)
    replayed = live.resumed(make(cls, tree, options))
    assert [proposed(live.strategy) for _ in range(2)] == [proposed(replayed) for _ in range(2)]


@pytest.mark.parametrize(("cls", "options", "tree"), CASES)
def test_seeds_reproduce_and_differ(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    def first(seed: int) -> list[Any]:
        strategy = make(cls, tree, options, seed=seed)
        return [asked(strategy) for _ in range(4)]

    assert first(3) == first(3)
    assert any(first(3) != first(seed) for seed in (4, 5, 6))


@pytest.mark.parametrize(("cls", "tree"), [(OptunaGrid, FLAT), (OptunaBruteForce, FINITE)])
@pytest.mark.parametrize("cut", [0, 4])
def test_every_point_is_tried_once_also_across_a_resume(
    cls: type[OptunaStrategy], tree: Space, cut: int
) -> None:
    strategy, history, running = make(cls, tree), [], []
    points: list[str] = []
    for number in range(int(tree.size())):
        if cut and number == cut:
            strategy = make(cls, tree)
            for trial in history:
                strategy.tell(trial, TrialState.DONE, {"value": 1.0})
            for trial in running:
                strategy.resume(trial)
        running.append(trial_of(number, proposed(strategy)))
        points.append(json.dumps(running[-1].point))
        if len(running) == 3:
            history.append(running.pop(1))
            strategy.tell(history[-1], TrialState.DONE, {"value": 1.0})
    assert len(set(points)) == tree.size()
    assert isinstance(strategy.ask(), Exhausted)


@pytest.mark.parametrize(
    ("cls", "tree", "named"),
    [
        (OptunaGP, MIXED, "body"),
        (OptunaGP, Group(x=Float(0, 1)), "two or more"),
        (OptunaGrid, MIXED, "lr"),
        (OptunaGrid, FINITE, "cell.conv.width"),
        (OptunaGrid, Group(a=Int(1, 1000), b=Int(1, 1000)), "1e+06"),
        (OptunaBruteForce, MIXED, "body.conv.deep.yes.rate"),
        pytest.param(OptunaCmaEs, MIXED, "body", marks=needs_cmaes),
    ],
)
def test_a_space_it_cannot_serve_is_refused_by_name(
    cls: type[OptunaStrategy], tree: Space, named: str
) -> None:
    with pytest.raises(RecipeError) as refusal:
        make(cls, tree)
    assert named in str(refusal.value) and refusal.value.hint


def test_cmaes_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"nas-toolkit\[cmaes\]"):
        make(OptunaCmaEs, NUMBERS)


@needs_cmaes
def test_cmaes_refuses_several_objectives_and_clashing_options() -> None:
    with pytest.raises(RecipeError, match="one objective"):
        make(OptunaCmaEs, NUMBERS, objectives={"a": "maximize", "b": "minimize"})
    with pytest.raises(ValidationError):
        OptunaCmaEs.Options(with_margin=True, lr_adapt=True)


@needs_cmaes
def test_cmaes_moves_on_over_generations_also_after_a_replay() -> None:
    search = Search(make(OptunaCmaEs, NUMBERS), judge).run(60)
    tokens = [trial.token for trial, _, _ in search.told]
    assert "optimizer" not in json.dumps(tokens)
    assert sum(search.values[-10:]) / 10 > sum(search.values[:10]) / 10
    assert max(token["cma:generation"] for token in tokens if token) >= 5


@pytest.mark.parametrize("cls", [OptunaNsga2, OptunaNsga3])
def test_generations_breed_better_fronts_of_several_objectives(cls: type[OptunaStrategy]) -> None:
    objectives: dict[str, Direction] = {"gain": "maximize", "cost": "minimize"}

    def both(point: Mapping[str, Any]) -> dict[str, float]:
        validate(NUMBERS, point)
        return {"gain": -((point["x"] - 0.7) ** 2), "cost": (point["x"] - 0.6) ** 2}

    strategy = make(cls, NUMBERS, {"population_size": 10}, objectives)
    gains = [both(point)["gain"] for point in Search(strategy, both).run(80).points]
    assert sum(gains[-20:]) > sum(gains[:20])
    assert strategy._study.best_trials


def test_a_sequence_covers_every_axis_more_evenly_than_chance() -> None:
    strategy = make(OptunaQMC, MIXED)
    points = [asked(strategy) for _ in range(32)]
    assert sum(point["body"] == "plain" for point in points) == 16
