"""Every sampler of Optuna's as a strategy: contract, replay, refusals, exhausted spaces."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from toolkit.contracts import Direction, Exhausted, Proposal, SearchContext, Trial, TrialState
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


def judge(point: Mapping[str, Any]) -> float:
    if "x" in point:
        return -((point["x"] - 0.7) ** 2) - (point["n"] - 6) ** 2 / 10
    return float(sum(map(ord, json.dumps(point)))) % 7


def new(
    cls: type[OptunaStrategy],
    tree: Space,
    options: Mapping[str, Any] | None = None,
    objectives: Mapping[str, Direction] | None = None,
    seed: int = 0,
) -> OptunaStrategy:
    strategy = cls(cls.Options(**(options or {})))
    strategy.setup(SearchContext(tree, objectives or {"value": "maximize"}, seed, None))
    return strategy


def ended(number: int, proposal: Proposal) -> Trial:
    token = json.loads(json.dumps(proposal.token))
    return Trial(number, "train", proposal.point, {}, number, str(number), token)


def asked(strategy: OptunaStrategy) -> Proposal:
    proposal = strategy.ask()
    assert isinstance(proposal, Proposal)
    return proposal


@pytest.mark.parametrize(("cls", "options", "tree"), CASES)
def test_the_contract_of_strategies_is_kept(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    trials = 10 if cls is OptunaGP else 16  # each of its own proposals takes a second
    check_strategy(lambda: cls(cls.Options(**options)), tree, judge, trials=trials)


@pytest.mark.parametrize(("cls", "options", "tree"), CASES)
def test_a_replayed_strategy_goes_on_as_the_live_one(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    live, history = new(cls, tree, options), []
    for number in range(6 if tree is FLAT else 10 if cls is OptunaGP else 17):
        trial = ended(number, asked(live))
        state = TrialState.FAILED if number == 3 else TrialState.DONE
        values = {"value": judge(trial.point or {})} if state is TrialState.DONE else {}
        live.tell(trial, state, values)
        history.append((trial, state, values))
    replayed = new(cls, tree, options)
    for told in history:
        replayed.tell(*told)
    goes_on = [live.ask() for _ in range(2)]
    assert all(isinstance(proposal, Proposal) for proposal in goes_on)
    assert goes_on == [replayed.ask() for _ in range(2)]


@pytest.mark.parametrize(("cls", "options", "tree"), CASES)
def test_seeds_reproduce_and_differ(
    cls: type[OptunaStrategy], options: dict[str, Any], tree: Space
) -> None:
    def first(seed: int) -> list[Any]:
        strategy = new(cls, tree, options, seed=seed)
        return [asked(strategy).point for _ in range(4)]

    assert first(3) == first(3)
    assert any(first(3) != first(seed) for seed in (4, 5, 6))


@pytest.mark.parametrize(("cls", "tree"), [(OptunaGrid, FLAT), (OptunaBruteForce, FINITE)])
@pytest.mark.parametrize("cut", [0, 4])
def test_every_point_is_tried_once_also_across_a_resume(
    cls: type[OptunaStrategy], tree: Space, cut: int
) -> None:
    strategy, history, running = new(cls, tree), [], []
    points: list[str] = []
    for number in range(int(tree.size())):
        if cut and number == cut:
            strategy = new(cls, tree)
            for trial in history:
                strategy.tell(trial, TrialState.DONE, {"value": 1.0})
            for trial in running:
                strategy.resume(trial)
        running.append(ended(number, asked(strategy)))
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
        new(cls, tree)
    assert named in str(refusal.value) and refusal.value.hint


def test_cmaes_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"nas-toolkit\[cmaes\]"):
        new(OptunaCmaEs, NUMBERS)


@needs_cmaes
def test_cmaes_refuses_several_objectives_and_clashing_options() -> None:
    with pytest.raises(RecipeError, match="one objective"):
        new(OptunaCmaEs, NUMBERS, objectives={"a": "maximize", "b": "minimize"})
    with pytest.raises(ValidationError):
        OptunaCmaEs.Options(with_margin=True, lr_adapt=True)


@needs_cmaes
def test_cmaes_moves_on_over_generations_also_after_a_replay() -> None:
    live, history = new(OptunaCmaEs, NUMBERS), []
    for number in range(60):
        trial = ended(number, asked(live))
        history.append((trial, TrialState.DONE, {"value": judge(trial.point or {})}))
        live.tell(*history[-1])
        assert "optimizer" not in json.dumps(trial.token)
    values = [told[2]["value"] for told in history]
    assert sum(values[-10:]) / 10 > sum(values[:10]) / 10
    assert max(token["cma:generation"] for told in history if (token := told[0].token)) >= 5


@pytest.mark.parametrize("cls", [OptunaNsga2, OptunaNsga3])
def test_generations_breed_better_fronts_of_several_objectives(cls: type[OptunaStrategy]) -> None:
    objectives: dict[str, Direction] = {"gain": "maximize", "cost": "minimize"}
    strategy = new(cls, NUMBERS, {"population_size": 10}, objectives)
    gains = []
    for number in range(80):
        proposal = asked(strategy)
        point = proposal.point or {}
        validate(NUMBERS, point)
        values = {"gain": -((point["x"] - 0.7) ** 2), "cost": (point["x"] - 0.6) ** 2}
        strategy.tell(ended(number, proposal), TrialState.DONE, values)
        gains.append(values["gain"])
    assert sum(gains[-20:]) > sum(gains[:20])
    assert strategy._study.best_trials


def test_a_sequence_covers_every_axis_more_evenly_than_chance() -> None:
    strategy = new(OptunaQMC, MIXED)
    points = [asked(strategy).point or {} for _ in range(32)]
    assert sum(point["body"] == "plain" for point in points) == 16
