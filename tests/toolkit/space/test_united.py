"""Trees of several settings as one, and points brought into one of them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from toolkit.errors import SpaceError
from toolkit.space import Choice, Fixed, Float, Group, Int, Node, fitted, is_point, sample, united


def tree(rows: int) -> Group:
    """Components below the rows, and a head whose width follows them."""
    head: dict[str, Node | None] = {"mean": None, "dense": Group(width=Int(1, rows))}
    if rows > 20:
        head["deep"] = Group(depth=Int(1, 3), rate=Float(1e-3, rows / 100, log=True))
    kept: list[str | int] = ["all", *(count for count in (10, 20, 30) if count < rows)]
    return Group(components=Choice(kept), head=Choice(head), norm=Choice([False, True]))


def test_a_united_tree_holds_what_each_holds_and_nothing_of_another_kind() -> None:
    trees = [tree(10), tree(25), tree(40)]
    whole = united(trees)
    assert isinstance(whole, Group) and whole == united([whole, *trees])
    assert whole.members["components"] == Choice(["all", 10, 20, 30])
    for own in trees:
        assert united([own, own]) is own
        for seed in range(20):
            assert is_point(whole, sample(own, random.Random(seed)))
    for odd in (Group(components=Int(1, 3)), Group(components=Choice({"all": Group()}))):
        with pytest.raises(SpaceError):
            united([tree(10), odd])
    for pair in ((Int(1, 9, 2), Int(2, 8, 2)), (Int(1, 4), Float(1, 4)), (Fixed(1), Fixed(2))):
        with pytest.raises(SpaceError):
            united(pair)


def test_points_of_the_whole_are_fitted_into_each_and_stay_where_they_fit() -> None:
    trees = [tree(10), tree(25), tree(40)]
    whole = united(trees)
    for own in trees:
        for seed in range(40):
            point = sample(whole, random.Random(seed))
            found = fitted(own, point)
            assert is_point(own, found)
            assert found == point or not is_point(own, point)


@pytest.mark.parametrize(
    ("space", "point", "expected"),
    [
        (Choice(["all", 10, 20]), 30, 20),
        (Choice(["all", 10, 20]), True, "all"),
        (Choice([False, True]), 1, False),
        (Choice({"a": Group(x=Int(1, 9, 4)), "b": None}), {"a": {"x": 8}}, {"a": {"x": 9}}),
        (Choice({"a": Group(x=Int(1, 9)), "b": None}), {"c": {"y": 1}}, {"a": {"x": 1}}),
        (Int(1, 9, 4), 3, 1),
        (Int(1, 9, 4), 3.1, 5),
        (Int(0, 10**15), 1e300, 10**15),
        (Int(1, 10**15, 3), 8 * 10**14 + 0.2, 8 * 10**14 - 1),
        (Int(0, 10**18), 10**17 + 1, 10**17 + 1),
        (Int(2, 9, 4), 4, 2),
        (Int(2, 9, 4), 99, 6),
        (Int(2, 9, 4), True, 2),
        (Float(0.1, 0.5), 0.7, 0.5),
        (Float(0.1, 0.5), None, 0.1),
        (Fixed({"n": 1}), {"n": 2}, {"n": 1}),
    ],
)
def test_what_does_not_fit_goes_to_the_nearest(space: Node, point: Any, expected: Any) -> None:
    assert fitted(space, point) == expected
    assert type(fitted(space, point)) is type(expected)
