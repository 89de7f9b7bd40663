"""Paired tests, Welch's interval and Holm's correction, against their definitions."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp
from scipy.stats import t as student

from toolkit.analysis.significance import (
    Comparison,
    compare,
    correct,
    describe,
    p_of_mean,
    share_p_value,
    welch_half_width,
    with_sample_noise,
)


def test_the_paired_t_test_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.9, 0.02, 7), rng.normal(0.91, 0.02, 7)
    found = compare(dict(enumerate(a)), dict(enumerate(b)))
    assert found is not None and found.half_width is not None
    error = statistics.stdev(a - b) / math.sqrt(7)
    assert found.difference == pytest.approx(statistics.fmean(a - b), rel=1e-12)
    assert found.p == pytest.approx(2 * student.sf(abs(found.difference) / error, 6), rel=1e-12)
    assert found.half_width == pytest.approx(student.ppf(0.975, 6) * error, rel=1e-12)


def welch(a: Sequence[float], b: Sequence[float]) -> float:
    x, y = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    freedom = (x + y) ** 2 / (x**2 / (len(a) - 1) + y**2 / (len(b) - 1))
    return float(student.ppf(0.975, freedom)) * math.sqrt(x + y)


@pytest.mark.parametrize(
    "theirs", [[0.8, 0.83], [0.7, 0.75, 0.91, 0.6], [0.95] * 3, [0.1 + 0.2, 0.3, 0.3]]
)
def test_welchs_interval_is_that_of_its_definition(theirs: list[float]) -> None:
    ours = [0.9, 0.92, 0.89, 0.91]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = welch_half_width(ours, theirs)
    assert found == pytest.approx(welch(ours, theirs), rel=1e-12)
    assert welch_half_width(theirs, ours) == pytest.approx(found, rel=1e-12)


def test_welchs_interval_needs_two_results_and_is_a_point_where_none_vary() -> None:
    assert welch_half_width([0.9], [0.8, 0.7]) is None
    assert welch_half_width([0.9, 0.9], [0.8, 0.8, 0.8]) == 0.0


def test_p_values_of_one_test_are_those_of_scipy() -> None:
    for hits, samples, chance in (
        (0, 9, 0.5),
        (9, 9, 0.5),
        (31, 60, 0.5),
        (3, 40, 0.1),
        (5, 5, 1.0),
    ):
        expected = binomtest(hits, samples, chance, alternative="greater").pvalue
        assert share_p_value(hits / samples, samples, chance) == pytest.approx(expected, rel=1e-9)
    rng = np.random.default_rng(0)
    targets = rng.normal(size=30)
    for noise in (0.5, 1.0, 3.0):
        given = targets + noise * rng.normal(size=30)
        gains = (targets - 0.1) ** 2 - (targets - given) ** 2
        expected = ttest_1samp(gains, 0.0, alternative="greater").pvalue
        found = p_of_mean(given.tolist(), targets.tolist(), 0.1)
        assert found == pytest.approx(expected, rel=1e-9)


def test_only_seeds_that_both_rows_have_are_pairs() -> None:
    found = compare({0: 1.0, 2: 2.0, 3: 9.0}, {0: 0.5, 1: 7.0, 2: 1.5})
    assert found is not None
    assert (found.n, found.difference) == (2, 0.5)
    assert compare({0: 1.0}, {1: 1.0}) is None
    assert compare({0: 1.0}, {0: 0.5}) == Comparison(1, 0.5)


def test_equal_rows_do_not_differ_and_constant_differences_do() -> None:
    rows = {0: 0.5, 1: 0.25, 2: 0.75}
    same = compare(rows, rows)
    assert same is not None and same.p == 1.0
    moved = compare({seed: value + 0.125 for seed, value in rows.items()}, rows)
    assert moved is not None and (moved.p, moved.half_width) == (0.0, 0.0)


def test_differences_equal_but_for_rounding_raise_no_warning() -> None:
    best = {0: 0.2, 1: 0.4, 2: 0.7}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = compare({seed: value + 0.1 for seed, value in best.items()}, best)
    assert moved is not None and moved.p is not None and moved.half_width is not None
    assert moved.p < 1e-12 and moved.half_width < 1e-12


def test_holms_correction_multiplies_in_order_and_keeps_it() -> None:
    given = [Comparison(5, 0.1, 0.1, p) for p in (0.04, 0.01, 0.03, 0.9)]
    found = [c.p_holm for c in correct([given[0], None, *given[1:]]) if c is not None]
    # 0.01 x 4, 0.03 x 3, then 0.04 x 2 = 0.08 raised to the 0.09 before it, 0.9 x 1.
    assert found == pytest.approx([0.09, 0.04, 0.09, 0.9])


def test_what_too_few_seeds_allow_to_be_said() -> None:
    one = correct([compare({0: 0.9}, {0: 0.8})])
    assert "no difference can be told from noise" in describe(one, "validation")[0]
    two = correct([compare({0: 0.9, 1: 0.7}, {0: 0.8, 1: 0.8})])
    (sentence,) = describe(two, "validation")
    assert sentence == "validation: 2 seeds are too few for a claim. Repeat with --seeds 3 or more."
    three = correct([compare({0: 0.9, 1: 0.7, 2: 0.8}, {0: 0.8, 1: 0.8, 2: 0.8})])
    # 95 % of t with two degrees of freedom: 4.303 x 0.1 / sqrt(3).
    assert "below about 0.25 are within noise" in describe(three, "validation")[0]
    assert two[0] is not None and two[0].verdict == "too few seeds"
    rng = np.random.default_rng(1)
    best = dict(enumerate(rng.normal(0.9, 0.01, 6)))
    worse = {seed: value - 0.1 for seed, value in enumerate(rng.normal(0.9, 0.01, 6))}
    (sentence,) = describe(correct([compare(worse, best)]), "test")
    assert sentence.startswith("test: 1 of the 1 other rows differs from the best row")


def coverage(samples: int, seeds: int, wobble: float, differ: bool) -> float:
    """Share of 200 intervals, of networks that are equal in truth, that hold zero."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        easy = rng.beta(4, 1, samples)

        def network(easy: np.ndarray = easy) -> np.ndarray:
            own = rng.random(samples) < 0.85 if differ else easy
            return np.stack([rng.random(samples) < np.abs(own - wobble) for _ in range(seeds)])

        ours, theirs = network(), network()
        a, b = ours.mean(axis=1).tolist(), theirs.mean(axis=1).tolist()
        width = with_sample_noise(
            welch_half_width(a, b),
            ours.mean(axis=0).tolist(),
            theirs.mean(axis=0).tolist(),
            (seeds, seeds),  # as the report has it
        )
        assert width is not None
        inside += bool(abs(np.mean(a) - np.mean(b)) <= width)
    return inside / 200


@pytest.mark.parametrize(("samples", "seeds"), [(36, 2), (200, 3), (1000, 5)])
def test_intervals_of_equal_networks_hold_zero_as_often_as_they_say(
    samples: int, seeds: int
) -> None:
    """Trainings that are all alike say nothing of the test samples, which differ by luck."""
    assert 0.9 <= coverage(samples, seeds, 0.02, differ=True) <= 0.99
    assert 0.9 <= coverage(samples, seeds, 0.0, differ=False) <= 0.99


def test_two_equal_seeds_on_few_samples_settle_nothing() -> None:
    ours, theirs = [1.0] * 34 + [0.0] * 2, [0.0] * 3 + [1.0] * 33
    assert welch_half_width([34 / 36] * 2, [33 / 36] * 2) == 0.0
    width = with_sample_noise(0.0, ours, theirs)
    assert width is not None and width > 1 / 36
    assert with_sample_noise(None, ours, theirs) is None
    assert with_sample_noise(0.1, [], []) == 0.1
