"""The best of some trials and trainings: the order, ties, fronts, and the noise of the seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.analysis.pareto import dominates, turned
from toolkit.base.errors import DamagedLedgerError
from toolkit.contracts import Direction, TrialState
from toolkit.run.records import TrialRecord
from toolkit.run.selection import best, best_found, front_of, ranked, spread, winner


def trial(number: int, values: dict[str, float], **more: Any) -> TrialRecord:
    facts: dict[str, Any] = {"state": TrialState.DONE, "kind": "train", **more}
    return TrialRecord(
        number, "search", point={"architecture": {}}, fingerprint="", seed=0, values=values, **facts
    )


DIRECTIONS = st.sampled_from(["maximize", "minimize"])


@given(st.lists(st.integers(0, 3), min_size=1), DIRECTIONS)
def test_the_best_is_the_first_that_no_other_beats(values: list[int], direction: Direction) -> None:
    records = [trial(number, {"a": value, "b": -value}) for number, value in enumerate(values)]
    found = best(records, {"a": direction, "b": direction})
    target = max(values) if direction == "maximize" else min(values)
    assert found is not None
    assert (found.number, found.values["a"]) == (values.index(target), target)


POINTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9)
CHOICES = st.sampled_from(["first", "knee", "a >= 2 then b", "b < 1 then parameters"])


@given(POINTS, DIRECTIONS, DIRECTIONS, CHOICES)
def test_no_point_that_another_dominates_is_ever_chosen(
    points: list[tuple[int, int]], first: Direction, second: Direction, choose: str
) -> None:
    objectives: dict[str, Direction] = {"a": first, "b": second}
    values = [{"a": float(a), "b": float(b)} for a, b in points]
    records = [trial(n, own, parameters=n % 3) for n, own in enumerate(values)]
    every = [turned(own, objectives) for own in values]
    found = best_found(records, objectives, choose)
    assert found is not None
    assert not any(dominates(other, turned(found.values, objectives)) for other in every)
    finals = [replace(record, phase="final", label=str(record.number)) for record in records]
    chosen = winner(finals, objectives, choose)
    mine = turned(chosen.means(objectives), objectives)
    assert not any(dominates(other, mine) for other in every)


def test_ties_go_to_the_lower_loss_then_to_the_smaller_model() -> None:
    def of(**differing: Any) -> int:
        one = {"accuracy": 0.9, "loss": 0.5}
        records = [
            trial(1, one, parameters=50),
            trial(2, {**one, **differing.get("values", {})}, parameters=differing.get("size", 50)),
        ]
        found = best(records, {"accuracy": "maximize"})
        assert found is not None
        return found.number

    assert of() == 1
    assert of(values={"loss": 0.4}) == 2
    assert of(values={"loss": 0.6}, size=10) == 1
    assert of(size=10) == 2


def test_what_needs_fewer_samples_is_ahead_of_what_is_surer() -> None:
    """Where all are right, the loss says who is far from the boundary, on these samples."""
    sure = trial(1, {"accuracy": 1.0, "few_shot_accuracy": 0.9, "loss": 0.01})
    sparing = trial(2, {"accuracy": 1.0, "few_shot_accuracy": 0.95, "loss": 0.2})
    unknown = trial(3, {"accuracy": 1.0, "loss": 0.001})
    objectives: dict[str, Direction] = {"accuracy": "maximize"}
    assert best([sure, sparing, unknown], objectives) is sparing
    assert ranked([unknown, sure, sparing], objectives) == [sparing, sure, unknown]


def trainings(label: str, accuracies: list[float], **more: Any) -> list[TrialRecord]:
    losses = more.pop("losses", [0.5] * len(accuracies))
    return [
        replace(trial(seed, {"accuracy": a, "loss": b}, **more), phase="final", label=label)
        for seed, (a, b) in enumerate(zip(accuracies, losses, strict=True))
    ]


@pytest.mark.parametrize(
    ("found", "rival", "wins"),
    [
        ({"accuracies": [0.33, 0.33, 0.34]}, {"accuracies": [0.96, 0.97, 0.98]}, "rival"),
        ({"accuracies": [0.97, 0.99, 0.98]}, {"accuracies": [0.96, 0.97, 0.95]}, "found"),
        # Within the standard error of the difference: the lower loss decides, then the size.
        (
            {"accuracies": [0.90, 0.96, 0.93]},
            {"accuracies": [0.89, 0.95, 0.92], "losses": [0.3] * 3},
            "rival",
        ),
        (
            {"accuracies": [0.90, 0.96, 0.93], "parameters": 900},
            {"accuracies": [0.89, 0.95, 0.92], "parameters": 90},
            "rival",
        ),
        ({"accuracies": [0.90, 0.96, 0.93]}, {"accuracies": [0.89, 0.95, 0.92]}, "found"),
        # Without a second seed nothing is known of the noise.
        ({"accuracies": [0.9]}, {"accuracies": [0.89], "losses": [0.1]}, "found"),
        ({"accuracies": [0.9], "violations": {"x": 1.0}}, {"accuracies": [0.3]}, "rival"),
    ],
)
def test_the_winner_is_best_in_the_mean_beyond_the_noise_of_the_seeds(
    found: dict[str, Any], rival: dict[str, Any], wins: str
) -> None:
    records = [*trainings("found", **found), *trainings("rival", **rival)]
    assert winner(records, {"accuracy": "maximize"}).label == wins


def test_the_knee_and_a_rule_choose_along_the_front() -> None:
    objectives: dict[str, Direction] = {"accuracy": "maximize", "parameters": "minimize"}
    points = [(0.99, 1000.0), (0.95, 200.0), (0.6, 100.0), (0.94, 500.0)]
    records = [
        trial(n, {"accuracy": a, "parameters": p}, parameters=int(p))
        for n, (a, p) in enumerate(points)
    ]

    def chosen(choose: str) -> int:
        found = best_found(records, objectives, choose)
        assert found is not None
        return found.number

    assert chosen("first") == 0
    assert chosen("knee") == 1
    assert chosen("accuracy >= 0.5 then parameters") == 2
    assert chosen("parameters < 150 then accuracy") == 2
    assert chosen("accuracy >= 0.999 then parameters") == 2, "none keeps to it, so of all"
    assert [record.number for record in front_of(records, objectives)] == [0, 1, 2]


@pytest.mark.faults
@pytest.mark.parametrize("objectives", [{"a": "maximize"}, {"a": "maximize", "b": "minimize"}])
def test_a_ledger_whose_final_trainings_have_no_result_is_damaged(objectives: Any) -> None:
    with pytest.raises(DamagedLedgerError, match="no final training has a"):
        winner([trial(1, {"c": 0.5}, label="found")], objectives)


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


def test_further_points_of_a_front_are_good_for_something() -> None:
    both: dict[str, Direction] = {"accuracy": "maximize", "parameters": "minimize"}
    values = {12: (0.9668, 49511), 7: (0.9535, 7690), 15: (0.9302, 2032), 24: (0.2126, 1126)}
    dominated = {3: (0.1, 60000)}
    trials = {
        number: trial(number, {"accuracy": a, "parameters": float(p)})
        for number, (a, p) in (values | dominated).items()
    }
    found, *others = (trials[number] for number in (7, 12, 15, 24))
    assert spread([found, *others], trials.values(), both, 2) == [12, 15]
    assert spread([found, *others], trials.values(), both, 9) == [12, 15, 24]
    first, *others = (trials[number] for number in (12, 7, 15, 24))
    assert spread([first, *others], trials.values(), both, 1) == [15]
    assert spread([found], [], both, 2) == []
