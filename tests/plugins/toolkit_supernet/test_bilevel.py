from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.contracts import Architecture, EdgeWeights, Supernet, Train
from toolkit_supernet.bilevel import first_order_gradient, second_order_gradient

torch.set_num_threads(1)
Loss = Callable[[Tensor, Tensor], Tensor]


class Toy(Supernet):
    """Weights w and architecture a, both vectors; a batch's labels say which loss is meant."""

    def __init__(self, training: Loss, validation: Loss, sphere: bool = False) -> None:
        draw = torch.Generator().manual_seed(0)
        self.model = nn.Module()
        for name in ("w", "a"):
            value = torch.randn(4, generator=draw, dtype=torch.float64)
            self.model.register_parameter(name, nn.Parameter(value / value.norm()))
        self.model.register_buffer("passes", torch.zeros(()))
        self.losses, self.sphere = (training, validation), sphere

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        self.model.get_buffer("passes").add_(1)
        return self.losses[int(batch[1])](*self.model.parameters())

    def predict(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def weight_parameters(self) -> list[nn.Parameter]:
        return [self.model.get_parameter("w")]

    def architecture_parameters(self) -> list[nn.Parameter]:
        return [self.model.get_parameter("a")]

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        raise NotImplementedError

    def moved(self, w: Tensor, direction: Tensor, step: float) -> Tensor:
        """A Euclidean step, or one along the sphere's tangent, retracted by division."""
        if not self.sphere:
            return w - step * direction
        straight = w - step * (direction - (w @ direction) * w)
        return straight / straight.norm()

    @torch.no_grad()
    def move(self, directions: Sequence[Tensor], step: float) -> None:
        (w,) = self.weight_parameters()
        w.copy_(self.moved(w, directions[0], step))

    def edge_weights(self) -> dict[str, EdgeWeights]:
        raise NotImplementedError

    def derive(self) -> Architecture:
        raise NotImplementedError

    def exact(self, eta: float) -> Tensor:
        """The gradient of the validation loss through the step looked ahead, by autograd."""
        w, a = (p.detach().requires_grad_() for p in self.model.parameters())
        (ahead,) = torch.autograd.grad(self.losses[0](w, a), w, create_graph=True)
        return torch.autograd.grad(self.losses[1](self.moved(w, ahead, eta), a), a)[0]


MATRICES = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
TRAINING, VALIDATION = [(torch.zeros(1), torch.tensor(i)) for i in (0, 1)]


def quadratic(w: Tensor, a: Tensor) -> Tensor:
    residual = MATRICES[0] @ w - MATRICES[1] @ a
    return residual @ residual / 2


def wavy(w: Tensor, a: Tensor) -> Tensor:
    return torch.tanh(MATRICES[0] @ w * a).square().sum()


def judged(w: Tensor, a: Tensor) -> Tensor:
    return (MATRICES[2] @ w - 1).square().sum() / 2 + 0.1 * (a @ a)


def distance(found: list[Tensor], exact: Tensor) -> float:
    return float((found[0] - exact).norm() / exact.norm())


def test_first_order_is_the_partial_derivative() -> None:
    toy = Toy(quadratic, judged)
    (a,) = toy.architecture_parameters()
    assert torch.allclose(first_order_gradient(toy, VALIDATION)[0], 0.2 * a, rtol=1e-14)


def test_second_order_is_exact_on_a_quadratic_training_loss() -> None:
    """A central difference of a linear function errs by rounding alone, about 1e-16 / r."""
    toy = Toy(quadratic, judged)
    found = second_order_gradient(toy, TRAINING, VALIDATION, eta=0.1)
    analytic = 0.2 * toy.architecture_parameters()[0]
    w = toy.weight_parameters()[0]
    ahead = w - 0.1 * MATRICES[0].T @ (MATRICES[0] @ w - MATRICES[1] @ analytic / 0.2)
    pull = MATRICES[2].T @ (MATRICES[2] @ ahead - 1)
    analytic = analytic + 0.1 * MATRICES[1].T @ MATRICES[0] @ pull
    assert distance(found, analytic.detach()) < 1e-12
    assert distance(found, toy.exact(0.1)) < 1e-12
    assert distance(first_order_gradient(toy, VALIDATION), toy.exact(0.1)) > 0.1


def test_second_order_errs_by_the_square_of_the_difference_step() -> None:
    toy = Toy(wavy, judged)
    found = second_order_gradient(toy, TRAINING, VALIDATION, eta=0.1)
    assert distance(found, toy.exact(0.1)) < 10 * 0.01**2


def test_second_order_follows_the_manifold() -> None:
    """Taking the retraction's derivative for the identity costs a term of first order in eta."""
    toy, errors = Toy(wavy, judged, sphere=True), []
    for eta in (1e-2, 1e-3):
        correction = toy.exact(eta) - toy.exact(0.0)
        plain = toy.exact(0.0) - second_order_gradient(toy, TRAINING, VALIDATION, eta=eta)[0]
        errors.append(float((plain + correction).norm() / correction.norm()))
    assert errors[0] < 0.2
    assert errors[1] < 0.02


@pytest.mark.parametrize("clip", [None, 0.01])
def test_nothing_moves_but_what_is_returned(clip: float | None) -> None:
    toy = Toy(wavy, judged, sphere=True)
    before: dict[str, Any] = {name: t.clone() for name, t in toy.model.state_dict().items()}
    second_order_gradient(toy, TRAINING, VALIDATION, eta=0.1, clip=clip)
    first_order_gradient(toy, VALIDATION)
    assert all(torch.equal(before[name], t) for name, t in toy.model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in toy.model.parameters())


def test_clipping_shortens_the_step_looked_ahead() -> None:
    toy = Toy(quadratic, judged)
    w, a = (p.detach().requires_grad_() for p in toy.model.parameters())
    norm = torch.autograd.grad(quadratic(w, a), w)[0].norm().item()
    clipped = second_order_gradient(toy, TRAINING, VALIDATION, eta=0.1, clip=norm / 4)
    assert distance(clipped, toy.exact(0.1 / 4)) < 1e-6
