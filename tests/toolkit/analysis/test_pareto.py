"""Ranks, fronts and hypervolumes against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.analysis.pareto import (
    Archive,
    dominates,
    front,
    history,
    hypervolume,
    no_worse,
    ranks,
    scores,
)
from toolkit.contracts import Direction

POINTS = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 5), min_size=m, max_size=m), min_size=1, max_size=14)
)


def dominated(points: np.ndarray) -> np.ndarray:
    """Whether another of the points dominates each: by the definition."""
    no_worse = (points[:, None] <= points[None]).all(2)
    better = (points[:, None] < points[None]).any(2)
    return (no_worse & better).any(0)


@given(POINTS)
def test_dominance_is_that_of_its_definition(points: list[list[int]]) -> None:
    expected = dominated(np.array(points)).tolist()
    assert [any(dominates(other, point) for other in points) for point in points] == expected


def test_what_has_no_number_neither_dominates_nor_is_dominated() -> None:
    lame = (math.nan, 0.0)
    for other in ((-1.0, -1.0), (1.0, 1.0), lame):
        assert not dominates(lame, other) and not dominates(other, lame)
        assert not no_worse(lame, other) and not no_worse(other, lame)


def test_scores_are_to_be_minimised_and_all_there() -> None:
    objectives: dict[str, Direction] = {"accuracy": "maximize", "size": "minimize"}
    assert scores({"accuracy": 0.9, "size": 3, "loss": math.nan}, objectives) == (-0.9, 3)
    for spoilt in ({"accuracy": 0.9}, {"accuracy": math.nan, "size": 3.0}, {}):
        assert scores(spoilt, objectives) is None
    assert scores({"accuracy": math.inf, "size": 3.0}, objectives) is None


@given(POINTS)
def test_ranks_are_those_of_peeling_fronts_off(points: list[list[int]]) -> None:
    values = np.array(points, dtype=float)
    expected, rank, left = np.full(len(values), -1), 0, np.arange(len(values))
    while len(left):
        off = ~dominated(values[left])
        expected[left[off]] = rank
        left, rank = left[~off], rank + 1
    assert ranks(values).tolist() == expected.tolist()
    assert front(values).tolist() == np.flatnonzero(expected == 0).tolist()


@given(POINTS)
def test_hypervolume_is_the_number_of_dominated_unit_cubes(points: list[list[int]]) -> None:
    values = np.array(points)
    cells = np.stack(np.meshgrid(*[np.arange(7)] * values.shape[1], indexing="ij"), -1)
    inside = (values[:, *[None] * values.shape[1]] <= cells[None]).all(-1).any(0)
    assert hypervolume(values, [7.0] * values.shape[1]) == pytest.approx(inside.sum(), abs=1e-9)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_ten_thousand_points_are_ranked(objectives: int) -> None:
    points = np.random.default_rng(0).random((10_000, objectives))
    found = ranks(points)
    best = points[found == 0]
    assert not (best[:, None] < best[None]).all(2).any()


def test_points_without_a_number_are_behind_all_others() -> None:
    values = np.array([[1, 2], [np.nan, 0], [2, 3]])
    assert ranks(values).tolist() == [0, 2, 1]
    assert front(values).tolist() == [0]
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_the_archive_keeps_the_front_and_a_reference_that_stays(
    results: list[tuple[int, int]],
) -> None:
    objectives = {"accuracy": "maximize", "parameters": "minimize"}
    archive = Archive(objectives)  # type: ignore[arg-type]
    volumes, references = [], []
    for number, (accuracy, parameters) in enumerate(results):
        archive.add(number, {"accuracy": accuracy, "parameters": parameters})
        volumes.append(archive.hypervolume)
        references.append(archive.reference)
    points = np.array([(-a, p) for a, p in results])
    kept = {results[number] for number in archive.trials}
    assert kept == {results[number] for number in front(points)}
    assert len(kept) == len(archive.trials), "of equal results the first"
    assert all(reference == references[9] for reference in references[9:])
    assert volumes[9:] == sorted(volumes[9:])
    line = history(
        [(n, {"accuracy": a, "parameters": p}) for n, (a, p) in enumerate(results)],
        objectives,  # type: ignore[arg-type]
    )
    assert line[-1][1] == archive.hypervolume
    accuracies, sizes = zip(*results[:10], strict=True)
    spread = max(accuracies) - min(accuracies)
    assert archive.reference["accuracy"] == pytest.approx(min(accuracies) - 0.1 * spread)
    assert archive.reference["parameters"] >= max(sizes)
