"""What a strategy hands over is checked where it arrives; its name and method are in the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.contracts import Exhausted, Proposal, SearchContext, Strategy, Trial, TrialState
from toolkit.engine.proposals import check_default_trials, check_promotable, check_proposal
from toolkit.errors import PluginError
from toolkit.problem import Problem

pytestmark = pytest.mark.faults
SOUND = Proposal({"architecture": 1}, "train", {"epochs": 3, "data": 0.5}, ["token"], 1, 2**63 - 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "junk"},
        {"fidelity": ["epochs"]},
        {"fidelity": {"epochs": -5}},
        {"fidelity": {"epochs": "many"}},
        {"fidelity": {"epochs": 2.5}},
        {"fidelity": {"of_epochs": True}},
        {"fidelity": {"data": 1.5}},
        {"fidelity": {"data": float("nan")}},
        {"fidelity": {"lr": Path}},
        {"fidelity": {1: 2}},
        {"seed": 2**63},
        {"seed": -1},
        {"seed": "x"},
        {"continues": 0},
        {"continues": [1]},
        {"token": Path},
        {"token": {"a": float("inf")}},
    ],
    ids=str,
)
def test_a_proposals_fields_are_checked(fault: dict[str, Any]) -> None:

    assert check_proposal(SOUND, "mine") == SOUND
    with pytest.raises(PluginError, match=f"strategy.ask of mine proposed {next(iter(fault))}="):
        check_proposal(replace(SOUND, **fault), "mine")


def test_a_point_is_taken_in_as_a_copy_of_plain_values() -> None:
    point = {"architecture": {"width": np.float64(0.5), "names": ["a"]}}
    taken = check_proposal(Proposal(point), "mine").point
    assert taken == point and type(taken["architecture"]["width"]) is float
    point["architecture"]["names"].append("b")
    assert taken["architecture"]["names"] == ["a"]


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


class Odd(dict[str, Any]):
    """Has ideas of its own."""

    def __getitem__(self, key: str) -> Any:
        raise ValueError("odd")

    __repr__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("odd", [Proposal(Odd(a=1)), Proposal({}, token=nested(3000))])
def test_what_cannot_be_read_or_shown_is_the_strategys_fault(odd: Proposal) -> None:
    with pytest.raises(PluginError, match=r"strategy\.ask"):
        check_proposal(odd, "mine")


class Asked(Strategy):
    """Says how many trials it takes, and nothing else."""

    def __init__(self, trials: Any) -> None:
        self.trials = trials

    def default_trials(self) -> Any:
        return self.trials

    def setup(self, context: SearchContext) -> None: ...

    def ask(self) -> Exhausted:
        return Exhausted()

    def tell(self, trial: Trial, state: TrialState, values: Any) -> None: ...


@pytest.mark.parametrize("junk", ["many", -5, 0, 2.5, True])
def test_a_default_number_of_trials_is_one_or_none(junk: Any) -> None:
    assert check_default_trials(Asked(None), "mine") is None
    assert check_default_trials(Asked(7), "mine") == 7
    with pytest.raises(PluginError, match=r"strategy\.default_trials of mine returned"):
        check_default_trials(Asked(junk), "mine")


@pytest.mark.parametrize("junk", [None, "x", {"point": {}}, Proposal])
def test_what_is_no_proposal_is_refused(junk: Any) -> None:
    with pytest.raises(PluginError, match="expected a Proposal"):
        check_proposal(junk, "mine")


@pytest.mark.parametrize("junk", [3, ["x"], [None], [1.5], True])
def test_promotable_trials_are_numbers(junk: Any) -> None:
    assert check_promotable(None, "mine") is None
    assert check_promotable([1, 2], "mine") == [1, 2]
    with pytest.raises(PluginError, match=r"strategy\.promotable of mine"):
        check_promotable(junk, "mine")


@pytest.mark.parametrize("hook", ["info", "survey", "parameters", "baselines"])
@pytest.mark.parametrize("given", [3, int])
def test_a_tasks_and_a_spaces_answers_are_checked(
    idle_session: Any, monkeypatch: pytest.MonkeyPatch, hook: str, given: Any
) -> None:
    known = idle_session().problem
    owner = type(known.task if hook in ("info", "survey") else known.space())
    monkeypatch.setattr(owner, hook, lambda *arguments: given)
    with pytest.raises(PluginError, match=rf"\.{hook} "):
        problem = Problem(known.recipe, known.registry)
        _ = problem.survey, problem.tree
        problem.points_beside({"architecture": {"width": 1, "depth": 1}})
