"""Gradients of the two levels: weights on training data, architecture on validation data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from toolkit.contracts import Supernet
from toolkit.training.batches import Batch

Tensors = list[torch.Tensor]

RADIUS = 0.01
"""Length of the finite-difference step, as in DARTS (Liu et al., ICLR 2019, section 2.3)."""

TINY = 1e-12
"""Norm below which a direction counts as zero."""


def weight_gradient(supernet: Supernet, batch: Batch) -> tuple[torch.Tensor, Tensors]:
    """Loss of a batch and its Euclidean gradient in the weights; the architecture is a constant."""
    with constant(supernet.architecture_parameters()):
        loss = supernet.loss(batch)
        return loss.detach(), _gradient(loss, supernet.weight_parameters())


def first_order_gradient(supernet: Supernet, batch: Batch) -> Tensors:
    r"""Gradient of the validation loss in the architecture, the weights taken as they are.

    .. math:: \nabla_\alpha L_{val}(w, \alpha)
    """
    with constant(supernet.weight_parameters()), untouched_buffers(supernet.model):
        return _gradient(supernet.loss(batch), supernet.architecture_parameters())


def second_order_gradient(
    supernet: Supernet, training: Batch, validation: Batch, eta: float, clip: float | None = None
) -> Tensors:
    r"""Gradient of the validation loss in the architecture after one weight step looked ahead.

    With :math:`R_w(\xi)` the retraction that :meth:`Supernet.move` performs on every parameter's
    manifold,

    .. math::
        w' &= R_w(-\eta \nabla_w L_{train}(w, \alpha)), \qquad
        v = \nabla_{w'} L_{val}(w', \alpha), \qquad r = 0.01 / \|v\|, \\
        w^\pm &= R_w(\pm r v), \\
        g &= \nabla_\alpha L_{val}(w', \alpha) - \frac{\eta}{2 r}
             (\nabla_\alpha L_{train}(w^+, \alpha) - \nabla_\alpha L_{train}(w^-, \alpha)).

    The difference approximates :math:`\nabla^2_{\alpha, w} L_{train} \, P_w v` with :math:`P_w` the
    map from Euclidean to Riemannian gradient at w, which is self-adjoint: the chain rule through
    w'. All weights, and all buffers, are as before when it returns.

    Parameters
    ----------
    eta : float
        Size of the step looked ahead.
    clip : float or None
        As in the weight step, the training gradient is scaled down to this norm; the scale counts
        as a constant.

    References
    ----------
    Liu, Simonyan, Yang: DARTS, ICLR 2019, eq. 7 and 8; on manifolds: Sukthanker et al., IJCAI
    2021, section 3.
    """
    weights, architecture = supernet.weight_parameters(), supernet.architecture_parameters()
    with untouched_buffers(supernet.model), restored(weights) as restore:
        _, ahead = weight_gradient(supernet, training)
        scale = _scale(ahead, clip)
        supernet.move([part * scale for part in ahead], eta)
        both = _gradient(supernet.loss(validation), [*weights, *architecture])
        direction, gradient = both[: len(weights)], both[len(weights) :]
        restore()
        norm = _norm(direction)
        unit = [part / norm.clamp(min=TINY) for part in direction]
        sides = []
        for sign in (-1.0, 1.0):  # `move` goes against its direction
            supernet.move(unit, sign * RADIUS)
            with constant(weights):
                sides.append(_gradient(supernet.loss(training), architecture))
            restore()
    factor = eta * scale * norm / (2 * RADIUS)
    return [
        at - (factor * (plus - minus)).to(at.dtype)
        for at, plus, minus in zip(gradient, *sides, strict=True)
    ]


@contextmanager
def constant(parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Take parameters as constants meanwhile; saves the work of their gradients."""
    before = [parameter.requires_grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, needed in zip(parameters, before, strict=True):
            parameter.requires_grad_(needed)


@contextmanager
def untouched_buffers(model: torch.nn.Module) -> Iterator[None]:
    """Undo what passes inside do to buffers such as running means: only training may move them."""
    copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(copies[name])


@contextmanager
def restored(parameters: Sequence[torch.nn.Parameter]) -> Iterator[Callable[[], None]]:
    """Put parameters back bit for bit at the end, and whenever the yielded function is called."""
    copies = [parameter.detach().clone() for parameter in parameters]

    def restore() -> None:
        with torch.no_grad():
            for parameter, copy in zip(parameters, copies, strict=True):
                parameter.copy_(copy)

    try:
        yield restore
    finally:
        restore()


def _gradient(loss: torch.Tensor, parameters: Sequence[torch.Tensor]) -> Tensors:
    """Gradient of a loss, zero where a parameter had no part in it."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return list(found)


def _norm(tensors: Tensors) -> torch.Tensor:
    """Norm of all tensors as one vector; stays on the device, so a GPU need not wait."""
    return torch.nn.utils.get_total_norm(tensors)


def _scale(gradient: Tensors, clip: float | None) -> torch.Tensor:
    """What `clip_grad_norm_` would multiply a gradient by."""
    norm = _norm(gradient)
    return torch.ones_like(norm) if clip is None else (clip / (norm + 1e-6)).clamp(max=1.0)
