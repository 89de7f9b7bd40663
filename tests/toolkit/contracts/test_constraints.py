"""The notation of constraints."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contracts.constraints import Bound, describe, parse, parse_all, violations


def test_bounds_are_read_as_written() -> None:
    assert parse("parameters", "<= 50000") == (Bound("parameters", "<=", 50000.0),)
    assert parse("x", ">=-1.5e-3,<.5") == (Bound("x", ">=", -0.0015), Bound("x", "<", 0.5))
    assert parse("x", " > 1e6 ") == (Bound("x", ">", 1e6),)


@pytest.mark.parametrize("text", ["50000", "", "= 5", "<= ", "<= many", "5 <= x", "<= 1, ", "=> 5"])
def test_what_is_no_bound_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="<= 50000"):
        parse("parameters", text)


@pytest.mark.parametrize("text", ["<= 5, >= 10", "> 5, <= 5", "< 5, > 5", ">= 2, < 2"])
def test_bounds_that_nothing_keeps_to_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nothing is both"):
        parse("x", text)


def test_touching_bounds_leave_one_value() -> None:
    assert len(parse("x", "<= 5, >= 5")) == 2


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(),
    st.sampled_from(["<", "<=", ">", ">="]),
)
def test_the_excess_is_positive_exactly_where_a_bound_is_broken(
    limit: float, value: float, relation: str
) -> None:
    bound = Bound("x", relation, limit)
    assert (bound.excess(value) > 0) is not bound.holds(value)
    assert not bound.holds(math.nan)


def test_broken_bounds_are_named_with_their_numbers() -> None:
    bounds = parse_all({"parameters": "<= 50000", "accuracy": ">= 0.5, <= 1", "loss": "< 1"})
    values = {"parameters": 61706.0, "accuracy": 0.4, "other": 1.0}
    found = violations(bounds, values)
    assert found == {
        "parameters <= 50000": pytest.approx(11706 / 50000),
        "accuracy >= 0.5": pytest.approx(0.2),
    }
    assert describe(bounds, values) == (
        "parameters is 61706, and the bound is <= 50000; accuracy is 0.4, and the bound is >= 0.5"
    )
