"""Points that a search has seen: what counts as equal, draws without repeats, the end of a tree."""

from __future__ import annotations

import random

import pytest

from toolkit.space import Choice, Float, Group, Int, SeenPoints, point_key
from toolkit.testing import FINITE, NESTED

RARE = Group(way=Choice({"common": None, "rare": Group(number=Int(1, 300))}))
"""A tree in which half of all draws are one point."""


def test_options_that_python_holds_equal_are_different_points() -> None:
    seen = SeenPoints(NESTED)
    for flag in (False, 0, "0", None):
        assert {"flag": flag} not in seen
        seen.add({"flag": flag})
    assert len(seen) == 4
    assert {"flag": 0.0} not in seen


def test_the_order_of_names_makes_no_other_point() -> None:
    assert point_key({"a": {"x": 1, "y": 2}, "b": 3}) == point_key({"b": 3, "a": {"y": 2, "x": 1}})


@pytest.mark.parametrize("tree", [FINITE, RARE])
@pytest.mark.parametrize("draws", [1, 200])
def test_draws_come_to_every_point_of_a_tree_once(tree: Group, draws: int) -> None:
    seen = SeenPoints(tree, draws)
    found = []
    for number in range(int(tree.size())):
        point = seen.draw(random.Random(number))
        assert point is not None and point not in seen
        found.append(point_key(point))
        seen.add(point)
    assert len(set(found)) == tree.size() and seen.exhausted
    assert seen.draw(random.Random(0)) is None


def test_a_tree_too_large_to_list_gives_a_seen_point_where_draws_find_no_other() -> None:
    tree = Group(way=Choice({"common": None, "rare": Group(x=Float(0, 1))}))
    seen = SeenPoints(tree, draws=1)
    seen.add({"way": "common"})
    drawn = [seen.draw(random.Random(seed)) for seed in range(40)]
    assert {point in seen for point in drawn} == {True, False}


def test_equal_generators_draw_equal_points() -> None:
    one, other = SeenPoints(NESTED), SeenPoints(NESTED)
    assert one.draw(random.Random(3)) == other.draw(random.Random(3))
