"""The best of some trials: by the primary objective, the first among equals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contracts import Direction, TrialState
from toolkit.run.records import TrialRecord
from toolkit.run.selection import best, best_found


def trial(number: int, values: dict[str, float], **more: Any) -> TrialRecord:
    facts: dict[str, Any] = {"state": TrialState.DONE, "kind": "train", **more}
    return TrialRecord(
        number, "search", point={"architecture": {}}, fingerprint="", seed=0, values=values, **facts
    )


@given(st.lists(st.integers(0, 3), min_size=1), st.sampled_from(["maximize", "minimize"]))
def test_the_best_is_the_first_that_no_other_beats(values: list[int], direction: Direction) -> None:
    records = [trial(number, {"a": value, "b": -value}) for number, value in enumerate(values)]
    found = best(records, {"a": direction, "b": direction})
    target = max(values) if direction == "maximize" else min(values)
    assert found is not None
    assert (found.number, found.values["a"]) == (values.index(target), target)


def test_what_lacks_the_objective_does_not_count() -> None:
    assert best([trial(1, {"loss": 0.0})], {"accuracy": "maximize"}) is None
    assert best([], {"accuracy": "maximize"}) is None
    records = [trial(1, {"loss": 0.0}), trial(2, {"accuracy": 0.1})]
    found = best(records, {"accuracy": "maximize"})
    assert found is not None and found.number == 2


@pytest.mark.parametrize(
    "unfit",
    [
        {"state": TrialState.PRUNED},
        {"kind": "supernet"},
        {"comparable": False},
        {"violations": {"parameters <= 5": 0.1}},
        {"fidelity": {"epochs": 1, "of_epochs": 9}},
        {"fidelity": {"data": 0.5}},
    ],
)
def test_a_search_has_found_the_best_that_is_eligible_and_trained_in_full(
    unfit: dict[str, Any],
) -> None:
    records = [trial(1, {"accuracy": 0.9}, **unfit), trial(2, {"accuracy": 0.5})]
    found = best_found(records, {"accuracy": "maximize"})
    assert found is not None and found.number == 2


def test_parts_of_trainings_count_where_nothing_was_trained_in_full() -> None:
    records = [trial(n, {"accuracy": n / 9}, fidelity={"data": 0.5}) for n in (1, 2)]
    found = best_found(records, {"accuracy": "maximize"})
    assert found is not None and found.number == 2
