"""Distances against independent implementations, and what they are blind to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.neighbors import NearestNeighbors

from toolkit_images.generation.distances import (
    coverage,
    frechet,
    gaussian_distance,
    kernel_distance,
    precision,
)


def drawn(count: int, features: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(features, features, generator=torch.Generator().manual_seed(99)).double()
    return torch.randn(count, features, generator=generator).double() @ mix


def test_the_frechet_distance_is_that_of_scipys_matrix_root() -> None:
    a, b = drawn(60), drawn(50, seed=1) * 1.3 + 0.4
    first, second = (np.cov(x.numpy(), rowvar=False) for x in (a, b))
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    root = scipy.linalg.sqrtm(first @ second).real
    expected = mean + np.trace(first + second - 2 * root)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_a_shift_is_its_square_and_no_rotation_changes_it() -> None:
    a, b = drawn(60), drawn(50, seed=1)
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet(a, a + 0.5) == pytest.approx(8 * 0.25, rel=1e-6)
    turn, _ = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))
    assert frechet(a @ turn.double(), b @ turn.double()) == pytest.approx(frechet(a, b), rel=1e-6)


def test_the_frechet_distance_of_few_samples_is_that_of_torch_fidelity() -> None:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    torch.manual_seed(3)
    for counts in ((7, 5), (40, 5), (5, 40)):
        real, made = torch.randn(counts[0], 20), 2 * torch.randn(counts[1], 20) + 1
        sides = (fid_features_to_statistics(side) for side in (real, made))
        theirs = fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]
        assert frechet(real, made) == pytest.approx(theirs, rel=1e-4)


def test_the_kernel_distance_is_the_unbiased_mmd_under_a_cubic_kernel() -> None:
    a, b = drawn(30), drawn(40, seed=1)
    scale = np.sqrt(a.numpy().var(0, ddof=1).mean())
    x, y = a.numpy() / scale, b.numpy() / scale
    own, theirs, both = (
        polynomial_kernel(u, v, degree=3, gamma=1 / 8, coef0=1) for u, v in ((x, x), (y, y), (x, y))
    )
    inner = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (own, theirs)]
    assert kernel_distance(a, b) == pytest.approx(sum(inner) - 2 * both.mean(), rel=1e-9)


def test_the_kernel_distance_of_equal_draws_is_nothing() -> None:
    values = [kernel_distance(drawn(60, 4, seed), drawn(60, 4, seed + 100)) for seed in range(40)]
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error


def test_the_gaussian_distance_is_the_biased_mmd_and_knows_no_scale() -> None:
    a, b = drawn(30), drawn(40, seed=1)
    squares = ((a[:, None] - a) ** 2).sum(-1).numpy()
    gamma = 1 / (2 * squares.sum() / (30 * 29))
    own, theirs, both = (
        rbf_kernel(u.numpy(), v.numpy(), gamma=gamma) for u, v in ((a, a), (b, b), (a, b))
    )
    expected = np.sqrt(own.mean() + theirs.mean() - 2 * both.mean())
    assert gaussian_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert gaussian_distance(7 * a, 7 * b) == pytest.approx(expected, rel=1e-6)


def test_one_real_sample_is_too_few_for_the_gaussian_distance() -> None:
    with pytest.raises(ValueError, match="1 real and 5 samples are too few"):
        gaussian_distance(drawn(1), drawn(5))


def test_coverage_and_precision_are_those_of_nearest_neighbours() -> None:
    a, b = drawn(50), drawn(30, seed=1)
    radii = NearestNeighbors(n_neighbors=6).fit(a.numpy()).kneighbors(a.numpy())[0][:, -1]
    between = np.linalg.norm(a.numpy()[:, None] - b.numpy(), axis=-1)
    assert coverage(a, b) == pytest.approx((between.min(1) <= radii).mean())
    assert precision(a, b) == pytest.approx((between <= radii[:, None]).any(0).mean())


@pytest.mark.parametrize("measure", [coverage, precision])
def test_equal_sets_cover_each_other(measure: Callable[..., float]) -> None:
    assert measure(drawn(40), drawn(40)) == 1.0
    assert measure(drawn(40), drawn(40) + 1000) == 0.0
