"""NNI's tuners as strategies: depth, replay, NaN, refusals, exhausted spaces."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from strategy_drivers import Search, make, proposals, proposed, trial_of
from toolkit.contracts import (
    Direction,
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.errors import ExitCode, RecipeError, UnknownPluginError
from toolkit.registry import Registry
from toolkit.space import Choice, Float, Group, Int, Space, sample, validate
from toolkit.testing import FINITE, NESTED
from toolkit_nni.hyperband import NniHyperband
from toolkit_nni.population import NniEvolution, NniPBT
from toolkit_nni.refused import STRATEGIES as REFUSED
from toolkit_nni.tuners import NniGrid, NniRandom, NniTPE

FLAT = Group(op=Choice(["a", None, False]), lr=Float(1e-4, 1, log=True), n=Int(1, 9))
FEW = {"population_size": 6}
ALL: list[Any] = [
    pytest.param(NniRandom, {}, NESTED, id="random"),
    pytest.param(NniTPE, {"n_startup_jobs": 5}, NESTED, id="tpe"),
    pytest.param(NniGrid, {}, NESTED, id="grid"),
    pytest.param(NniEvolution, FEW, NESTED, id="evolution"),
    pytest.param(NniPBT, FEW, FLAT, id="pbt"),
    pytest.param(NniHyperband, {"R": 9}, NESTED, id="hyperband"),
]


def judge(point: Mapping[str, Any]) -> float:
    return -((math.log10(point["train"]["lr"] if "train" in point else point["lr"]) + 2.5) ** 2)


@pytest.mark.parametrize(("cls", "options", "tree"), ALL)
def test_a_replayed_strategy_goes_on_as_the_live_one(
    cls: type[Strategy], options: dict[str, Any], tree: Space
) -> None:
    live = Search(make(cls, tree, options), judge, failing=7).run(30)
    resumed = live.resumed(make(cls, tree, options))
    assert proposals(live.strategy, 3) == proposals(resumed, 3)


@pytest.mark.parametrize(("cls", "options", "tree"), ALL)
def test_parallel_trials_that_go_on_after_a_resume_are_not_proposed_again(
    cls: type[Strategy], options: dict[str, Any], tree: Space
) -> None:
    live, history, running = make(cls, tree, options), [], []
    for number in range(24):
        if isinstance(proposal := live.ask(), Proposal):
            running.append(trial_of(number, proposal))
        if len(running) == 4 or isinstance(proposal, Wait):
            history.append(running.pop(random.Random(number).randrange(len(running))))
            live.tell(history[-1], TrialState.DONE, {"value": judge(history[-1].point or {})})
    resumed = make(cls, tree, options)
    for trial in history:
        resumed.tell(trial, TrialState.DONE, {"value": judge(trial.point or {})})
    for trial in running:
        resumed.resume(trial)
    going = [json.dumps(trial.point) for trial in running]
    for trial in running:
        resumed.tell(trial, TrialState.DONE, {"value": judge(trial.point or {})})
    proposal = proposed(resumed)
    validate(tree, proposal.point)
    if cls in (NniRandom, NniTPE, NniGrid):
        assert json.dumps(proposal.point) not in going


@pytest.mark.parametrize(("cls", "options", "tree"), ALL)
def test_seeds_reproduce_and_leave_the_global_generators_alone(
    cls: type[Strategy], options: dict[str, Any], tree: Space
) -> None:
    def first(seed: int) -> list[Any]:
        return proposals(make(cls, tree, options, seed=seed), 5)

    random.seed(1)
    before = random.getstate()
    assert first(3) == first(3)
    assert random.getstate() == before
    if cls is not NniGrid:
        assert first(3) != first(4)


@pytest.mark.parametrize(("cls", "options", "tree"), ALL)
def test_broken_results_neither_teach_nor_kill(
    cls: type[Strategy], options: dict[str, Any], tree: Space
) -> None:
    strategy = make(cls, tree, options)
    strategy.tell(Trial(0, "supernet", None, {}, 0, "s"), TrialState.DONE, {"value": 1.0})
    strategy.tell(
        Trial(1, "train", {"none": "of these"}, {}, 1, "x"), TrialState.DONE, {"value": 1.0}
    )
    strategy.tell(
        Trial(2, "train", sample(tree, random.Random(5)), {}, 2, "y"),
        TrialState.DONE,
        {"value": 0.5},
    )
    endings: list[tuple[TrialState, dict[str, float]]] = [
        (TrialState.DONE, {"value": math.nan}),
        (TrialState.DONE, {"value": math.inf}),
        (TrialState.DONE, {}),
        (TrialState.OOM, {}),
        (TrialState.TIMEOUT, {}),
        (TrialState.INVALID, {}),
        (TrialState.PRUNED, {"value": 0.1}),
    ]
    for number in range(28):
        trial = trial_of(number + 3, proposed(strategy))
        strategy.tell(trial, *endings[number % len(endings)])


@pytest.mark.parametrize("cls", [NniRandom, NniTPE, NniGrid])
@pytest.mark.parametrize("cut", [0, 9])
def test_every_point_of_a_finite_nested_space_is_tried_once(cls: type[Strategy], cut: int) -> None:
    strategy, history, points = make(cls, FINITE), [], []
    while isinstance(proposal := strategy.ask(), Proposal):
        points.append(json.dumps(proposal.point))
        history.append(trial_of(len(points), proposal))
        strategy.tell(history[-1], TrialState.DONE, {"value": 1.0})
        if len(points) == cut:
            strategy = make(cls, FINITE)
            for trial in history:
                strategy.tell(trial, TrialState.DONE, {"value": 1.0})
    assert isinstance(proposal, Exhausted)
    assert len(points) == len(set(points)) == FINITE.size()


@pytest.mark.parametrize("cls", [NniRandom, NniTPE, NniGrid, NniEvolution])
def test_a_space_with_nothing_to_decide_is_tried_once(cls: type[Strategy]) -> None:
    strategy = make(cls, Group(a=Choice({"only": Group(b=Int(2, 2))})))
    proposal = proposed(strategy)
    assert proposal.point == {"a": {"only": {"b": 2}}}
    strategy.tell(trial_of(0, proposal), TrialState.DONE, {"value": 1.0})
    assert isinstance(strategy.ask(), Exhausted)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_tpe_finds_better_points_than_random_draws(direction: Direction) -> None:
    sign = 1 if direction == "maximize" else -1

    def worth(point: Mapping[str, Any]) -> float:
        return sign * (judge(point) + (point["architecture"]["flag"] is False))

    def best(cls: type[Strategy], seed: int) -> float:
        strategy = make(cls, NESTED, objectives={"value": direction}, seed=seed)
        return sign * sum(Search(strategy, worth).run(60).values[-20:]) / 20

    assert sum(best(NniTPE, s) for s in range(5)) > sum(best(NniRandom, s) for s in range(5))


def test_populations_wait_for_results_when_all_are_running() -> None:
    for cls, tree in ((NniEvolution, NESTED), (NniPBT, FLAT)):
        strategy = make(cls, tree, FEW)
        trials = [trial_of(number, proposed(strategy)) for number in range(6)]
        assert isinstance(strategy.ask(), Wait)
        for trial in trials:
            strategy.tell(trial, TrialState.DONE, {"value": judge(trial.point or {})})
        assert isinstance(strategy.ask(), Proposal)


def test_evolution_and_pbt_get_better_with_the_generations() -> None:
    for cls, tree in ((NniEvolution, NESTED), (NniPBT, FLAT)):
        values = Search(make(cls, tree, FEW), judge).run(90).values
        assert sum(values[-12:]) > sum(values[:12])


@pytest.mark.parametrize("mode", ["serial", "parallelism"])
def test_hyperband_promotes_the_best_of_each_round(mode: str) -> None:
    strategy = make(NniHyperband, NESTED, {"R": 9, "eta": 3, "exec_mode": mode})
    epochs: dict[int, list[float]] = {}
    for trial, _, values in Search(strategy, judge).run(22).told:
        epochs.setdefault(trial.fidelity["epochs"], []).append(values["value"])
    assert sorted(epochs) == [1, 3, 9]
    assert sorted(epochs[1])[-3:] == sorted(epochs[3][:3])
    assert max(epochs[1]) in epochs[9]


def test_hyperband_goes_on_when_whole_rounds_fail() -> None:
    strategy = make(NniHyperband, FLAT, {"R": 9})
    for number in range(40):
        strategy.tell(trial_of(number, proposed(strategy)), TrialState.FAILED, {})


def test_serial_hyperband_waits_for_its_round() -> None:
    strategy = make(NniHyperband, FLAT, {"R": 9, "exec_mode": "serial"})
    trials = [trial_of(number, proposed(strategy)) for number in range(9)]
    assert isinstance(strategy.ask(), Wait)
    for trial in trials:
        strategy.tell(trial, TrialState.DONE, {"value": judge(trial.point or {})})
    assert proposed(strategy).fidelity == {"epochs": 3, "of_epochs": 9}


def test_median_stop_ends_what_is_worse_than_the_median() -> None:
    strategy = make(NniRandom, NESTED, {"assessor": "medianstop"})

    def run(number: int, level: float) -> int:
        trial = trial_of(number, proposed(strategy))
        for step in range(1, 6):
            if not strategy.report(trial, step, {"value": level}):
                strategy.tell(trial, TrialState.PRUNED, {"value": level})
                return step
        strategy.tell(trial, TrialState.DONE, {"value": level})
        return 5

    assert [run(number, level) for number, level in enumerate([1.0, 1.1, 1.2])] == [5, 5, 5]
    assert run(3, 0.2) == 1
    assert run(4, 1.5) == 5
    trial = trial_of(5, proposed(strategy))
    assert strategy.report(trial, 1, {"value": math.nan}) and strategy.report(trial, 1, {})


def test_pbt_refuses_nested_spaces_and_all_refuse_several_objectives() -> None:
    with pytest.raises(RecipeError, match=r"architecture\.body"):
        make(NniPBT, NESTED)
    objectives: dict[str, Direction] = {"value": "maximize", "cost": "minimize"}
    for cls in (NniRandom, NniTPE, NniGrid, NniEvolution, NniPBT, NniHyperband):
        with pytest.raises(RecipeError, match="one objective"):
            cls(cls.Options()).setup(SearchContext(FLAT, objectives, 0, None))


@pytest.mark.parametrize("name", ["nni.gp", "nni.metis", "nni.anneal", "nni.smac", "nni.ppo"])
def test_what_is_broken_is_refused_by_name_with_the_reason(name: str) -> None:
    with pytest.raises(UnknownPluginError) as refusal:
        Registry().get("strategies", name)
    reason, instead = REFUSED[name]
    assert refusal.value.message == f"{name} does not run: {reason}."
    assert refusal.value.hint == instead
    assert refusal.value.exit_code == ExitCode.USAGE
    assert instead.split()[1].rstrip(".") in Registry().names("strategies")
