"""The dense log-Euclidean layer, gyro translations and LieBN: formulas, gradients, equivariance."""

import copy

import pytest
import torch

from spd_matrices import random_spd
from toolkit_spd.functional.means import distance
from toolkit_spd.functional.spectral import sym_exp, sym_log, sym_power
from toolkit_spd.gyro_translation import GyroTranslationOperation
from toolkit_spd.lie_norm import LieBatchNorm
from toolkit_spd.log_linear import LogLinear
from toolkit_spd.maps import SpdMap
from toolkit_spd.normalization import frozen_statistics
from toolkit_spd.operations import Setting

GEOMETRIES = ["affine_invariant", "log_euclidean"]


def setting(geometry, n=4):
    return Setting(2, 2, n, n, geometry, "sparsemax", 1, 1e-4, True)


def test_the_dense_layer_is_its_formula_and_linear_in_the_logarithm():
    torch.manual_seed(0)
    layer, x = LogLinear(2, 3, 4, 2, rank=5), random_spd(3, 2, 4, 4)
    expected = torch.zeros(3, 3, 2, 2, dtype=torch.float64)
    for read, write in zip(layer.read.detach(), layer.write.detach(), strict=True):
        read, write = (read + read.mT) / 2, (write + write.mT) / 2
        number = (sym_log(x) * read).sum((1, 2, 3))
        expected += number[:, None, None, None] * write
    torch.testing.assert_close(layer(SpdMap.from_matrix(x)).matrix, sym_exp(expected))
    cubed = layer(SpdMap.from_matrix(sym_power(x, 3.0))).matrix
    torch.testing.assert_close(cubed, sym_power(sym_exp(expected), 3.0))
    small = LogLinear(1, 1, 3, 2, rank=2)
    inputs = random_spd(2, 1, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: small(SpdMap.from_matrix((x + x.mT) / 2)).matrix, inputs
    )


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_gyro_translation_is_an_isometry_that_takes_the_identity_to_its_parameter(geometry):
    operation = GyroTranslationOperation(setting(geometry))
    x = random_spd(2, 2, 4, 4)
    torch.testing.assert_close(operation(SpdMap.from_matrix(x)).matrix, x)
    target = random_spd(2, 4, 4, seed=7)
    affine = geometry == "affine_invariant"
    with torch.no_grad():
        operation.translation.copy_(target if affine else sym_log(target))
    eye = torch.eye(4, dtype=torch.float64).expand(1, 2, 4, 4)
    torch.testing.assert_close(operation(SpdMap.from_matrix(eye)).matrix[0], target)
    moved = operation(SpdMap.from_matrix(x)).matrix
    if affine:
        torch.testing.assert_close(distance(moved[0], moved[1]), distance(x[0], x[1]))
    else:
        between = sym_log(moved[0]) - sym_log(moved[1])
        torch.testing.assert_close(between, sym_log(x[0]) - sym_log(x[1]))
    inputs = random_spd(1, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: operation(SpdMap.from_matrix((x + x.mT) / 2)).matrix, inputs
    )


def coordinates(x, exponent):
    lower = torch.linalg.cholesky(sym_power(x, exponent))
    return lower.tril(-1) + torch.diag_embed(lower.diagonal(dim1=-2, dim2=-1).log())


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_lie_batch_norm_gives_the_bias_as_mean_and_its_scale_as_dispersion(exponent):
    norm = LieBatchNorm(4, exponent)
    with torch.no_grad():
        norm.bias.copy_(torch.arange(16.0).view(4, 4) / 20)
        norm.log_scale.fill_(-0.5)
    y = coordinates(norm(SpdMap.from_matrix(random_spd(12, 2, 4, 4))).matrix, exponent)
    torch.testing.assert_close(y.mean((0, 1)), norm.bias.detach().tril())
    found = (y - y.mean((0, 1))).square().sum((-2, -1)).mean().item()
    # The constant added to the dispersion, 1e-5, takes its share away.
    assert found == pytest.approx(torch.tensor(-1.0).exp().item(), rel=1e-4)


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_lie_batch_norm_takes_translations_of_the_group_away(exponent):
    """The group adds strict lower parts of Cholesky factors, and multiplies diagonals."""
    x, added = random_spd(8, 1, 4, 4), torch.randn(4, 4, dtype=torch.float64).tril()
    moved = coordinates(x, exponent) + added
    factor = moved.tril(-1) + torch.diag_embed(moved.diagonal(dim1=-2, dim2=-1).exp())
    y = sym_power(factor @ factor.mT, 1 / exponent)
    found = [LieBatchNorm(4, exponent)(SpdMap.from_matrix(each)).matrix for each in (x, y)]
    torch.testing.assert_close(*found)


def test_lie_batch_norm_keeps_its_statistics_and_has_exact_gradients():
    norm = LieBatchNorm(3)
    for seed in range(80):
        norm(SpdMap.from_matrix(random_spd(8, 2, 3, 3, seed=seed)))
    kept = copy.deepcopy(norm.state_dict())
    with frozen_statistics():
        norm(SpdMap.from_matrix(random_spd(4, 1, 3, 3)))
    assert all(torch.equal(kept[name], value) for name, value in norm.state_dict().items())
    norm(SpdMap.from_matrix(random_spd(1, 1, 3, 3)))
    assert torch.equal(kept["running_dispersion"], norm.running_dispersion)
    norm.eval()
    x = torch.cat([random_spd(8, 2, 3, 3, seed=seed) for seed in range(40)])
    vectors = coordinates(norm(SpdMap.from_matrix(x)).matrix, 0.5)
    assert vectors.mean((0, 1)).abs().max() < 0.15
    assert vectors.square().sum((-2, -1)).mean().item() == pytest.approx(1, abs=0.2)
    norm.train()
    inputs = random_spd(3, 1, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: norm(SpdMap.from_matrix((x + x.mT) / 2)).matrix, inputs
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrices_far_from_what_lie_norm_has_seen_stay_finite_and_others_stay(dtype):
    norm = LieBatchNorm(3).to(dtype).eval()
    norm.running_dispersion.fill_(1e-2)
    far = SpdMap.from_matrix(torch.finfo(dtype).max ** 0.75 * random_spd(4, 2, 3, 3).to(dtype))
    assert norm(far).matrix.isfinite().all()
    assert norm(far).logarithm.isfinite().all()
    norm.running_dispersion.fill_(1.0)
    near = random_spd(4, 2, 3, 3).to(dtype)
    torch.testing.assert_close(norm(SpdMap.from_matrix(near)).matrix, near, rtol=1e-3, atol=1e-3)
