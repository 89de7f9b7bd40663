"""Heads: each metric against an independent formula, its invariances, and the choice of one."""

import random

import pytest
import torch
from scipy.linalg import logm, solve_continuous_lyapunov, sqrtm

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import sample, validate
from toolkit.space.graphs import fingerprint
from toolkit_spd.catalogue import HEADS
from toolkit_spd.functional.spectral import sym_log
from toolkit_spd.heads.bures_wasserstein import BuresWassersteinHead
from toolkit_spd.heads.power_euclidean import PowerEuclideanHead
from toolkit_spd.maps import SpdMap
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

TASK = TaskInfo("spd", (1, 8, 8), 3, 100)
NAMES = list(HEADS)
CHARTS = [name for name in NAMES if hasattr(HEADS[name](1, 3, 2), "chart")]


def both_forms(x):
    return SpdMap.from_matrix(x), SpdMap.from_logarithm(sym_log(x))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_exact_and_both_forms_of_a_map_give_the_same(name):
    torch.manual_seed(0)
    head = HEADS[name](2, 3, 2)
    x = random_spd(2, 2, 3, 3).requires_grad_()
    torch.testing.assert_close(*(head(form) for form in both_forms(x.detach())))
    assert torch.autograd.gradcheck(lambda x: head(SpdMap.from_matrix((x + x.mT) / 2)), x)
    logarithm = sym_log(x.detach()).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: head(SpdMap.from_logarithm((x + x.mT) / 2)), logarithm
    )
    values = list(head.parameters())

    def by_parameters(*values):
        names = [name for name, _ in head.named_parameters()]
        given = dict(zip(names, values, strict=True))
        if "point" in given:
            given["point"] = (given["point"] + given["point"].mT) / 2
        return torch.func.functional_call(head, given, (SpdMap.from_matrix(x.detach()),))

    assert torch.autograd.gradcheck(by_parameters, values)


def expected_chart(name, s):
    lower = torch.linalg.cholesky(s)
    if name == "power_euclidean":
        root = torch.from_numpy(sqrtm(s.numpy()).real)
        return torch.linalg.matrix_norm(2 * (root - torch.eye(len(s))))
    if name == "log_cholesky":
        return (lower.tril(-1).square().sum() + lower.diagonal().log().square().sum()).sqrt()
    if name == "power_cholesky":
        own = 2 * (lower.diagonal().sqrt() - 1)
        return (lower.tril(-1).square().sum() + own.square().sum()).sqrt()
    scale = s.diagonal().rsqrt()
    factor = torch.linalg.cholesky(s * scale[:, None] * scale)
    unit = factor / factor.diagonal()[:, None]
    if name == "correlation_cholesky":
        return torch.linalg.matrix_norm(unit.tril(-1))
    return torch.linalg.matrix_norm(torch.from_numpy(logm(unit.numpy()).real))


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_the_length_of_an_independent_formula(name):
    x = random_spd(5, 1, 4, 4)
    found = HEADS[name](1, 4, 2).chart(SpdMap.from_matrix(x))[:, 0]
    for vector, s in zip(found, x[:, 0], strict=True):
        torch.testing.assert_close(vector.norm(), expected_chart(name, s))
    eye = torch.eye(4, dtype=torch.float64).expand(1, 1, 4, 4)
    assert HEADS[name](1, 4, 2).chart(SpdMap.from_matrix(eye)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["correlation_cholesky", "correlation_log_cholesky"])
def test_heads_of_correlations_do_not_see_the_scale_of_rows(name):
    head, x = HEADS[name](2, 5, 3), random_spd(4, 2, 5, 5)
    scale = torch.logspace(-2, 2, 5, dtype=torch.float64)
    moved = x * scale[:, None] * scale
    torch.testing.assert_close(head(SpdMap.from_matrix(moved)), head(SpdMap.from_matrix(x)))


def test_bures_wasserstein_scores_are_the_inner_product_with_the_logarithm():
    torch.manual_seed(0)
    head, x, point = BuresWassersteinHead(1, 4, 2), random_spd(3, 1, 4, 4), random_spd(4, 4, seed=9)
    with torch.no_grad():
        head.point.copy_(point)
    p, found = point.numpy(), head(SpdMap.from_matrix(x))
    for label, weight in enumerate(head.weight.detach()[:, 0]):
        solved = ((weight + weight.mT) / 2).numpy()
        tangent = p @ solved + solved @ p
        for row, s in enumerate(x[:, 0].numpy()):
            root = sqrtm(p @ s).real
            logarithm = root + root.T - 2 * p
            lyapunov = solve_continuous_lyapunov(p, tangent)  # the metric's own L_P(A)
            assert found[row, label].item() == pytest.approx((logarithm * lyapunov).sum() / 2)


def test_bures_wasserstein_at_the_identity_is_half_the_power_head():
    bures, power = BuresWassersteinHead(1, 4, 2), PowerEuclideanHead(1, 4, 2)
    x = SpdMap.from_matrix(random_spd(5, 1, 4, 4))
    weight = (bures.weight + bures.weight.mT).detach()[:, 0] / 2
    scale = torch.where(power.on_diagonal, 1.0, 2**0.5)
    with torch.no_grad():
        power.linear.weight.copy_(power.lower(weight) * scale / 2)
        power.linear.bias.zero_()
    torch.testing.assert_close(bures(x), power(x))


def test_bures_wasserstein_does_not_depend_on_the_frame():
    torch.manual_seed(0)
    head, x = BuresWassersteinHead(2, 4, 3), random_spd(3, 2, 4, 4)
    with torch.no_grad():
        head.point.copy_(random_spd(3, 2, 4, 4, seed=5))
    q, _ = torch.linalg.qr(random_spd(4, 4, seed=3) - 1)
    before = head(SpdMap.from_matrix(x))
    with torch.no_grad():
        head.point.copy_(q @ head.point @ q.mT)
        head.weight.copy_(q @ ((head.weight + head.weight.mT) / 2) @ q.mT)
    torch.testing.assert_close(head(SpdMap.from_matrix(q @ x @ q.mT)), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("rank", [1, 5])
@pytest.mark.parametrize("name", NAMES)
def test_scores_and_gradients_are_finite_at_any_scale_and_rank(name, rank, scale, dtype):
    torch.manual_seed(0)
    rows = torch.randn(4, 1, 5, rank, generator=torch.Generator().manual_seed(1), dtype=dtype)
    x = ((rows @ rows.mT) * scale).requires_grad_()
    head = HEADS[name](1, 5, 2).to(dtype)
    scores = head(SpdMap.from_matrix(x))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(each.grad.isfinite().all() for each in (x, *head.parameters()))


SEVERAL = ("full", "power_euclidean", "log_cholesky", "bures_wasserstein")


def test_several_heads_are_a_choice_of_the_tree_and_one_is_none():
    one, many = SpdCellSpace(SpdCellOptions()), SpdCellSpace(SpdCellOptions(head=SEVERAL))
    assert list(one.parameters(TASK).members) == ["reduction", "normal"]
    assert many.parameters(TASK).members["head"].options == SEVERAL
    assert many.parameters(TASK).size() == 4 * one.parameters(TASK).size()
    point = sample(many.parameters(TASK), random.Random(0))
    prints = {fingerprint(many.graph({**point, "head": name}, TASK)) for name in SEVERAL}
    assert len(prints) == 4
    for name in SEVERAL:
        assert type(many.build({**point, "head": name}, TASK).model.head) is type(
            HEADS[name](1, 2, 2)
        )
    with pytest.raises(SpaceError, match="Not a point"):
        many.build({**point, "head": "none"}, TASK)
    with pytest.raises(SpaceError, match="names a head twice"):
        SpdCellSpace(SpdCellOptions(head=("full", "full"))).parameters(TASK)
    with pytest.raises(SpaceError, match="1 x 1, which have no correlations"):
        SpdCellSpace(SpdCellOptions(head="correlation_cholesky", sizes=(1,))).parameters(TASK)


@pytest.mark.parametrize("mixing", ["affine_invariant", "log_euclidean"])
def test_a_supernet_searches_for_the_head_and_its_child_is_equal(mixing):
    torch.manual_seed(0)
    space = SpdCellSpace(SpdCellOptions(head=SEVERAL, mixing=mixing))
    supernet = space.supernet(TASK)
    batch = random_spd(6, 1, 8, 8), torch.arange(6) % 3
    supernet.loss(batch).backward()
    assert all(p.grad.abs().max() > 0 for p in supernet.architecture_parameters())
    assert supernet.edge_weights()["head"].operations == SEVERAL
    model = supernet.model.eval()
    for name in SEVERAL:
        point = {**supernet.derive(), "head": name}
        validate(space.parameters(TASK), point)
        child = model.child(point).eval()
        torch.testing.assert_close(child(batch[0]), model(batch[0], model.one_hot(point)))
    with torch.no_grad():
        model.scores["head"].zero_()[0, 2] = 5
    assert supernet.derive()["head"] == "log_cholesky"
    assert not any("head" in each for each in supernet.warnings())


def test_correlation_input_takes_away_the_scale_of_rows():
    torch.manual_seed(0)
    space = SpdCellSpace(SpdCellOptions(input="correlation", ridge=0.0))
    model = space.build(sample(space.parameters(TASK), random.Random(0)), TASK).model.eval()
    x, scale = random_spd(4, 1, 8, 8), torch.logspace(-3, 3, 8, dtype=torch.float64)
    torch.testing.assert_close(model(x * scale[:, None] * scale), model(x))
    constant = x.clone()
    constant[..., 3, :] = constant[..., :, 3] = 0
    assert model(constant).isfinite().all()
