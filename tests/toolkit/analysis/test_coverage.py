"""The report's interval holds what it promises: simulated runs of networks known to be equal."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from toolkit.analysis.significance import compare, welch_half_width, with_sample_noise

RUNS = 200


@pytest.mark.parametrize("samples", [40, 400])
@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("apart", [0.0, 1.5])
def test_the_interval_of_equal_networks_holds_zero(
    samples: int, spread: float, apart: float
) -> None:
    """Two networks of three trainings each, in log odds of getting a sample right.

    Args:
        samples: of the test.
        spread: deviation of the trainings' shifts, each of all samples alike.
        apart: deviation of how hard a sample is for one network beside the other.
    """
    rng = np.random.default_rng(0)
    hold = 0
    for _ in range(RUNS):
        hard = rng.normal(1.0, 1.5, samples)
        hits = []
        for _network in range(2):
            odds = hard + rng.normal(0, apart, samples) + rng.normal(0, spread, (3, 1))
            hits.append(rng.random((3, samples)) < 1 / (1 + np.exp(-2 * odds)))
        means = [list(map(float, own.mean(1))) for own in hits]
        shares = [list(map(float, own.mean(0))) for own in hits]
        margin = with_sample_noise(welch_half_width(*means), *shares, (3, 3))
        assert margin is not None
        difference = statistics.fmean(means[0]) - statistics.fmean(means[1])
        hold += abs(difference) <= margin + 1e-12
    assert 0.90 <= hold / RUNS <= 0.99


@pytest.mark.parametrize("count", [5, 10])
def test_the_interval_over_folds_holds_zero_where_training_samples_overlap(count: int) -> None:
    """Means over folds of equal learners, as the overlap of what they are trained on has them.

    Nadeau and Bengio's model: folds' differences have a correlation of overlap / (1 + overlap).
    """
    rng = np.random.default_rng(count)
    overlap = 1 / (count - 1)
    shared = overlap / (1 + overlap)
    hold = 0
    for _ in range(10 * RUNS):
        common = rng.normal(0, np.sqrt(shared))
        values = common + rng.normal(0, np.sqrt(1 - shared), count)
        found = compare(dict(enumerate(values)), dict.fromkeys(range(count), 0.0), overlap)
        assert found is not None and found.half_width is not None
        hold += abs(found.difference) <= found.half_width
    assert 0.93 <= hold / (10 * RUNS) <= 0.97
