"""The Pareto front of a search, as its results come in."""

from __future__ import annotations

from typing import Any

from toolkit.analysis.pareto import Archive
from toolkit.contracts import Direction, TrialState
from toolkit.engine.front import SearchFront
from toolkit.run.facts import FRONT
from toolkit.run.records import TrialRecord

TWO: dict[str, Direction] = {"accuracy": "maximize", "parameters": "minimize"}


def trial(number: int, accuracy: float, parameters: float, **more: Any) -> TrialRecord:
    values = {"accuracy": accuracy, "parameters": parameters}
    state = TrialState.DONE
    return TrialRecord(number, "search", "train", state, {}, "", 0, values=values, **more)


def test_the_front_is_that_of_the_eligible_results() -> None:
    front = SearchFront(TWO)
    assert front.take(trial(1, 0.5, 10))
    assert front.take(trial(2, 0.9, 20))
    assert not front.take(trial(3, 0.99, 1, violations={"loss <= 1": 0.1}))
    assert not front.take(trial(4, 0.99, 1, comparable=False))
    archive = Archive(TWO)
    archive.add(1, {"accuracy": 0.5, "parameters": 10})
    archive.add(2, {"accuracy": 0.9, "parameters": 20})
    fact = front.fact()
    assert fact is not None and fact.trials == (2, 1)
    assert FRONT.plain(fact) == archive.to_json()


def test_whole_trainings_are_not_compared_with_parts_of_such() -> None:
    part = {"fidelity": {"epochs": 1, "of_epochs": 9}}
    front = SearchFront(TWO)
    assert front.take(trial(1, 0.9, 1, **part))
    assert front.take(trial(2, 0.5, 10)), "the first that was trained in full begins anew"
    assert not front.take(trial(3, 0.9, 1, **part))
    fact = front.fact()
    assert fact is not None and (fact.trials, fact.results) == ((2,), 1)


def test_one_objective_has_no_front() -> None:
    front = SearchFront({"accuracy": "maximize"})
    assert not front.take(trial(1, 0.5, 10))
    assert front.fact(exact=True) is None
