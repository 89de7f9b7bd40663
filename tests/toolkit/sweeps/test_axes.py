"""What may follow `-s KEY=`, and what is said of anything else."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import RecipeError
from toolkit.space import Choice, Float, Int
from toolkit.sweeps import parse_axis


@pytest.mark.parametrize(
    ("text", "leaf", "points"),
    [
        ("train.lr=0.1,1e-3", Choice([0.1, 0.001]), (0.1, 0.001)),
        ("space.relaxation=soft, hard", Choice(["soft", "hard"]), ("soft", "hard")),
        ("train.clip=null,5", Choice([None, 5]), (None, 5)),
        ("a.b=true,1", Choice([True, 1]), (True, 1)),
        ("train.lr=log(1e-4,1e-1)", Float(1e-4, 1e-1, log=True), None),
        ("train.lr= log( 1e-4 , 1e-1 , 4 )", Float(1e-4, 1e-1, log=True), (1e-4, 1e-3, 1e-2, 1e-1)),
        ("a.b=uniform(0,1,3)", Float(0, 1), (0.0, 0.5, 1.0)),
        ("a.b=int(1,8)", Int(1, 8), None),
        ("a.b=int(1,3,9)", Int(1, 3), (1, 2, 3)),
        ("a.b={log: [1, 10]}", Float(1, 10, log=True), None),
        ("a.b={choice: [x, y]}", Choice(["x", "y"]), ("x", "y")),
    ],
)
def test_values_are_read(text: str, leaf: object, points: object) -> None:
    axis = parse_axis(text)
    assert (axis.leaf, axis.points, axis.plain) == (leaf, points, True)


def test_values_that_are_no_scalars_are_kept_as_they_are() -> None:
    axis = parse_axis("space.cells=[reduction, normal],[normal]")
    assert not axis.plain
    point = {"space": {"cells": axis.leaf.options[0]}}  # type: ignore[union-attr]
    assert axis.value(point) == ["reduction", "normal"]
    assert axis.override(axis.drawn(point)) == 'space.cells=["reduction", "normal"]'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train.lr", "expected KEY=VALUES"),
        ("=1,2", "expected KEY=VALUES"),
        ("~train.lr=1", "expected KEY=VALUES"),
        ("train.lr=", "no values given"),
        ("train.lr=1,1", "1 is given twice"),
        ("train.lr=log(1e-1,1e-4)", r"the lowest comes first: log\(0.0001,0.1\)"),
        ("train.lr=log(0,1)", "begins above 0, and 0 is given"),
        ("train.lr=log(1)", r"expected numbers, log\(lowest,highest\)"),
        ("train.lr=log(1,x)", r"expected numbers, log\(lowest,highest\)"),
        ("train.lr=log(1,2", "no closing parenthesis"),
        ("train.lr=lgo(1,2)", "did you mean log"),
        ("train.lr=log(1,2,1)", "1 points given, expected an integer of at least 2"),
        ("train.lr=int(1.5,2)", "expected two integers"),
        ("train.lr={choice: []}", "at least one option"),
        ("train.lr=[1", "cannot be read"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as refused:
        parse_axis(text)
    assert "\n" not in refused.value.message
    assert not refused.value.message.endswith("..")


@given(low=st.floats(1e-12, 1e6), ratio=st.floats(1.001, 1e9), count=st.integers(2, 40))
def test_points_of_a_logarithmic_range_keep_their_ratio_and_its_ends(
    low: float, ratio: float, count: int
) -> None:
    points = parse_axis(f"a.b=log({low!r},{low * ratio!r},{count})").points
    assert points is not None
    assert (points[0], points[-1], len(points)) == (low, low * ratio, count)
    steps = [math.log(b / a) for a, b in itertools.pairwise(points)]
    # Points are rounded to 12 digits, an error of 1e-12 in each logarithm.
    assert max(steps) - min(steps) < 1e-10
