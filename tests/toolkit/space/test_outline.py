"""The outline of a point: readable, and as strict as the tree is."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.space import Choice, Fixed, Float, Group, Int, decisions, points, sample
from toolkit.space.graphs import fingerprint
from toolkit.space.outline import outline
from toolkit.testing import FINITE, NESTED


def mark(space: Group, point: Any) -> str:
    return fingerprint(outline(space, point))


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(list(value))}
    return value


def test_each_decision_stands_under_the_option_it_belongs_to() -> None:
    point = {"cell": {"conv": {"width": 16, "norm": {"batch": {"affine": True}}}}, "depth": 2}
    graph = outline(FINITE, point)
    labels = dict(graph.nodes(data="label"))
    edges = {(labels[a], labels[b]) for a, b in graph.edges}
    assert edges == {
        ("architecture", "cell: conv"),
        ("cell: conv", "width: 16"),
        ("cell: conv", "norm: batch"),
        ("norm: batch", "affine: true"),
        ("architecture", "depth: 2"),
    }


def test_every_point_of_a_finite_tree_is_an_architecture_of_its_own() -> None:
    marks = [mark(FINITE, point) for point in points(FINITE)]
    assert len(set(marks)) == len(marks) == FINITE.size()


@given(first=st.integers(0, 2**32), second=st.integers(0, 2**32))
def test_points_share_a_fingerprint_exactly_if_every_decision_is_the_same(
    first: int, second: int
) -> None:
    one, other = (sample(NESTED, random.Random(seed)) for seed in (first, second))
    # `repr` tells 1 from True and 1.0.
    same = repr(decisions(NESTED, one)) == repr(decisions(NESTED, other))
    assert (mark(NESTED, one) == mark(NESTED, other)) is same
    assert mark(NESTED, one) == mark(NESTED, reversed_keys(one))


@pytest.mark.parametrize(
    "options",
    [
        [None, False, 0, 0.0, "0", "null", "false", ""],
        [True, 1, 1.0, "1", "1.0", "true", "True"],
        ["a", "a: 1", '"a"', "a b", "a\nb"],
    ],
)
def test_options_that_look_alike_are_told_apart(options: list[Any]) -> None:
    tree = Group(a=Choice(options))
    assert len({mark(tree, {"a": option}) for option in options}) == len(options)


def test_names_that_look_like_values_confuse_nothing() -> None:
    tree = Group({"a": Choice(["1", "b"]), "a: 1": Choice(["b", "1"])})
    assert len({mark(tree, point) for point in points(tree)}) == 4


def test_a_whole_number_is_the_same_number_where_any_may_stand() -> None:
    tree = Group(rate=Float(0, 2), depth=Int(0, 2))
    assert mark(tree, {"rate": 1, "depth": 1}) == mark(tree, {"rate": 1.0, "depth": 1})


def test_options_hold_trees_of_any_kind() -> None:
    tree = Group(
        op=Choice({"conv": Int(1, 3), "pool": Choice(["max", "mean"]), "none": Group()}),
        kept=Fixed({"any": ["json"]}),
    )
    marks = {mark(tree, point) for point in points(tree)}
    assert len(marks) == tree.size() == 6


def test_a_network_made_by_hand_is_drawn_as_its_json() -> None:
    sizes = {"network": "plain", "sizes": [20, 16, 8]}
    graph = outline(FINITE, sizes)
    assert set(dict(graph.nodes(data="label")).values()) == {
        "made by hand",
        "network: plain",
        "sizes: [20, 16, 8]",
    }
    assert mark(FINITE, sizes) == mark(FINITE, reversed_keys(sizes))
    assert mark(FINITE, sizes) != mark(FINITE, {**sizes, "sizes": [20, 8, 16]})
    # Not a point, since `none` has parameters, though it decides as much as the point.
    tree = Group(op=Choice({"none": Group()}))
    assert mark(tree, {"op": "none"}) != mark(tree, {"op": {"none": {}}})
