"""Spectral functions: right values, and right derivatives everywhere, repeated eigenvalues too."""

import numpy as np
import pytest
import scipy.linalg
import torch

from spd_matrices import random_spd
from toolkit_spd.functional.spectral import (
    EXP,
    IDENTITY,
    INVERSE,
    INVERSE_SQRT,
    LOG,
    SQRT,
    Floor,
    eigendecompose_by_torch,
    power_function,
    rectify,
    smooth_function,
    spectral,
    sym_exp,
    sym_inverse,
    sym_inverse_sqrt,
    sym_log,
    sym_power,
    sym_sqrt,
    symmetrize,
)

EPS = torch.finfo(torch.float64).eps
FUNCTIONS = {
    "log": sym_log,
    "exp": sym_exp,
    "sqrt": sym_sqrt,
    "inverse_sqrt": sym_inverse_sqrt,
    "inverse": sym_inverse,
    "power": lambda x: sym_power(x, 0.3),
    "negative_power": lambda x: sym_power(x, -1.7),
    "smooth": lambda x: spectral(x, smooth_function(torch.sin, torch.cos))[0],
    "rectify": lambda x: rectify(x, 0.9),
    "rectify_relative": lambda x: rectify(x, 0.7, relative=True),
}


def with_eigenvalues(values, seed=0):
    n = len(values)
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    return q * torch.tensor(values, dtype=torch.float64) @ q.mT, q


POINTS = {
    "random": random_spd(2, 4, 4),
    "identity": torch.eye(4, dtype=torch.float64),
    "twice_identity": 2 * torch.eye(4, dtype=torch.float64),
    "repeated": with_eigenvalues([0.5, 2.0, 2.0, 3.0])[0],
    "nearly_equal": with_eigenvalues([1.0, 1.0 + 1e-9, 1.0 + 1e-6, 2.0])[0],
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_is_exact(name, point):
    function = FUNCTIONS[name]
    x = POINTS[point].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: function(symmetrize(x)), x, atol=1e-6)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(("logarithmic", "function"), [(False, LOG), (True, EXP)])
def test_gradient_through_a_floor_is_exact(logarithmic, function, relative):
    x = random_spd(3, 4, 4) if not logarithmic else symmetrize(random_spd(3, 4, 4) - 0.7)
    floor = Floor(0.6, relative, logarithmic)
    x.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: spectral(symmetrize(x), function, IDENTITY, floor=floor), x
    )


@pytest.mark.parametrize(
    ("ours", "scipys"),
    [
        (sym_log, scipy.linalg.logm),
        (sym_exp, scipy.linalg.expm),
        (sym_sqrt, scipy.linalg.sqrtm),
        (sym_inverse, scipy.linalg.inv),
        (lambda x: sym_power(x, 0.3), lambda x: scipy.linalg.fractional_matrix_power(x, 0.3)),
    ],
)
def test_values_agree_with_scipy(ours, scipys):
    x = random_spd(5, 7, 7)
    expected = np.stack([scipys(each) for each in x.numpy()])
    np.testing.assert_allclose(ours(x).numpy(), expected, rtol=1e-10, atol=1e-11)


def test_logarithm_of_an_ill_conditioned_matrix_errs_only_as_far_as_its_rounding():
    values = np.logspace(-12, 0, 6).tolist()
    x, q = with_eigenvalues(values)
    error = (sym_log(x) - q * torch.tensor(values).log() @ q.mT).norm()
    # An eigenvalue s moves by eps * |X|, its logarithm by eps * |X| / s: about 2e-4 at 1e-12.
    assert error < 10 * EPS / 1e-12


def test_logarithm_at_tiny_scale():
    x = random_spd(4, 4)
    expected = sym_log(x) - 200 * torch.eye(4, dtype=torch.float64)
    # Both the shift of 200 and the matrix (of condition below 100) are rounded to eps.
    torch.testing.assert_close(sym_log(x * np.exp(-200)), expected, rtol=0, atol=1000 * EPS)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (LOG, lambda s: 1 / s),
        (EXP, torch.exp),
        (SQRT, lambda s: 0.5 / s.sqrt()),
        (INVERSE_SQRT, lambda s: -0.5 * s**-1.5),
        (INVERSE, lambda s: -(s**-2)),
        (power_function(2.5), lambda s: 2.5 * s**1.5),
    ],
)
@pytest.mark.parametrize("gap", [0.0, 1e-300, 1e-16, 1e-12, 1e-9, 1e-7])
def test_divided_differences_keep_all_digits_at_any_gap(function, derivative, gap):
    for scale in (1e-8, 1.0, 50.0):
        values = torch.tensor([scale, scale * (1 + gap)], dtype=torch.float64)
        expected = derivative(values.mean())
        # The midpoint derivative itself is off by O(gap^2): the gap relative to the eigenvalues
        # for powers and the logarithm, absolute for the exponential.
        rtol = 1e-13 + (gap * max(scale, 1)) ** 2
        found = function.divided(values)
        torch.testing.assert_close(found[0, 1], expected, rtol=rtol, atol=0)
        torch.testing.assert_close(found.diagonal(), derivative(values), rtol=1e-13, atol=0)


def test_smooth_function_keeps_two_thirds_of_the_digits_at_any_gap():
    function = smooth_function(torch.log, torch.reciprocal)
    for gap in (0.0, 1e-14, 1e-10, 1e-6, 1e-5, 1e-4):
        values = torch.tensor([1.0, 1 + gap], dtype=torch.float64)
        expected = np.log1p(gap) / gap if gap else 1.0
        assert function.divided(values)[0, 1].item() == pytest.approx(expected, rel=EPS ** (2 / 3))


def test_gradient_at_the_identity_is_not_diagonal_only():
    x = torch.eye(3, dtype=torch.float64, requires_grad=True)
    weights = random_spd(3, 3)
    (sym_log(x) * weights).sum().backward()
    torch.testing.assert_close(x.grad, weights, rtol=1e-14, atol=1e-15)


def test_several_functions_of_one_decomposition_equal_each_alone():
    x = random_spd(3, 5, 5).requires_grad_()
    root, logarithm = spectral(x, SQRT, LOG)
    (together,) = torch.autograd.grad(root.sum() + logarithm[0, 0, 1], x)
    (apart,) = torch.autograd.grad(sym_sqrt(x).sum() + sym_log(x)[0, 0, 1], x)
    torch.testing.assert_close(together, apart)


def test_float32():
    x = random_spd(3, 8, 8)
    torch.testing.assert_close(sym_log(x.float()).double(), sym_log(x), rtol=1e-4, atol=1e-4)


def test_decomposing_in_parts_changes_nothing() -> None:
    x = random_spd(7, 3, 4, 4)
    values, vectors = eigendecompose_by_torch(x, most=5)
    expected = torch.linalg.eigh(x)
    assert torch.equal(values, expected.eigenvalues)
    assert torch.equal(vectors, expected.eigenvectors)
