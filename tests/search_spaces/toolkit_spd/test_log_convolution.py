"""Convolutions of logarithms: symmetric, exact in backward, the same in supernet and child."""

import random

import pytest
import torch
from torch.nn.functional import conv2d

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo
from toolkit.space import sample
from toolkit_spd.catalogue import make_operation
from toolkit_spd.log_convolution import ChannelNorm, EntryNorm, LogConvolution
from toolkit_spd.maps import SpdMap
from toolkit_spd.normalization import frozen_statistics
from toolkit_spd.operations import Setting
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

GEOMETRIES = ["affine_invariant", "log_euclidean"]
NAMES = ["log_convolution", "log_convolution_5", "log_mixing"]
TASK = TaskInfo("spd", (2, 9, 9), 3, 100)


def symmetric(*shape, seed=0):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (x + x.mT) / 2


def setting(channels_in=2, channels_out=3, n=6, m=6, geometry="log_euclidean"):
    return Setting(channels_in, channels_out, n, m, geometry, "sparsemax", 1, 0.3, True)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_kernel_is_symmetric_and_so_is_what_it_makes(size):
    torch.manual_seed(0)
    layer = LogConvolution(2, 3, size)
    assert layer.triangle.shape == (3, 2, size * (size + 1) // 2)
    assert torch.equal(layer.kernel, layer.kernel.mT)
    x = symmetric(4, 2, 7, 7)
    y = layer(x)
    torch.testing.assert_close(y, y.mT, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(y, conv2d(x, layer.kernel, padding=size // 2))


def test_a_kernel_without_a_centre_is_refused():
    with pytest.raises(ValueError, match="odd"):
        LogConvolution(1, 1, 2)


def test_gradients_are_exact_through_logarithm_and_convolution():
    torch.manual_seed(0)
    operation = make_operation("log_convolution", setting(m=3), True)
    x = random_spd(2, 2, 6, 6).requires_grad_()
    operation.norm.eval()  # so that gradcheck's repeated calls see one function

    triangle = operation.convolution.triangle.detach().clone().requires_grad_()

    def function(x, triangle):
        symmetrised = SpdMap.from_matrix((x + x.mT) / 2)
        weights = {"convolution.triangle": triangle}
        return torch.func.functional_call(operation, weights, (symmetrised,)).matrix

    assert torch.autograd.gradcheck(function, (x, triangle))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("m", [6, 3, 1])
def test_channels_and_size_change_and_results_are_spd(name, geometry, m):
    torch.manual_seed(0)
    operation = make_operation(name, setting(2, 5, 6, m, geometry), m < 6)
    for training in (True, False):
        y = operation.train(training)(SpdMap.from_matrix(random_spd(4, 2, 6, 6))).matrix
        assert y.shape == (4, 5, m, m)
        torch.testing.assert_close(y, y.mT)
        assert (torch.linalg.eigvalsh(y) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_reversal_of_the_rows_passes_through(name):
    # Of all congruences these operations commute with the one that turns the matrix around,
    # if their kernels are turned around as well.
    torch.manual_seed(0)
    operation = make_operation(name, setting(), False).eval()
    x = random_spd(3, 2, 6, 6)
    expected = operation(SpdMap.from_matrix(x)).matrix.flip(-1, -2)
    kernel = operation.convolution.kernel.detach().flip(-1, -2)
    rows, columns = torch.tril_indices(*kernel.shape[-2:])
    with torch.no_grad():
        operation.convolution.triangle.copy_(kernel[..., rows, columns])
    found = operation(SpdMap.from_matrix(x.flip(-1, -2))).matrix
    torch.testing.assert_close(found, expected)


def test_channel_norm_is_that_of_torch_and_keeps_its_statistics_when_told():
    norm, torchs = ChannelNorm(3), torch.nn.BatchNorm2d(3, dtype=torch.float64)
    x = symmetric(5, 3, 4, 4)
    torch.testing.assert_close(norm(x), torchs(x))
    torch.testing.assert_close(norm.running_mean, torchs.running_mean)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with frozen_statistics():
        norm(x + 7)
    for name, value in norm.state_dict().items():
        assert torch.equal(value, before[name])
    torch.testing.assert_close(norm.eval()(x), torchs.eval()(x))


def test_a_single_value_in_training_comes_out_as_the_bias():
    norm = ChannelNorm(2)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([1.0, -2.0]))
    assert norm(symmetric(1, 2, 1, 1)).flatten().tolist() == [1.0, -2.0]
    assert torch.equal(norm.running_variance, torch.ones(2).double())


def test_entries_become_standard_and_stay_symmetric():
    norm = EntryNorm(2, 4)
    x = SpdMap.from_matrix(random_spd(50, 2, 4, 4))
    y = norm(x).logarithm
    torch.testing.assert_close(y, y.mT, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(y.mean(0), torch.zeros(2, 4, 4).double(), rtol=0, atol=1e-12)
    deviation = x.logarithm.std(0, unbiased=False)
    expected = deviation / (deviation.square() + 1e-5).sqrt()
    torch.testing.assert_close(y.std(0, unbiased=False), expected)
    with frozen_statistics():
        before = norm.running_mean.clone()
        norm(x)
        assert torch.equal(norm.running_mean, before)
    other = EntryNorm(2, 4)
    other.load_state_dict(norm.state_dict())
    torch.testing.assert_close(other.eval()(x).logarithm, norm.eval()(x).logarithm)


def test_a_batch_of_one_is_the_identity_after_entry_norm():
    norm = EntryNorm(1, 3)
    assert torch.equal(
        norm(SpdMap.from_matrix(random_spd(1, 1, 3, 3))).matrix[0, 0], torch.eye(3).double()
    )
    assert not norm.running_mean.any()


@pytest.mark.parametrize("mixing", GEOMETRIES)
@pytest.mark.parametrize("preprocess", ["log_mixing", "log_convolution"])
def test_child_equals_the_one_hot_supernet_without_stem(mixing, preprocess):
    torch.manual_seed(0)
    options = SpdCellOptions(
        mixing=mixing,
        stem="entries",
        preprocess=preprocess,
        norm="dispersion",
        cells=("reduction", "normal", "reduction"),
        normal_ops=("none", "log_convolution", "log_mixing", "bimap_1", "skip"),
        reduction_ops=("none", "log_convolution", "max_pooling", "bimap_1"),
    )
    space = SpdCellSpace(options)
    supernet = space.supernet(TASK)
    inputs = random_spd(6, 2, 9, 9)
    supernet.predict(inputs)
    assert not any(name.startswith("stem.") for name in supernet.model.state_dict())
    for seed in range(3):
        architecture = sample(space.parameters(TASK), random.Random(seed))
        for training in (True, False):
            supernet.model.train(training)
            child = supernet.model.child(architecture).train(training)
            expected = supernet.model(inputs, supernet.model.one_hot(architecture))
            torch.testing.assert_close(child(inputs), expected, rtol=1e-8, atol=1e-8)
