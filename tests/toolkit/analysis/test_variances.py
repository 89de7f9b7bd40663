"""Variances of architectures and seeds, and what choosing can gain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.analysis.variances import expected_gain, expected_maximum, variances


def test_components_are_those_of_a_two_way_layout() -> None:
    # Shrout and Fleiss (1979), table 2: six targets by four judges, ICC(3,1) = .71.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = variances(ratings)
    assert found.icc.value == pytest.approx(0.715, abs=5e-4)
    # Their interval as R's psych::ICC prints it.
    assert (found.icc.low, found.icc.high) == pytest.approx((0.342, 0.946), abs=2e-3)
    assert found.seeds**2 == pytest.approx(1.02, abs=0.01)


def test_what_a_seed_does_to_all_alike_counts_for_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 2))
    moved = rows + np.array([0.0, 5.0])
    assert variances(moved).icc.value == pytest.approx(variances(rows).icc.value)


def test_equal_results_have_no_variance_and_seeds_may_have_none() -> None:
    flat = variances([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    assert flat.architectures.value == flat.seeds == flat.icc.value == 0
    assert expected_gain(flat, 20).value == 0
    assert variances([[0.1, 0.1], [0.4, 0.4]]).icc.value == 1


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1 / math.sqrt(math.pi)), (8, 1.4236)])
def test_the_largest_of_normal_numbers(count: int, expected: float) -> None:
    assert expected_maximum(count) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("own", "seed"), [(0.02, 0.01), (0.01, 0.02), (0.04, 0.005)])
def test_the_predicted_gain_holds_what_a_search_realises(own: float, seed: float) -> None:
    """Eight pilots in ten at least have the true gain in their interval."""
    generator = np.random.default_rng(1)
    truth = expected_maximum(20) * own**2 / math.hypot(own, seed)
    realised = []
    for _ in range(2000):
        quality = generator.normal(0, own, 20)
        realised.append(quality[(quality + generator.normal(0, seed, 20)).argmax()])
    assert np.mean(realised) == pytest.approx(truth, rel=0.05)
    held = 0
    for _ in range(200):
        pilot = generator.normal(0, own, (8, 1)) + generator.normal(0, seed, (8, 2))
        gain = expected_gain(variances(pilot), 20)
        held += gain.low <= truth <= gain.high
    assert held >= 160
