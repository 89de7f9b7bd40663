"""What sweeps propose, anew and after a resume."""

from __future__ import annotations

from typing import Any

import pytest

from strategy_drivers import proposed
from toolkit.contracts import (
    Exhausted,
    Proposal,
    SearchContext,
    Strategy,
    Trial,
    TrialState,
)
from toolkit.errors import RecipeError
from toolkit.space import Fixed, Float, Group, decisions, from_json, leaves, validate
from toolkit.sweeps import parse_axis
from toolkit.sweeps.proposals import Listed, grid_points, random_points
from toolkit.sweeps.repeats import Repeated

ARCHITECTURE = {"cells": ["any", {"json": 1}]}
TREE = Group(architecture=Fixed(ARCHITECTURE), train=Group(lr=Float(1e-3, 1.0, log=True)))
AXIS = parse_axis("train.lr=log(1e-3,1,4)")
CONTEXT = SearchContext(TREE, {"accuracy": "maximize"}, 7, 6)


class Recording(Strategy):
    """Proposes 0.1, 0.2, ...; keeps what it hears."""

    def setup(self, context: SearchContext) -> None:
        self.context = context
        self.asked: set[int] = set()
        self.told: list[tuple[int, Any, str, dict[str, float]]] = []

    def resume(self, trial: Trial) -> None:
        self.asked.add(trial.number)

    def ask(self) -> Proposal:
        number = len(self.asked) + 1
        self.asked.add(number)
        point = {"architecture": ARCHITECTURE, "train": {"lr": number / 10}}
        return Proposal(point, token=f"token {number}")

    def tell(self, trial: Trial, state: TrialState, values: Any) -> None:
        self.asked.add(trial.number)
        self.told.append((trial.number, trial.token, str(state), dict(values)))


def trial(proposal: Proposal, number: int) -> Trial:
    assert proposal.seed is not None
    return Trial(
        number, "train", proposal.point, proposal.fidelity, proposal.seed, "f", proposal.token
    )


def test_a_fixed_part_of_a_tree_leaves_nothing_to_decide() -> None:
    (point, *_) = grid_points(TREE, [AXIS])
    validate(TREE, point)
    assert point == {"architecture": ARCHITECTURE, "train": {"lr": 0.001}}
    assert list(decisions(TREE, point)) == ["train.lr"]
    assert [path for path, _, _ in leaves(TREE)] == ["train.lr"]
    assert from_json(TREE.to_json()) == TREE
    assert Fixed({"a": 1}) != Fixed({"a": 2})
    point["architecture"]["cells"].append("more")
    assert ARCHITECTURE["cells"] == ["any", {"json": 1}]
    assert list(TREE.faults(point))


def test_the_first_random_points_do_not_depend_on_how_many_are_asked_for() -> None:
    few, many = (random_points(TREE, [AXIS], count, 3) for count in (3, 9))
    assert many[:3] == few
    assert len({point["train"]["lr"] for point in many}) == 9
    small = parse_axis("train.lr=0.1,0.2")
    assert len(random_points(TREE, [small], 9, 3)) == 2, "no more than there are"


def test_a_list_goes_on_with_what_has_not_been_asked() -> None:
    points = list(grid_points(TREE, [AXIS]))
    first = Listed(points, 2)
    first.setup(CONTEXT)
    proposals = [proposed(first) for _ in range(8)]
    assert isinstance(first.ask(), Exhausted)
    assert [p.token["repeat"] for p in proposals] == [0, 1] * 4
    again = Listed(points, 3)
    again.setup(CONTEXT)
    for number, proposal in enumerate(proposals[:5], 1):
        again.tell(trial(proposal, number), TrialState.DONE, {})
    again.resume(trial(proposals[5], 6))
    rest = []
    while isinstance(proposal := again.ask(), Proposal):
        rest.append((proposal.token["configuration"], proposal.token["repeat"]))
    assert rest == [(1, 2), (2, 2), (3, 2), (4, 0), (4, 1), (4, 2)]


def test_a_strategy_hears_means_and_a_resumed_one_as_well() -> None:
    inner = Recording(Strategy.Options())
    strategy = Repeated(inner, 2)
    strategy.setup(CONTEXT)
    assert inner.context.trials == 3, "configurations, not trials"
    proposals = [proposed(strategy) for _ in range(5)]
    assert [p.token["configuration"] for p in proposals] == [1, 1, 2, 2, 3]
    assert proposals[0].seed == proposals[2].seed != proposals[1].seed == proposals[3].seed
    strategy.tell(trial(proposals[0], 1), TrialState.DONE, {"accuracy": 0.5})
    assert inner.told == []
    strategy.tell(trial(proposals[1], 2), TrialState.DONE, {"accuracy": 0.7})
    assert inner.told == [(1, "token 1", "done", {"accuracy": pytest.approx(0.6)})]
    strategy.tell(trial(proposals[2], 3), TrialState.FAILED, {})
    strategy.tell(trial(proposals[3], 4), TrialState.INVALID, {})
    assert inner.told[1][1:] == ("token 2", "failed", {})

    heard = Recording(Strategy.Options())
    resumed = Repeated(heard, 2)
    resumed.setup(CONTEXT)
    resumed.tell(trial(proposals[0], 1), TrialState.DONE, {"accuracy": 0.5})
    resumed.resume(trial(proposals[4], 5))
    rest = [proposed(resumed).token for _ in range(3)]
    assert [(t["configuration"], t["repeat"]) for t in rest] == [(1, 1), (3, 1), (4, 0)]
    assert heard.asked >= {1, 3}, "it knows of both before it is asked anew"


def test_a_strategy_that_goes_on_with_trainings_is_refused_where_it_cannot() -> None:
    class Promoting(Recording):
        def ask(self) -> Proposal:
            return Proposal({"architecture": ARCHITECTURE, "train": {"lr": 0.1}}, continues=1)

    strategy = Repeated(Promoting(Strategy.Options()), 2)
    strategy.setup(CONTEXT)
    with pytest.raises(RecipeError, match="goes on with trainings"):
        strategy.ask()
