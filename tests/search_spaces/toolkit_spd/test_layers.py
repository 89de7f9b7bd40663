"""Layers and candidate operations: shapes, SPD outputs, saved statistics, known special cases."""

import copy
import math

import pytest
import torch
from torch.nn.functional import avg_pool2d, max_pool2d

from spd_matrices import random_spd
from toolkit_spd.catalogue import KEEPING, REDUCING, make_operation
from toolkit_spd.functional.congruence import bimap
from toolkit_spd.functional.means import distance
from toolkit_spd.functional.spectral import rectify, sym_exp, sym_log
from toolkit_spd.genotype import Link, write_cell
from toolkit_spd.layers import (
    AttentionPooling,
    BiMap,
    BlockSkip,
    LogHead,
    LogPooling,
    SqrtEig,
    WeightedPooling,
)
from toolkit_spd.maps import SpdMap, concatenate
from toolkit_spd.networks import CellNetwork
from toolkit_spd.normalization import BatchNormAffine, BatchNormLogEuclidean, frozen_statistics
from toolkit_spd.operations import Setting

GEOMETRIES = ["affine_invariant", "log_euclidean"]


def setting(geometry, n=6, m=6, channels=2, relative=False):
    return Setting(channels, channels, n, m, geometry, "sparsemax", 1, 0.3, relative)


def operations():
    """Every candidate of both lists, at several sizes, in both geometries."""
    for geometry in GEOMETRIES:
        for name in KEEPING:
            yield pytest.param(name, setting(geometry), False, id=f"{geometry}-{name}")
        for name in REDUCING:
            for m in (1, 3, 4, 6):
                place = setting(geometry, 6, m, relative=True)
                yield pytest.param(name, place, True, id=f"{geometry}-{name}-6to{m}")


@pytest.mark.parametrize(("name", "place", "reducing"), list(operations()))
def test_output_is_spd_with_finite_gradients_in_training_and_evaluation(name, place, reducing):
    torch.manual_seed(0)
    operation = make_operation(name, place, reducing)
    x = random_spd(5, 2, 6, 6).requires_grad_()
    for _ in range(2):
        matrix = operation(SpdMap.from_matrix(x)).matrix
        assert matrix.shape == (5, 2, place.size_out, place.size_out)
        torch.testing.assert_close(matrix, matrix.mT, rtol=1e-12, atol=1e-12)
        assert torch.linalg.eigvalsh(matrix).min() > 0
        if matrix.requires_grad:
            matrix.square().sum().backward()
            assert all(p.grad is not None for p in operation.parameters())
            assert all(p.grad.isfinite().all() for p in operation.parameters())
        operation.eval()


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_matrix_and_logarithm_of_an_operation_agree(geometry):
    torch.manual_seed(0)
    for name in KEEPING:
        y = make_operation(name, setting(geometry), False)(
            SpdMap.from_matrix(random_spd(5, 2, 6, 6))
        )
        torch.testing.assert_close(sym_log(y.matrix), y.logarithm.expand_as(y.matrix))


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_map_gives_the_same_as_functions_one_after_the_other(logarithmic, relative):
    x = random_spd(4, 2, 5, 5)
    start = SpdMap.from_logarithm(sym_log(x)) if logarithmic else SpdMap.from_matrix(x)
    once = start.rectified(0.4, relative)
    expected = rectify(x, 0.4, relative)
    torch.testing.assert_close(start.matrix, x)
    torch.testing.assert_close(start.logarithm, sym_log(x))
    torch.testing.assert_close(once.matrix, expected)
    torch.testing.assert_close(once.logarithm, sym_log(expected))
    twice = once.rectified(0.6, relative)
    torch.testing.assert_close(twice.matrix, rectify(expected, 0.6, relative))
    torch.testing.assert_close(twice.logarithm, sym_log(rectify(expected, 0.6, relative)))


@pytest.mark.parametrize("relative", [False, True])
def test_gradient_through_a_chain_of_shared_decompositions_is_exact(relative):
    x = random_spd(1, 2, 4, 4).requires_grad_()

    def chain(x):
        start = SpdMap.from_matrix((x + x.mT) / 2)
        once = start.rectified(0.4, relative)
        twice = once.rectified(0.5, relative)
        return start.logarithm + once.matrix * twice.logarithm

    assert torch.autograd.gradcheck(chain, x)


def test_joined_maps_keep_what_they_have_decomposed():
    first = SpdMap.from_matrix(random_spd(3, 2, 4, 4))
    second = SpdMap.from_matrix(random_spd(3, 2, 4, 4, seed=1))
    known = first.decomposition
    joined = concatenate([first, second])
    torch.testing.assert_close(joined.logarithm, sym_log(joined.matrix))
    assert torch.equal(joined.decomposition.vectors[:, :2], known.vectors)
    mixed = concatenate([first, SpdMap.from_logarithm(sym_log(second.matrix))])
    torch.testing.assert_close(mixed.matrix, joined.matrix)
    raised = concatenate([first.rectified(0.5), second])
    torch.testing.assert_close(raised.matrix[:, :2], rectify(first.matrix, 0.5))


def test_a_singular_matrix_has_a_finite_logarithm():
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    x[..., 0, 0] = 1
    assert SpdMap.from_matrix(x).logarithm.isfinite().all()


def test_bimap_is_the_sum_of_congruences():
    x, w = random_spd(3, 2, 5, 5), torch.randn(4, 2, 5, 3, dtype=torch.float64)
    expected = torch.einsum("ocij,bcik,ockl->objl", w, x, w)
    torch.testing.assert_close(bimap(x, w), expected)


def test_bimap_starts_orthonormal_and_refuses_to_enlarge():
    weight = BiMap(2, 3, 6, 4).weight
    eye = torch.eye(4, dtype=torch.float64).expand(3, 2, 4, 4)
    torch.testing.assert_close(weight.mT @ weight, eye)
    with pytest.raises(ValueError, match="at most 4 x 4"):
        BiMap(1, 1, 4, 5)


@pytest.mark.parametrize("make", [lambda n: BatchNormAffine(n, 20), BatchNormLogEuclidean])
def test_batch_norm_moves_the_mean_to_the_bias(make):
    norm = make(4)
    y = norm(SpdMap.from_matrix(random_spd(6, 2, 4, 4)))
    if isinstance(norm, BatchNormAffine):
        mean = torch.stack([sym_log(each) for each in y.matrix.flatten(0, 1)])
        # The bias is I, where the mean's condition is that the logarithms cancel.
        assert mean.mean(0).abs().max() < 1e-10
    else:
        assert y.logarithm.mean((0, 1)).abs().max() < 1e-14


@pytest.mark.parametrize("make", [BatchNormAffine, BatchNormLogEuclidean])
def test_running_mean_is_saved_and_used_in_evaluation(make):
    norm = make(4)
    batches = [random_spd(6, 2, 4, 4, seed=seed) * 3 for seed in range(100)]
    for x in batches:
        norm(SpdMap.from_matrix(x))
    norm.eval()
    x = SpdMap.from_matrix(batches[0])
    restored = make(4)
    restored.load_state_dict(copy.deepcopy(norm.state_dict()))
    restored.eval()
    assert "running_mean" in norm.state_dict()
    torch.testing.assert_close(restored(x).matrix, norm(x).matrix)
    everything = make(4)
    whole = torch.cat(batches)
    everything(SpdMap.from_matrix(whole))
    everything.train()
    expected = everything(SpdMap.from_matrix(whole)).matrix[:6]
    assert distance(norm(x).matrix, expected).max() < 0.2


def test_batch_norm_of_equal_matrices_and_batches_of_one_is_the_bias():
    x = SpdMap.from_matrix(random_spd(1, 1, 3, 3))
    for norm in (BatchNormAffine(3), BatchNormLogEuclidean(3)):
        torch.testing.assert_close(norm(x).matrix[0, 0], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("maximum", [False, True])
def test_log_pooling_is_the_published_window_when_the_size_halves(maximum):
    x = random_spd(3, 2, 8, 8)
    plain = (max_pool2d if maximum else avg_pool2d)(sym_log(x), 2)
    y = LogPooling(4, maximum)(SpdMap.from_matrix(x))
    torch.testing.assert_close(y.logarithm, plain)
    torch.testing.assert_close(y.matrix, sym_exp(plain))


def test_block_skip_has_no_cross_terms_and_trains_both_halves():
    skip = BlockSkip(2, 7, 5)
    y = skip(SpdMap.from_matrix(random_spd(3, 2, 7, 7))).matrix
    assert [tuple(half.shape) for half in skip.halves] == [(2, 2, 7, 2), (2, 2, 7, 3)]
    assert y[..., :2, 2:].abs().max() == 0
    y.square().sum().backward()
    assert all(half.grad.abs().max() > 0 for half in skip.halves)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_weighted_pooling_with_one_hot_weights_picks_a_channel(geometry):
    pooling = WeightedPooling(3, 2, geometry)
    with torch.no_grad():
        pooling.logits.copy_(torch.tensor([[5.0, 0, 0], [0, 0, 5.0]]))
    x = random_spd(4, 3, 5, 5)
    torch.testing.assert_close(pooling(SpdMap.from_matrix(x)).matrix, x[:, [0, 2]])


def test_triangle_head_keeps_inner_products():
    x = SpdMap.from_matrix(random_spd(4, 2, 5, 5))
    head = LogHead(2, 5, 3, triangle=True)
    read = x.logarithm[..., head.rows, head.columns] * head.scale
    expected = x.logarithm.flatten(1) @ x.logarithm.flatten(1).T
    torch.testing.assert_close(read.flatten(1) @ read.flatten(1).T, expected)
    assert head(x).shape == (4, 3)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ill_conditioned_and_rank_deficient_inputs_train(geometry, dtype):
    torch.manual_seed(0)
    q, _ = torch.linalg.qr(torch.randn(8, 10, 10, dtype=torch.float64))
    ill = q * torch.logspace(-12, 0, 10, dtype=torch.float64) @ q.mT
    rank_one = q[..., :1] @ q[..., :1].mT
    links = [Link(source, target, "bimap_1") for target in (2, 3) for source in (0, 1)]
    architecture = {"reduction": write_cell(links), "normal": write_cell(links)}
    network = CellNetwork(
        architecture,
        channels_in=1,
        n=10,
        classes=3,
        cells=["reduction", "normal"],
        channels=[2, 4],
        sizes=[5, 5],
        geometry=geometry,
        dtype=dtype,
    )
    for x in (ill, rank_one):
        logits = network(x)
        logits.square().sum().backward()
        assert logits.isfinite().all()
        assert all(p.grad.isfinite().all() for p in network.parameters())


def both_norms(n):
    return BatchNormAffine(n, 30, dispersion=True), BatchNormLogEuclidean(n, dispersion=True)


def test_dispersion_becomes_one_times_the_learned_scale_squared():
    for norm in both_norms(4):
        x = SpdMap.from_matrix(random_spd(40, 2, 4, 4))
        for factor in (1.0, 3.0):
            with torch.no_grad():
                norm.log_scale.fill_(math.log(factor))
            logarithm = norm(x).logarithm
            assert logarithm.mean((0, 1)).abs().max() < 1e-9  # the mean stays at the bias, I
            found = logarithm.square().sum((-2, -1)).mean() / 10
            # The constant added to the dispersion, 1e-5, takes its share away.
            assert found.item() == pytest.approx(factor**2, rel=1e-4)


def test_running_dispersion_is_saved_used_in_evaluation_and_kept_by_batches_of_one():
    for norm in both_norms(3):
        many = [SpdMap.from_matrix(random_spd(20, 2, 3, 3, seed=seed)) for seed in range(80)]
        for x in many:
            norm(x)
        kept = norm.running_dispersion.clone()
        norm(SpdMap.from_matrix(random_spd(1, 1, 3, 3)))
        assert torch.equal(norm.running_dispersion, kept)
        assert "running_dispersion" in norm.state_dict()
        norm.eval()
        every = torch.cat([norm(x).logarithm for x in many])
        assert every.square().sum((-2, -1)).mean().item() / 6 == pytest.approx(1, abs=0.15)


def test_gradient_through_batch_norm_with_dispersion_is_exact():
    x = random_spd(3, 1, 3, 3).requires_grad_()
    for norm in (BatchNormAffine(3, 2, dispersion=True), BatchNormLogEuclidean(3, dispersion=True)):

        def run(x, norm=norm):
            return norm(SpdMap.from_matrix((x + x.mT) / 2)).matrix

        assert torch.autograd.gradcheck(run, x)


def test_frozen_statistics_stay():
    for norm in (*both_norms(3), BatchNormAffine(3), BatchNormLogEuclidean(3)):
        before = {name: value.clone() for name, value in norm.state_dict().items()}
        with frozen_statistics():
            norm(SpdMap.from_matrix(random_spd(4, 1, 3, 3)))
        assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())
        norm(SpdMap.from_matrix(random_spd(4, 1, 3, 3)))
        assert not torch.equal(before["running_mean"], norm.running_mean)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_attention_pooling_picks_the_channel_its_query_asks_for(geometry):
    x = random_spd(4, 2, 3, 3)
    pooling = AttentionPooling(2, 1, 3, geometry, relaxation="sparsemax")
    with torch.no_grad():
        pooling.logits.zero_()
        pooling.query.copy_(1e6 * torch.eye(3, dtype=torch.float64))
    larger = torch.logdet(x).argmax(1)
    found = pooling(SpdMap.from_matrix(x)).matrix[:, 0]
    torch.testing.assert_close(found, x[torch.arange(4), larger])
    pooling = AttentionPooling(2, 3, 3, geometry)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pooling(SpdMap.from_matrix((x + x.mT) / 2)).matrix, x)


def test_square_root_layer_in_both_forms():
    x = random_spd(4, 2, 3, 3)
    for start in (SpdMap.from_matrix(x), SpdMap.from_logarithm(sym_log(x))):
        root = SqrtEig()(start).matrix
        torch.testing.assert_close(root @ root, x)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_normalised_features_do_not_depend_on_the_frame_or_scale(geometry):
    """Orthogonal congruence turns the output; a scale of all matrices is taken away."""
    q, _ = torch.linalg.qr(random_spd(5, 5, seed=3) - 1)
    x = random_spd(6, 2, 5, 5)
    for dispersion in (False, True):
        if geometry == "log_euclidean":
            norm = BatchNormLogEuclidean(5, dispersion)
        else:
            norm = BatchNormAffine(5, 1, dispersion)
        plain = norm(SpdMap.from_matrix(x)).matrix
        turned = norm(SpdMap.from_matrix(7 * (q @ x @ q.mT))).matrix
        torch.testing.assert_close(turned, q @ plain @ q.mT)


def test_a_constant_mean_changes_the_gradient_and_nothing_else():
    one, other = BatchNormAffine(4), BatchNormAffine(4, constant_mean=True)
    x = random_spd(5, 1, 4, 4).requires_grad_()
    results = [norm(SpdMap.from_matrix(x)).matrix for norm in (one, other)]
    torch.testing.assert_close(*results)
    assert torch.equal(one.running_mean, other.running_mean)
    gradients = [torch.autograd.grad(each.square().sum(), x)[0] for each in results]
    assert not torch.allclose(*gradients)
