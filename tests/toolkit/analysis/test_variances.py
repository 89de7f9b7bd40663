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
    nothing = expected_gain([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], 20)
    assert nothing.value == nothing.low == nothing.high == 0
    assert variances([[0.1, 0.1], [0.4, 0.4]]).icc.value == 1


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1 / math.sqrt(math.pi)), (8, 1.4236)])
def test_the_largest_of_normal_numbers(count: int, expected: float) -> None:
    assert expected_maximum(count) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("own", "seed"), [(0.02, 0.01), (0.01, 0.02), (0.04, 0.005), (0.0, 0.01)])
def test_the_predicted_gain_holds_what_a_search_realises(own: float, seed: float) -> None:
    """Eight searches in ten at least end within the interval that a pilot gave before."""
    generator = np.random.default_rng(1)
    quality = generator.normal(0, own, (2000, 20))
    chosen = (quality + generator.normal(0, seed, quality.shape)).argmax(1)
    realised = quality[np.arange(2000), chosen]
    truth = expected_maximum(20) * own**2 / math.hypot(own, seed)
    assert realised.mean() == pytest.approx(truth, rel=0.05)
    held, expected = [], []
    for _ in range(30):
        pilot = generator.normal(0, own, (8, 1)) + generator.normal(0, seed, (8, 2))
        gain = expected_gain(pilot, 20)
        held.append(((gain.low <= realised) & (realised <= gain.high)).mean())
        expected.append(gain.value)
    assert np.mean(held) >= 0.8
    assert np.mean(expected) == pytest.approx(truth, rel=0.25, abs=0.005)


def test_a_few_bad_architectures_promise_no_more_than_the_good_ones_hold() -> None:
    generator = np.random.default_rng(2)
    quality = -generator.exponential(1.0, (2000, 20))
    realised = quality.max(1) - quality.mean()
    held = []
    for _ in range(30):
        own = -generator.exponential(1.0, (8, 1))
        gain = expected_gain(own + generator.normal(0, 0.05, (8, 2)), 20)
        held.append(((gain.low <= realised) & (realised <= gain.high)).mean())
    assert np.mean(held) >= 0.8
