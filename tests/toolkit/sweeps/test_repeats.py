"""Repeated configurations under a strategy that hears reports: one trial each, for the strategy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
    Wait,
)
from toolkit.space import Float, Group
from toolkit.sweeps.repeats import Repeated
from toolkit_optuna.strategy import OptunaRandom

TREE = Group(gain=Float(0, 1))
EPOCHS = 9
SEEDS = 3
CONFIGURATIONS = 12


@dataclass
class Training:
    """A trial: when it began, its reports, when it was first to end early, and how it ended."""

    trial: Trial
    begun: int
    reports: list[dict[str, float]] = field(default_factory=list)
    stopped: int | None = None
    state: TrialState = TrialState.RUNNING

    @property
    def configuration(self) -> int:
        number: int = self.trial.token["configuration"]
        return number

    def value(self) -> dict[str, float]:
        """Better with the gain and the epoch; seeds differ a little."""
        assert self.trial.point is not None
        level = self.trial.point["gain"] + 0.01 * self.trial.token["repeat"]
        return {"value": level * (len(self.reports) + 1) / EPOCHS}


class Engine:
    """Slots whose trainings advance one epoch a turn; heard as the engine has strategies hear."""

    clock = itertools.count()

    def __init__(self, slots: int) -> None:
        pruner = {"name": "median", "n_startup_trials": 3}
        inner = OptunaRandom(OptunaRandom.Options(pruner=pruner))
        self.strategy = Repeated(inner, SEEDS)
        total = CONFIGURATIONS * SEEDS
        self.strategy.setup(SearchContext(TREE, {"value": "maximize"}, 0, total))
        self.slots, self.asking = slots, True
        self.trainings: list[Training] = []
        self.running: list[Training] = []
        self.told: list[Training] = []

    @classmethod
    def resumed(cls, earlier: Engine, slots: int) -> Engine:
        """An engine that goes on where another was killed; trainings go on from checkpoints."""
        engine = cls(slots)
        engine.trainings, engine.told = earlier.trainings, earlier.told
        engine.running, strategy = earlier.running, engine.strategy
        strategy.replaying = True
        for training in engine.told:
            for step, values in enumerate(training.reports, 1):
                strategy.report(training.trial, step, values)
            values = training.reports[-1]
            strategy.tell(training.trial, training.state, values)
        for training in engine.running:
            training.stopped = None  # the word did not reach its new worker
            strategy.resume(training.trial)
            for step, values in enumerate(training.reports, 1):
                strategy.report(training.trial, step, values)
        strategy.replaying = False
        return engine

    def run(self, turns: int = 10_000) -> Engine:
        for _ in range(turns):
            self._begin()
            if not self.running:
                break
            for training in list(self.running):
                self._advance(training)
        return self

    def _begin(self) -> None:
        while self.asking and len(self.running) < self.slots:
            answer = self.strategy.ask()
            self.asking = not isinstance(answer, Exhausted)
            if not isinstance(answer, Proposal):
                assert self.running or isinstance(answer, Exhausted)
                return
            number = len(self.trainings) + 1
            trial = Trial(
                number, "train", answer.point, {}, answer.seed or 0, str(number), answer.token
            )
            self.trainings.append(Training(trial, next(self.clock)))
            self.running.append(self.trainings[-1])

    def _advance(self, training: Training) -> None:
        if training.stopped is not None:
            training.state = TrialState.PRUNED
        else:
            training.reports.append(training.value())
            step = len(training.reports)
            if not self.strategy.report(training.trial, step, training.reports[-1]):
                training.stopped = next(self.clock)
            if step == EPOCHS:
                training.state = TrialState.DONE
        if training.state.ended:
            self.running.remove(training)
            self.told.append(training)
            self.strategy.tell(training.trial, training.state, training.reports[-1])

    def by_configuration(self) -> dict[int, list[Training]]:
        ordered = sorted(self.trainings, key=lambda training: training.configuration)
        grouped = itertools.groupby(ordered, key=lambda training: training.configuration)
        return {number: list(members) for number, members in grouped}


def assert_pruned_as_a_whole(engine: Engine) -> None:
    groups = engine.by_configuration()
    assert len(groups) == CONFIGURATIONS, "what is saved begins no further configurations"
    pruned = [group for group in groups.values() if any(t.state == "pruned" for t in group)]
    whole = [group for group in groups.values() if all(t.state == "done" for t in group)]
    assert len(pruned) >= 2 and len(pruned) + len(whole) == CONFIGURATIONS
    assert all(len(group) == SEEDS for group in whole)
    for group in pruned:
        ended_early = [t for t in group if t.state == "pruned"]
        assert all(len(t.reports) < EPOCHS for t in ended_early)
        verdict = min(t.stopped for t in ended_early if t.stopped is not None)
        assert all(t.begun < verdict for t in group), "no repeat is begun after the verdict"
    gains = [[group[0].trial.point["gain"] for group in part] for part in (pruned, whole)]  # type: ignore[index]
    assert max(gains[0]) < max(gains[1]), "the best is never ended"


@pytest.mark.parametrize("slots", [1, 2, SEEDS, 7])
def test_a_pruned_configuration_ends_its_running_repeats_and_begins_no_more(slots: int) -> None:
    engine = Engine(slots).run()
    assert_pruned_as_a_whole(engine)
    paid = sum(len(training.reports) for training in engine.trainings)
    assert paid < 0.8 * CONFIGURATIONS * SEEDS * EPOCHS


@pytest.mark.parametrize("slots", [1, 2, SEEDS])
@pytest.mark.parametrize("turns", [5, 40, 75, 110])
def test_a_killed_sweep_goes_on_to_prune_configurations_as_a_whole(slots: int, turns: int) -> None:
    assert_pruned_as_a_whole(Engine.resumed(Engine(slots).run(turns), slots).run())


def test_a_killed_sweep_of_one_slot_ends_as_one_that_was_not_killed() -> None:
    expected = [(t.trial, t.reports, t.state) for t in Engine(1).run().trainings]
    for turns in range(3, 150, 20):
        resumed = Engine.resumed(Engine(1).run(turns), 1).run()
        assert [(t.trial, t.reports, t.state) for t in resumed.trainings] == expected


class Inner(Strategy):
    """Proposes 0.1, 0.2, ...; writes down what it hears; ends what `ends` says."""

    def __init__(self, ends: Mapping[tuple[int, int], bool] | None = None) -> None:
        super().__init__(Strategy.Options())
        self.ends = ends or {}
        self.heard: list[tuple[Any, ...]] = []
        self.number = 0

    def setup(self, context: SearchContext) -> None:
        self.context = context

    def resume(self, trial: Trial) -> None:
        self.heard.append(("resume", trial.number))
        self.number = max(self.number, trial.number)

    def ask(self) -> Proposal | Exhausted:
        self.number += 1
        return Exhausted() if self.number > 9 else Proposal({"gain": self.number / 10})

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        self.heard.append(("report", trial.number, step, dict(values)))
        return not self.ends.get((trial.number, step), False)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self.heard.append(("tell", trial.number, str(state), dict(values), trial.violations))
        self.number = max(self.number, trial.number)


def new(inner: Inner, repeats: int = 3, trials: int | None = None) -> Repeated:
    strategy = Repeated(inner, repeats)
    strategy.setup(SearchContext(TREE, {"value": "maximize"}, 0, trials))
    return strategy


def begin(strategy: Strategy, number: int) -> Trial:
    answer = strategy.ask()
    assert isinstance(answer, Proposal)
    return Trial(number, "train", answer.point, {}, answer.seed or 0, str(number), answer.token)


def test_a_step_is_heard_as_a_mean_once_every_running_repeat_has_reached_it() -> None:
    inner = Inner()
    strategy = new(inner)
    first, second = begin(strategy, 1), begin(strategy, 2)
    assert strategy.report(first, 1, {"value": 1.0, "loss": 4.0})
    assert inner.heard == [], "the other repeat has yet to reach it"
    assert strategy.report(second, 1, {"value": 2.0})
    assert inner.heard == [("report", 1, 1, {"value": 1.5})], "what both reported"
    strategy.report(first, 2, {"value": 3.0})
    strategy.tell(second, TrialState.FAILED, {})
    strategy.report(first, 3, {"value": 4.0})
    assert inner.heard[1:] == [("report", 1, 2, {"value": 3.0}), ("report", 1, 3, {"value": 4.0})]
    strategy.tell(first, TrialState.DONE, {"value": 4.0})
    third = begin(strategy, 3)
    values: dict[str, Any] = {"value": None}
    strategy.report(third, 3, values)
    assert inner.heard[3][:3] == ("report", 1, 3) and math.isnan(inner.heard[3][3]["value"])
    strategy.tell(third, TrialState.DONE, {"value": 6.0})
    assert inner.heard[4:] == [("tell", 1, "done", {"value": 5.0}, {})]


def test_what_the_last_repeat_left_unheard_is_heard_before_the_end() -> None:
    inner = Inner()
    strategy = new(inner, 2)
    first, second = begin(strategy, 1), begin(strategy, 2)
    for step in (1, 2):
        strategy.report(first, step, {"value": float(step)})
    strategy.tell(first, TrialState.DONE, {"value": 2.0})
    strategy.tell(second, TrialState.FAILED, {})
    assert [event[:3] for event in inner.heard] == [
        ("report", 1, 1),
        ("report", 1, 2),
        ("tell", 1, "done"),
    ]


def test_no_repeat_is_begun_of_what_shall_end() -> None:
    inner = Inner(ends={(1, 2): True})
    strategy = new(inner)
    first, second = begin(strategy, 1), begin(strategy, 2)
    for trial in (first, second):
        assert strategy.report(trial, 1, {"value": 0.1})
    assert strategy.report(first, 2, {"value": 0.1})
    assert not strategy.report(second, 2, {"value": 0.1})
    other = begin(strategy, 3)
    assert other.token["configuration"] == 2
    assert not strategy.report(first, 3, {"value": 0.2}), "it too ends after its next report"
    strategy.tell(second, TrialState.PRUNED, {"value": 0.1})
    strategy.tell(first, TrialState.PRUNED, {"value": 0.2})
    assert [event for event in inner.heard if event[0] == "tell"] == [
        ("tell", 1, "pruned", {"value": 0.1}, {})
    ], "one trial for the strategy"
    assert begin(strategy, 4).token == {"configuration": 2, "repeat": 1}


def test_a_repeat_that_is_done_before_it_can_be_ended_is_followed_by_the_others() -> None:
    inner = Inner(ends={(1, 1): True})
    strategy = new(inner, 2, trials=2)
    first = begin(strategy, 1)
    assert not strategy.report(first, 1, {"value": 0.1})
    assert isinstance(strategy.ask(), Wait), "it may have a second repeat yet"
    strategy.tell(first, TrialState.DONE, {"value": 0.1})
    second = begin(strategy, 2)
    assert second.token == {"configuration": 1, "repeat": 1}
    assert not strategy.report(second, 1, {"value": 0.1}), "judged anew"
    strategy.tell(second, TrialState.PRUNED, {"value": 0.1})
    assert isinstance(strategy.ask(), Exhausted)


def test_a_resumed_configuration_is_introduced_before_its_reports() -> None:
    first, second = (begin(new(Inner()), 1) for _ in range(2))
    second = Trial(2, "train", first.point, {}, 0, "2", {"configuration": 1, "repeat": 1})
    inner = Inner()
    strategy = new(inner)
    strategy.replaying = True
    strategy.report(first, 1, {"value": 1.0})
    strategy.tell(first, TrialState.DONE, {"value": 1.0})
    strategy.resume(second)
    strategy.report(second, 1, {"value": 2.0})
    strategy.replaying = False
    assert inner.heard == [
        ("report", 1, 1, {"value": 1.0}),
        ("resume", 1),
        ("report", 1, 1, {"value": 1.5}),
    ]


def test_a_constraint_that_every_repeat_breaks_is_heard_and_not_counted() -> None:
    inner, broken = Inner(), {"parameters <= 10": 0.5}
    strategy = new(inner, 2, trials=2)
    for number in (1, 2):
        trial = begin(strategy, number)
        refused = Trial(**{**vars(trial), "violations": broken})
        strategy.tell(refused, TrialState.INVALID, {})
    assert inner.heard == [("tell", 1, "invalid", {}, broken)]
    assert begin(strategy, 3).token == {"configuration": 2, "repeat": 0}
    assert begin(strategy, 4).token == {"configuration": 2, "repeat": 1}
    assert isinstance(strategy.ask(), Exhausted)
