from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from strategy_drivers import Search, asked, make, proposals, trial_at
from toolkit.contracts import Direction, Trial, TrialState
from toolkit.space import sample, validate
from toolkit.testing import NESTED, check_strategy
from toolkit_optuna.strategy import OptunaRandom, OptunaStrategy, OptunaTPE


def judge(point: Mapping[str, Any]) -> float:
    body = point["architecture"]["body"]
    value = -((math.log10(point["train"]["lr"]) + 2.5) ** 2)
    if isinstance(body, dict):
        conv = body["conv"]
        value += 1 - (math.log2(conv["width"]) - 5) ** 2 / 4
        value += isinstance(conv["norm"], dict)
    return value + (point["architecture"]["flag"] is False)


def study_of(strategy: OptunaStrategy) -> list[tuple[Any, ...]]:
    """Every finished trial that samplers look at, in their order."""
    finished = [t for t in strategy._study.trials if t.state.name in ("COMPLETE", "PRUNED")]
    return [(t.state, t.params, t.distributions, t.values, t.intermediate_values) for t in finished]


@pytest.mark.parametrize("cls", [OptunaRandom, OptunaTPE])
def test_the_contract_of_strategies_is_kept(cls: type[OptunaStrategy]) -> None:
    check_strategy(lambda: cls(cls.Options()), NESTED, judge, trials=25)


@pytest.mark.parametrize("cls", [OptunaRandom, OptunaTPE])
def test_every_proposal_is_a_point_and_every_branch_is_met(cls: type[OptunaStrategy]) -> None:
    strategy, seen = make(cls, NESTED), set()
    for number in range(80):
        point = asked(strategy)
        validate(NESTED, point)
        seen.add(str(point["architecture"]["flag"].__class__))
        body = point["architecture"]["body"]
        norm = "plain" if body == "plain" else body["conv"]["norm"]
        seen.add(norm if isinstance(norm, str) else str(norm["batch"]["momentum"])[:6])
        strategy.tell(trial_at(number, point), TrialState.DONE, {"value": random.random()})
    assert {"plain", "off", "none", "{'fixe"} <= seen
    assert {"<class 'bool'>", "<class 'int'>", "<class 'NoneType'>", "<class 'str'>"} <= seen


@pytest.mark.parametrize("cls", [OptunaRandom, OptunaTPE])
def test_a_replayed_strategy_goes_on_exactly_as_the_live_one(cls: type[OptunaStrategy]) -> None:
    live = Search(make(cls, NESTED), judge, failing=3).run(45, at_once=3)
    while live.running:
        live.end()
    replayed = live.resumed(make(cls, NESTED))
    assert study_of(live.strategy) == study_of(replayed)
    assert proposals(live.strategy, 3) == proposals(replayed, 3)


@pytest.mark.parametrize("cls", [OptunaRandom, OptunaTPE])
def test_trials_that_go_on_are_not_proposed_again(cls: type[OptunaStrategy]) -> None:
    live, resumed = make(cls, NESTED), make(cls, NESTED)
    history = [trial_at(number, asked(live)) for number in range(15)]
    for strategy in (live, resumed):
        for trial in history[:12]:
            strategy.tell(trial, TrialState.DONE, {"value": judge(trial.point or {})})
    for trial in history[12:]:
        resumed.resume(trial)
    for strategy in (live, resumed):
        strategy.tell(history[13], TrialState.DONE, {"value": 0.5})
    assert study_of(live) == study_of(resumed)
    assert proposals(live, 3) == proposals(resumed, 3)


@pytest.mark.parametrize("cls", [OptunaRandom, OptunaTPE])
def test_parallel_proposals_differ_and_other_seeds_propose_otherwise(
    cls: type[OptunaStrategy],
) -> None:
    strategy = make(cls, NESTED)
    rates = [asked(strategy)["train"]["lr"] for _ in range(8)]
    assert len(set(rates)) == 8
    assert strategy.ask().token is None, "nothing that the ledger would have to keep"
    assert asked(make(cls, NESTED, seed=1))["train"]["lr"] not in rates


def test_results_that_teach_nothing_are_told_as_failed() -> None:
    strategy = make(OptunaTPE, NESTED)
    endings: list[tuple[TrialState, dict[str, float]]] = [
        (TrialState.DONE, {"value": math.nan}),
        (TrialState.DONE, {"value": math.inf}),
        (TrialState.DONE, {"other": 1.0}),
        (TrialState.FAILED, {}),
        (TrialState.OOM, {}),
        (TrialState.TIMEOUT, {}),
        (TrialState.INVALID, {}),
    ]
    for number, (state, values) in enumerate(endings):
        strategy.tell(trial_at(number, sample(NESTED, random.Random(number))), state, values)
    assert [trial.state.name for trial in strategy._study.trials] == ["FAIL"] * len(endings)


def test_a_pruned_trial_is_told_with_its_intermediate_values() -> None:
    strategy = make(OptunaTPE, NESTED)
    trial = trial_at(0, asked(strategy))
    assert strategy.report(trial, 1, {"value": 0.25, "loss": 3.0})
    assert strategy.report(trial, 2, {"value": 0.5, "loss": 2.0})
    strategy.tell(trial, TrialState.PRUNED, {"value": 0.5})
    last = strategy._study.trials[-1]
    assert last.state.name == "PRUNED"
    assert last.intermediate_values == {1: 0.25, 2: 0.5}


def test_several_objectives_have_their_own_directions() -> None:
    objectives: dict[str, Direction] = {"value": "maximize", "cost": "minimize"}
    strategy = make(OptunaTPE, NESTED, {"n_startup_trials": 5}, objectives)
    assert [direction.name for direction in strategy._study.directions] == ["MAXIMIZE", "MINIMIZE"]
    for number in range(12):
        point = asked(strategy)
        state = TrialState.PRUNED if number == 6 else TrialState.DONE
        values = {"value": judge(point), "cost": point["train"]["epochs"]}
        strategy.tell(trial_at(number, point), state, values)
    assert strategy._study.best_trials


def test_trials_it_never_proposed_are_learned_from_or_passed_over() -> None:
    strategy = make(OptunaRandom, NESTED)
    strategy.tell(Trial(0, "supernet", None, {}, 0, "s"), TrialState.DONE, {"value": 1.0})
    stranger = {"architecture": {"body": "unheard of"}}
    strategy.tell(trial_at(1, stranger), TrialState.DONE, {"value": 1.0})
    strategy.tell(trial_at(2, sample(NESTED, random.Random(0))), TrialState.DONE, {"value": 1.0})
    assert [trial.value for trial in strategy._study.trials] == [1.0]


def test_tpe_finds_better_points_than_random_draws() -> None:
    """Mean best of 40 trials over 12 seeds, on a tree whose optimum is 3."""

    def best(cls: type[OptunaStrategy], seed: int) -> float:
        return max(Search(make(cls, NESTED, seed=seed), judge).run(40).values)

    seeds = range(12)
    tpe, rand = (sum(best(cls, s) for s in seeds) / len(seeds) for cls in (OptunaTPE, OptunaRandom))
    assert tpe > rand
