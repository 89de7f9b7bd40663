"""Riemannian optimisers: on the manifolds, descending, independent of grouping, resumable."""

import copy

import pytest
import torch
from torch import nn

from toolkit_spd.functional.means import distance, frechet_mean
from toolkit_spd.functional.stiefel import (
    project_tangent,
    random_stiefel,
    retract_cholesky,
    retract_qr,
)
from toolkit_spd.manifolds import SpdParameter, StiefelParameter
from toolkit_spd.optim import RiemannianAdam, RiemannianSGD, move_parameters

OPTIMISERS = [
    lambda params: RiemannianSGD(params, lr=0.05),
    lambda params: RiemannianSGD(params, lr=0.05, momentum=0.9),
    lambda params: RiemannianAdam(params, lr=0.05),
]


class Model(nn.Module):
    """Parameters of every kind, two of one shape."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.one = StiefelParameter(random_stiefel(3, 2, 6, 4))
        self.two = StiefelParameter(random_stiefel(6, 4))
        self.tall = StiefelParameter(random_stiefel(40, 3))
        self.bias = SpdParameter(torch.eye(5, dtype=torch.float64))
        self.plain = nn.Parameter(torch.randn(7, dtype=torch.float64))
        self.target = {name: torch.randn_like(p) for name, p in self.named_parameters()}

    def loss(self):
        return sum(((p - self.target[name]) ** 2).sum() for name, p in self.named_parameters())


def orthonormality(w):
    return (w.mT @ w - torch.eye(w.shape[-1], dtype=w.dtype)).abs().max()


def train(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss().backward()
        optimizer.step()


@pytest.mark.parametrize("make", OPTIMISERS)
def test_steps_descend_and_stay_on_the_manifolds(make):
    model = Model()
    before = model.loss().item()
    train(model, make(model.parameters()), 50)
    assert model.loss().item() < before
    for w in (model.one, model.two, model.tall):
        assert orthonormality(w) < 1e-13
    assert torch.linalg.eigvalsh(model.bias).min() > 0
    torch.testing.assert_close(model.bias, model.bias.mT, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("make", OPTIMISERS)
def test_matrices_of_one_shape_move_as_they_would_alone(make):
    together, apart = Model(), Model()
    one = make(together.parameters())
    optimizers = [make([parameter]) for parameter in apart.parameters()]
    for _ in range(3):
        train(together, one, 1)
        apart.zero_grad()
        apart.loss().backward()
        for each in optimizers:
            each.step()
    for a, b in zip(together.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("make", OPTIMISERS)
def test_a_restored_state_goes_on_as_if_nothing_happened(make):
    model = Model()
    optimizer = make(model.parameters())
    train(model, optimizer, 3)
    twin = copy.deepcopy(model)
    other = make(twin.parameters())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(model, optimizer, 3)
    train(twin, other, 3)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert type(a) is type(b)
        assert torch.equal(a, b)


@pytest.mark.parametrize("make", OPTIMISERS)
def test_a_parameter_without_gradient_rests(make):
    model = Model()
    optimizer = make(model.parameters())
    for skipped in ("two", "one", ""):
        optimizer.zero_grad()
        model.loss().backward()
        if skipped:
            getattr(model, skipped).grad = None
            before = getattr(model, skipped).clone()
        optimizer.step()
        if skipped:
            assert torch.equal(getattr(model, skipped), before)
    assert orthonormality(model.one) < 1e-13


def test_gradient_descent_on_an_spd_parameter_finds_the_frechet_mean():
    torch.manual_seed(0)
    x = torch.randn(5, 4, 12, dtype=torch.float64)
    x = x @ x.mT / 12
    mean = SpdParameter(torch.eye(4, dtype=torch.float64))
    optimizer = RiemannianSGD([mean], lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        (distance(mean, x).square().mean() / 2).backward()
        optimizer.step()
    torch.testing.assert_close(mean.detach(), frechet_mean(x, steps=50), rtol=1e-8, atol=1e-8)


def test_both_retractions_are_the_same_q_factor():
    torch.manual_seed(0)
    w = random_stiefel(10, 9, 5)
    moved = w + 0.5 * project_tangent(w, torch.randn_like(w))
    torch.testing.assert_close(retract_qr(moved), retract_cholesky(moved), rtol=1e-12, atol=1e-13)
    assert orthonormality(retract_cholesky(moved)) < 1e-13


def test_tangent_projection_is_one():
    w, g = random_stiefel(8, 4), torch.randn(8, 4, dtype=torch.float64)
    once = project_tangent(w, g)
    torch.testing.assert_close(project_tangent(w, once), once)
    torch.testing.assert_close(w.mT @ once, -(w.mT @ once).mT)


def test_move_takes_euclidean_gradients_and_lands_on_the_manifolds():
    model = Model()
    before = model.loss()
    gradients = torch.autograd.grad(before, list(model.parameters()))
    move_parameters(list(model.parameters()), gradients, 1e-3)
    assert model.loss() < before
    assert orthonormality(model.one) < 1e-13
    move_parameters(list(model.parameters()), gradients, -1.0)
    assert torch.linalg.eigvalsh(model.bias).min() > 0
    assert orthonormality(model.tall) < 1e-12


def test_float32_stays_orthonormal_over_many_steps():
    w = StiefelParameter(random_stiefel(20, 10, dtype=torch.float32))
    target = torch.randn(20, 10)
    optimizer = RiemannianAdam([w], lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        (w - target).square().sum().backward()
        optimizer.step()
    assert orthonormality(w) < 1e-5


def test_weight_decay_leaves_manifolds_alone():
    for make in (RiemannianSGD, RiemannianAdam):
        model = Model()
        optimizer = make(model.parameters(), lr=0.1, weight_decay=0.5)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        before = copy.deepcopy(model)
        optimizer.step()
        torch.testing.assert_close(model.plain, before.plain * 0.95)
        torch.testing.assert_close(model.one, before.one)
        torch.testing.assert_close(model.bias, before.bias)
