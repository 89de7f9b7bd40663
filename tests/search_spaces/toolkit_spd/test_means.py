"""Means, geodesics and transport under the affine-invariant and log-Euclidean metrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.geodesic import geodesic_riemann
from pyriemann.geometry.mean import mean_logeuclid, mean_riemann

from spd_matrices import random_spd
from toolkit_spd.functional.congruence import congruence, shared_congruence
from toolkit_spd.functional.karcher import karcher_step
from toolkit_spd.functional.means import (
    distance,
    frechet_mean,
    geodesic,
    grouped_frechet_mean,
    log_euclidean_mean,
    parallel_transport,
    whitening,
)
from toolkit_spd.functional.spectral import sym_exp, sym_inverse_sqrt, sym_log, sym_sqrt, symmetrize


def random_weights(k, seed=0):
    weights = torch.rand(k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return weights / weights.sum()


def test_converged_mean_agrees_with_pyriemann():
    x, weights = random_spd(6, 5, 5), random_weights(6)
    expected = mean_riemann(x.numpy(), tol=1e-13, sample_weight=weights.numpy())
    np.testing.assert_allclose(frechet_mean(x, weights, steps=40).numpy(), expected, rtol=1e-9)


def test_one_step_is_the_published_formula():
    x, weights = random_spd(4, 5, 5), random_weights(4)
    start = torch.einsum("k,kij->ij", weights, x)
    root, inverse = sym_sqrt(start), sym_inverse_sqrt(start)
    tangent = torch.einsum("k,kij->ij", weights, sym_log(inverse @ x @ inverse))
    torch.testing.assert_close(frechet_mean(x, weights), root @ sym_exp(tangent) @ root)


def test_one_step_is_exact_for_two_points():
    x = random_spd(7, 2, 5, 5)
    exact = frechet_mean(x, x.new_full((2,), 0.5), steps=30)
    one_step = frechet_mean(x, x.new_full((2,), 0.5), steps=1)
    torch.testing.assert_close(one_step, exact)
    torch.testing.assert_close(frechet_mean(x), exact)


def test_geodesic_distance_and_log_euclidean_mean_agree_with_pyriemann():
    a, b = random_spd(6, 6, seed=1), random_spd(6, 6, seed=2)
    for t in (0.0, 0.1, 0.5, 0.9, 1.0):
        expected = geodesic_riemann(a.numpy(), b.numpy(), t)
        np.testing.assert_allclose(geodesic(a, b, t).numpy(), expected, rtol=1e-9, atol=1e-12)
    expected = distance_riemann(a.numpy(), b.numpy())
    assert distance(a, b).item() == pytest.approx(expected, rel=1e-11)
    x, weights = random_spd(4, 5, 5), random_weights(4)
    expected = mean_logeuclid(x.numpy(), sample_weight=weights.numpy())
    np.testing.assert_allclose(log_euclidean_mean(x, weights).numpy(), expected, rtol=1e-10)


def test_parallel_transport_is_an_isometry_and_takes_velocity_to_velocity():
    p, q = random_spd(5, 5, seed=1), random_spd(5, 5, seed=2)
    root, inverse = sym_sqrt(p), sym_inverse_sqrt(p)
    velocity = root @ sym_log(inverse @ q @ inverse) @ root
    moved = parallel_transport(velocity, p, q)
    back = sym_inverse_sqrt(q)
    arriving = -sym_sqrt(q) @ sym_log(back @ p @ back) @ sym_sqrt(q)
    torch.testing.assert_close(moved, arriving)
    torch.testing.assert_close((back @ moved @ back).norm(), (inverse @ velocity @ inverse).norm())


def test_grouped_means_equal_each_alone():
    x, weights = random_spd(6, 3, 4, 4), torch.cat([random_weights(4), random_weights(2, seed=1)])
    found = grouped_frechet_mean(x, weights, [4, 2], steps=2)
    for group, members in enumerate((slice(0, 4), slice(4, 6))):
        alone = frechet_mean(x[members].movedim(0, -3), weights[members], steps=2)
        torch.testing.assert_close(found[group], alone)


EYE = torch.eye(3, dtype=torch.float64)


@pytest.mark.parametrize(
    "x",
    [random_spd(3, 3, 3), EYE.repeat(3, 1, 1), 2 * EYE.repeat(3, 1, 1)],
    ids=["random", "identity", "twice_identity"],
)
def test_gradients_are_exact(x):
    x = x.clone().requires_grad_()
    weights = random_weights(3).requires_grad_()
    check = torch.autograd.gradcheck
    assert check(lambda x, w: frechet_mean(symmetrize(x), w, 2), (x, weights))
    assert check(lambda x: frechet_mean(symmetrize(x)[:2]), x)
    assert check(lambda x, w: grouped_frechet_mean(symmetrize(x), w, [2, 1]), (x, weights))
    assert check(lambda x: geodesic(symmetrize(x[0]), symmetrize(x[1]), 0.3), x)
    assert check(lambda x, w: log_euclidean_mean(symmetrize(x), w), (x, weights))
    assert check(lambda x: parallel_transport(*symmetrize(x)), x)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 5))
def test_mean_commutes_with_congruence(seed, n, k):
    x, weights = random_spd(k, n, n, seed=seed), random_weights(k, seed)
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    factor = q * torch.linspace(0.5, 2, n, dtype=torch.float64)
    moved = frechet_mean(factor @ x @ factor.mT, weights)
    torch.testing.assert_close(moved, factor @ frechet_mean(x, weights) @ factor.mT)


def test_a_matrix_that_is_not_positive_definite_gives_nan_and_leaves_the_others_alone():
    x = random_spd(3, 2, 4, 4)
    good = geodesic(x[:, 0], x[:, 1], 0.5)
    x[1, 0] -= 10 * torch.eye(4, dtype=torch.float64)
    lower = whitening(x[:, 0])[0]
    assert lower[1].isnan().all()
    torch.testing.assert_close(geodesic(x[::2, 0], x[::2, 1], 0.5), good[::2])
    assert lower[::2].isfinite().all()


@pytest.mark.parametrize("point", ["random", "identity", "twice_identity"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_a_step_is_exact_from_its_own_mean_and_from_any_point(point, weighted):
    x = random_spd(2, 3, 3, 3)
    if point != "random":
        x = torch.eye(3, dtype=torch.float64).repeat(2, 3, 1, 1) * (2 - (point == "identity"))
    x.requires_grad_()
    start = random_spd(2, 3, 3, seed=5).requires_grad_()
    weights = torch.stack([random_weights(3), random_weights(3, 1)]).requires_grad_()
    chosen = weights if weighted else None
    check = torch.autograd.gradcheck
    inputs = (x, weights) if weighted else (x,)
    assert check(lambda x, *w: karcher_step(symmetrize(x), None, *w), inputs)
    assert check(lambda p, x, *w: karcher_step(symmetrize(x), symmetrize(p), *w), (start, *inputs))
    torch.testing.assert_close(
        karcher_step(x, None, chosen),
        karcher_step(
            x, x.mean(1) if not weighted else (x * weights[..., None, None]).sum(1), chosen
        ),
    )


def test_products_with_a_shared_factor_have_exact_gradients():
    factor = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    x = random_spd(2, 4, 3, 3).requires_grad_()
    torch.testing.assert_close(shared_congruence(factor, x), congruence(factor[:, None], x))
    assert torch.autograd.gradcheck(lambda f, x: shared_congruence(f, symmetrize(x)), (factor, x))


def with_spectrum(values, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    n = len(values)
    q, _ = torch.linalg.qr(torch.randn(count, n, n, generator=generator, dtype=torch.float64))
    return symmetrize(q * torch.as_tensor(values, dtype=torch.float64) @ q.mT)


HARD = {
    "repeated": ([1.0, 1.0, 1.0, 5.0, 5.0], 1e-9),
    "all_equal": ([2.0] * 5, 1e-9),
    "tiny": ([1e-30, 2e-30, 3e-30, 4e-30, 5e-30], 1e-9),
}


@pytest.mark.parametrize("name", HARD)
def test_means_and_distances_of_hard_spectra_agree_with_pyriemann(name):
    values, tolerance = HARD[name]
    x, scale = with_spectrum(values, 5), max(values)
    # The means commute with scale, which pyRiemann's stopping rule is not made for.
    found = frechet_mean(x, steps=50) / scale
    expected = mean_riemann((x / scale).numpy(), tol=1e-13, maxiter=200)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=tolerance)
    expected = mean_logeuclid((x / scale).numpy())
    found = log_euclidean_mean(x) / scale
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=tolerance)
    expected = distance_riemann((x[0] / scale).numpy(), (x[1] / scale).numpy())
    assert distance(x[0], x[1]).item() == pytest.approx(expected, rel=tolerance, abs=1e-9)


@pytest.mark.parametrize("smallest", [1e-12, 1e-16, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_of_nearly_singular_matrices_are_finite_with_finite_gradients(smallest, dtype):
    x = with_spectrum([smallest, 1e-3, 1.0, 1.0, 2.0], 4).to(dtype).requires_grad_()
    mean = frechet_mean(x)
    assert torch.linalg.eigvalsh(mean).min() > 0
    mean.sum().backward()
    assert x.grad.isfinite().all()


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_geodesics_and_transport_commute_with_congruence(seed, n):
    a, b = random_spd(n, n, seed=seed), random_spd(n, n, seed=seed + 1)
    v = symmetrize(random_spd(n, n, seed=seed + 2) - 1)
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    f = q * torch.linspace(0.5, 2, n, dtype=torch.float64)
    moved = geodesic(f @ a @ f.mT, f @ b @ f.mT, 0.3)
    torch.testing.assert_close(moved, f @ geodesic(a, b, 0.3) @ f.mT, rtol=1e-6, atol=1e-8)
    moved = parallel_transport(f @ v @ f.mT, f @ a @ f.mT, f @ b @ f.mT)
    expected = f @ parallel_transport(v, a, b) @ f.mT
    torch.testing.assert_close(moved, expected, rtol=1e-6, atol=1e-7)


def test_a_mean_of_condition_1e12_loses_no_more_digits_than_a_ridge_at_rounding_level_takes():
    x, factor = random_spd(6, 5, 5), torch.logspace(-6, 0, 5, dtype=torch.float64)
    graded = factor[:, None] * x * factor
    assert torch.linalg.cond(graded).min() > 1e11
    expected = torch.from_numpy(mean_riemann(x.numpy(), tol=1e-13))
    found = frechet_mean(graded, steps=40) / factor[:, None] / factor
    # A Cholesky factor is taken of M + 4 eps tr(M) I, whose smallest direction is of order 1e-12.
    lost = 4 * torch.finfo(x.dtype).eps / 1e-12
    torch.testing.assert_close(found, expected, rtol=0, atol=lost)
