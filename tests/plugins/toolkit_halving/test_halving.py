"""Successive halving and Hyperband: who is promoted and when, what is kept, replay, refusals."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from strategy_drivers import make
from toolkit.contracts import Direction, Exhausted, Proposal, Strategy, Trial, TrialState, Wait
from toolkit.errors import RecipeError
from toolkit.space import Choice, Float, Group, Space
from toolkit.testing import check_strategy
from toolkit_halving.rungs import Entry, Rung, amounts, bracket_sizes
from toolkit_halving.strategy import Asha, AsynchronousHyperband
from toolkit_halving.synchronous import SynchronousHyperband

TREE = Group(x=Float(0.0, 1.0), kind=Choice({"a": Group(depth=Choice([1, 2, 3])), "b": None}))
ALL = [Asha, AsynchronousHyperband, SynchronousHyperband]
SEVERAL: dict[str, Direction] = {"value": "maximize", "size": "minimize"}


def build(kind: type[Strategy], tree: Space = TREE, **given: Any) -> Any:
    return make(kind, tree, **{"epochs": 9, **given})


class Runner:
    """Runs a strategy's proposals on some slots; trials end in random order."""

    def __init__(self, strategy: Any, slots: int = 4, seed: int = 0, failing: float = 0.0) -> None:
        self.strategy, self.slots, self.rng = strategy, slots, random.Random(seed)
        self.failing = failing
        self.running: list[Trial] = []
        self.proposals: dict[int, Proposal] = {}
        self.history: list[tuple[Trial, TrialState, dict[str, float]]] = []
        self.kept: set[int] = set()

    def run(self, trials: int) -> Runner:
        while True:
            while len(self.running) < self.slots and len(self.proposals) < trials:
                proposal = self.strategy.ask()
                if not isinstance(proposal, Proposal):
                    assert self.running or isinstance(proposal, Exhausted)
                    break
                self.start(proposal)
            if not self.running:
                return self
            self.end(self.running.pop(self.rng.randrange(len(self.running))))

    def start(self, proposal: Proposal) -> Trial:
        number = len(self.proposals) + 1
        if proposal.continues is not None:
            assert proposal.continues in self.kept, "its checkpoint is gone"
            assert self.proposals[proposal.continues].point == proposal.point
        self.proposals[number] = proposal
        trial = Trial(
            number,
            "train",
            proposal.point,
            proposal.fidelity,
            0,
            str(number),
            proposal.token,
            continues=proposal.continues,
        )
        self.running.append(trial)
        return trial

    def end(self, trial: Trial) -> None:
        state, values = TrialState.DONE, {"value": trial.point["x"], "size": -trial.point["x"]}
        if self.rng.random() < self.failing:
            state, values = self.rng.choice(
                [(TrialState.FAILED, {}), (TrialState.DONE, {"value": math.nan, "size": 0.0})]
            )
        self.history.append((trial, state, values))
        self.strategy.tell(trial, state, values)
        # As the engine does: what is not promotable now is deleted for good.
        ended = {told.number for told, _, _ in self.history}
        self.kept = (self.kept | {trial.number}) & set(self.strategy.promotable()) & ended


@pytest.mark.parametrize("kind", ALL)
def test_each_keeps_the_contract_of_strategies(kind: type[Strategy]) -> None:
    check_strategy(lambda: kind(kind.Options()), TREE, lambda point: point["x"], trials=30)


def test_rungs_divide_the_longest_training_down_to_the_shortest() -> None:
    assert amounts(1, 9, 3, whole=True) == [1, 3, 9]
    assert amounts(1, 10, 3, whole=True) == [1, 3, 10]
    assert amounts(1, 27, 3, whole=True) == [1, 3, 9, 27]
    assert amounts(1 / 9, 1.0, 3, whole=False) == pytest.approx([1 / 9, 1 / 3, 1])


def test_brackets_have_the_sizes_of_the_paper() -> None:
    # Li et al., JMLR 2018, Table 1: R = 81, eta = 3.
    assert bracket_sizes(5, 3) == [81, 34, 15, 8, 5]


def test_a_rung_ranks_by_domination_where_there_are_several_objectives() -> None:
    rung = Rung()
    for number, scores in enumerate([(0.0, 0.0), (-1.0, -1.0), (-2.0, -0.5), (-0.5, -0.5)]):
        rung.add(Entry(number, {}, scores, number))
    rung.fail()
    assert [entry.number for entry in rung.best(4)] == [1, 2, 3, 0]
    assert rung.ended == 5


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("objectives", [None, SEVERAL])
@pytest.mark.parametrize("failing", [0.0, 0.3])
def test_promoted_trials_continue_the_best_ones(
    kind: type[Strategy], objectives: Mapping[str, Direction] | None, failing: float
) -> None:
    runner = Runner(build(kind, objectives=objectives, trials=80), failing=failing).run(80)
    ends = {trial.number: (state, values) for trial, state, values in runner.history}
    promoted = [p for p in runner.proposals.values() if p.continues is not None]
    assert len(promoted) >= 10
    assert len({p.continues for p in promoted}) == len(promoted), "each is promoted once"
    for proposal in promoted:
        state, values = ends[proposal.continues or 0]
        assert state is TrialState.DONE
        assert math.isfinite(values["value"]), "what failed is never promoted"
        before = runner.proposals[proposal.continues or 0].fidelity
        assert proposal.fidelity["epochs"] == 3 * before["epochs"]
        assert proposal.fidelity["of_epochs"] == 9
    fresh = [str(p.point) for p in runner.proposals.values() if p.continues is None]
    assert len(set(fresh)) == len(fresh), "no point is begun twice"


def test_asha_promotes_the_best_third_from_the_highest_rung_down() -> None:
    strategy = build(Asha)
    runner = Runner(strategy, slots=1)
    for _ in range(3):
        runner.end(runner.start(strategy.ask()))
    first = strategy.ask()
    best = max((trial for trial, _, _ in runner.history), key=lambda trial: trial.point["x"])
    assert (first.continues, dict(first.fidelity)) == (best.number, {"epochs": 3, "of_epochs": 9})
    runner.start(first)
    assert strategy.ask().continues is None, "a slot that has nothing to promote begins a new one"


def test_asynchronous_hyperband_begins_in_the_proportions_of_its_brackets() -> None:
    runner = Runner(build(AsynchronousHyperband), slots=1).run(200)
    begun = [p.fidelity["epochs"] for p in runner.proposals.values() if p.continues is None]
    shares = [begun.count(epochs) for epochs in (1, 3, 9)]
    # Sizes 9, 5 and 3 of 17; each bracket is at most one trial off its share.
    assert all(
        abs(share - sum(shares) * size / 17) <= 1.5
        for share, size in zip(shares, bracket_sizes(3, 3), strict=True)
    )


def test_synchronous_hyperband_waits_for_a_rung_and_has_the_sizes_of_the_paper() -> None:
    strategy = build(SynchronousHyperband)
    runner = Runner(strategy)
    for _ in range(9):
        runner.start(strategy.ask())
    assert isinstance(strategy.ask(), Wait)
    for trial in list(runner.running):
        runner.running.remove(trial)
        runner.end(trial)
    runner.run(9 + 3 + 1 + 5 + 1 + 3)
    epochs = [proposal.fidelity["epochs"] for proposal in runner.proposals.values()]
    assert epochs == [1] * 9 + [3] * 3 + [9] + [3] * 5 + [9] + [9] * 3
    best = sorted((p.point["x"], n) for n, p in runner.proposals.items() if n <= 9)[-3:]
    assert {runner.proposals[n].continues for n in (10, 11, 12)} == {n for _, n in best}


def test_a_rung_that_fails_altogether_ends_its_bracket() -> None:
    runner = Runner(build(SynchronousHyperband), failing=1.0).run(20)
    epochs = [proposal.fidelity["epochs"] for proposal in runner.proposals.values()]
    assert epochs == [1] * 9 + [3] * 5 + [9] * 3 + [1] * 3


@pytest.mark.parametrize("kind", ALL)
def test_after_a_replay_the_same_is_proposed(kind: type[Strategy]) -> None:
    for count in (5, 17, 40):
        runner = Runner(build(kind, trials=60), slots=3)
        while len(runner.history) < count:
            proposal = runner.strategy.ask()
            if isinstance(proposal, Proposal):
                runner.start(proposal)
            if len(runner.running) == 3 or not isinstance(proposal, Proposal):
                runner.end(runner.running.pop(0))
        resumed = build(kind, trials=60)
        for told in runner.history:
            resumed.tell(*told)
        for trial in runner.running:
            resumed.resume(trial)
        assert set(resumed.promotable()) == set(runner.strategy.promotable())
        ours, theirs = resumed.ask(), runner.strategy.ask()
        assert type(ours) is type(theirs)
        if isinstance(ours, Proposal):
            assert (ours.point, ours.continues) == (theirs.point, theirs.continues)
            assert (ours.token, ours.fidelity) == (theirs.token, theirs.fidelity)


@pytest.mark.parametrize("kind", ALL)
def test_a_small_space_is_exhausted_once_all_is_promoted(kind: type[Strategy]) -> None:
    tree = Group(x=Choice([0.1, 0.2, 0.3, 0.4]))
    runner = Runner(build(kind, tree=tree)).run(100)
    fresh = [p.point["x"] for p in runner.proposals.values() if p.continues is None]
    assert sorted(fresh) == [0.1, 0.2, 0.3, 0.4]
    assert isinstance(runner.strategy.ask(), Exhausted)


def test_data_is_a_fidelity_too() -> None:
    runner = Runner(build(Asha, options={"fidelity": "data"}), slots=1).run(30)
    shares = {round(p.fidelity["data"], 6) for p in runner.proposals.values()}
    assert shares == {round(1 / 9, 6), round(1 / 3, 6), 1.0}


def test_trials_of_an_earlier_run_rank_and_are_trained_anew() -> None:
    strategy = build(Asha)
    for number in range(1, 4):
        trial = Trial(
            number,
            "train",
            {"x": number / 10, "kind": "b"},
            {"epochs": 1, "of_epochs": 9},
            0,
            str(number),
            None,
            origin=f"other#{number}",
        )
        strategy.tell(trial, TrialState.DONE, {"value": trial.point["x"]})
    proposal = strategy.ask()
    assert proposal.point == {"x": 0.3, "kind": "b"}
    assert proposal.fidelity["epochs"] == 3
    assert proposal.continues is None, "an earlier run's checkpoint is not here"


@pytest.mark.parametrize(
    ("options", "epochs", "message"),
    [
        ({}, None, "needs max"),
        ({}, 2, "nothing to promote to"),
        ({"max": 9.5}, 9, "must be integers"),
        ({"fidelity": "data", "max": 2}, 9, "no share of the data"),
        ({"min": 5}, 9, "nothing to promote to"),
    ],
)
@pytest.mark.parametrize("kind", ALL)
def test_what_cannot_be_halved_is_refused(
    kind: type[Strategy], options: Mapping[str, Any], epochs: int | None, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        build(kind, options=options, epochs=epochs)
