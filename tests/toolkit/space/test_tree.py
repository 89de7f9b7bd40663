"""The parameter tree: conditions of any depth, sampling, validation, size, JSON round trip."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SpaceError
from toolkit.space import (
    Choice,
    Float,
    Group,
    Int,
    Node,
    decisions,
    from_json,
    is_fixed,
    leaves,
    sample,
    sample_leaf,
    validate,
)

HEAD = Group(
    width=Int(8, 64, log=True),
    head=Choice(
        {
            "fc": None,
            "nullspace": Group(
                rho=Float(1e-4, 10, log=True),
                objective=Choice({"log": None, "raw": Group(post=Choice(["bn", "l2norm"]))}),
            ),
        }
    ),
)

names = st.text("abcdefgh", min_size=1, max_size=4)
scalars = st.one_of(st.booleans(), st.integers(-3, 3), st.none(), st.text("xyz", max_size=3))
ints = st.builds(lambda low, width: Int(low, low + width), st.integers(-5, 5), st.integers(0, 9))
floats = st.builds(lambda low, w: Float(low, low + w), st.floats(-5, 5), st.floats(0.1, 9))
plain = st.lists(scalars, min_size=1, max_size=4, unique_by=lambda x: (type(x), x)).map(Choice)


def _deeper(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    groups = st.dictionaries(names, children, max_size=3).map(Group)
    choices = st.dictionaries(names, st.none() | groups, min_size=1, max_size=3).map(Choice)
    return groups | choices


trees = st.recursive(ints | floats | plain, _deeper, max_leaves=12)


@given(trees, st.integers(0, 2**32))
def test_what_is_sampled_is_valid_and_survives_json(tree: Node, seed: int) -> None:
    point = sample(tree, random.Random(seed))
    validate(tree, json.loads(json.dumps(point)))


@given(trees, st.integers(0, 2**32))
def test_a_tree_survives_json_and_samples_alike(tree: Node, seed: int) -> None:
    again = from_json(json.loads(json.dumps(tree.to_json())))
    assert again == tree
    assert sample(again, random.Random(seed)) == sample(tree, random.Random(seed))


@given(trees, st.integers(0, 2**32))
def test_decisions_replayed_give_the_same_point(tree: Node, seed: int) -> None:
    point = sample(tree, random.Random(seed))
    taken = decisions(tree, point)
    assert tree.walk(lambda path, _: taken[path][1]) == point


@given(trees, st.lists(st.integers(0, 2**32), min_size=30, max_size=30))
def test_size_bounds_the_number_of_distinct_points(tree: Node, seeds: list[int]) -> None:
    points = {json.dumps(sample(tree, random.Random(seed))) for seed in seeds}
    assert len(points) <= tree.size()


def test_size_counts_conditional_points_exactly() -> None:
    inner = Group(post=Choice(["bn", "l2norm"]), k=Int(2, 10, step=4))
    tree = Group(head=Choice({"fc": None, "nullspace": inner}), depth=Int(1, 3))
    assert tree.size() == (1 + 2 * 3) * 3
    assert HEAD.size() == math.inf


def test_parameters_of_an_option_exist_only_where_it_is_chosen() -> None:
    validate(HEAD, {"width": 8, "head": "fc"})
    validate(HEAD, {"width": 8, "head": {"nullspace": {"rho": 1, "objective": "log"}}})
    with pytest.raises(SpaceError, match=r"head: 'fc' has no parameters"):
        validate(HEAD, {"width": 8, "head": {"fc": {"rho": 1}}})
    with pytest.raises(SpaceError, match="needs its parameters"):
        validate(HEAD, {"width": 8, "head": "nullspace"})


def test_every_fault_is_listed_with_its_path() -> None:
    with pytest.raises(SpaceError) as caught:
        validate(HEAD, {"head": {"nullspace": {"rho": 99, "objective": "kl"}}, "depth": 1})
    for fault in ("depth: no such", "width: missing", "head.nullspace.rho: 99", "objective: 'kl'"):
        assert fault in str(caught.value)


@pytest.mark.parametrize("point", [True, 1.5, "8", 7, None, float("nan")])
def test_an_integer_is_an_integer_within_bounds(point: object) -> None:
    with pytest.raises(SpaceError):
        validate(Int(8, 64), point)


def test_true_and_one_are_different_options() -> None:
    choice = Choice([1, True, "1", None])
    assert [choice.index(option) for option in choice.options] == [0, 1, 2, 3]


def test_logarithmic_draws_spread_over_decades() -> None:
    rng = random.Random(0)
    draws = [sample_leaf(Float(1e-4, 1e-1, log=True), rng) for _ in range(3000)]
    shares = [sum(10.0**d <= x < 10.0 ** (d + 1) for x in draws) / 3000 for d in (-4, -3, -2)]
    assert all(abs(share - 1 / 3) < 5 * math.sqrt(2 / 9 / 3000) for share in shares)
    assert {sample_leaf(Int(1, 4, log=True), rng) for _ in range(300)} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Int(3, 2),
        lambda: Int(0, 9, log=True),
        lambda: Float(1.0, math.inf),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Choice([]),
        lambda: Choice(["a", "a"]),
        lambda: Choice({1: Group()}),
        lambda: Group({"a.b": Int(0, 1)}),
        lambda: from_json({"list": [1]}),
    ],
)
def test_impossible_nodes_are_refused(make: Any) -> None:
    with pytest.raises(SpaceError):
        make()


def test_leaves_lists_every_decision_with_the_options_it_needs() -> None:
    found = {path: under for path, _, under in leaves(HEAD)}
    assert found == {
        "width": {},
        "head": {},
        "head.nullspace.rho": {"head": "nullspace"},
        "head.nullspace.objective": {"head": "nullspace"},
        "head.nullspace.objective.raw.post": {
            "head": "nullspace",
            "head.nullspace.objective": "raw",
        },
    }


def test_what_leaves_no_choice_is_fixed() -> None:
    fixed = [Choice({"only": Int(1, 9)}), Int(3, 3), Int(1, 4, step=7), Float(2.0, 2.0)]
    open_ones = [Choice([None, False]), Int(3, 4), Float(0.0, 1.0)]
    assert all(map(is_fixed, fixed)) and not any(map(is_fixed, open_ones))
