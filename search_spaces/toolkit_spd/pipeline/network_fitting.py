"""How the networks of a pipeline are fitted, once its representation is.

Class means and logistic regressions are closed forms that two of them start at or rest on; whatever
is random comes from torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from ..functional.spectral import LOG, decompose_positive, power_function, spectral
from ..manifolds import StiefelParameter
from ..optim import RiemannianAdam
from .bimap import BiMapClassifier
from .class_tangent import ClassTangentRegression
from .fitting import frechet_mean_of
from .representation import congruent_logarithms
from .tangent_mlp import TangentMlp, scores_of_each

if TYPE_CHECKING:
    from torch.nn import Parameter

ABSENT = -1000.0
"""Score of a class without a training sample."""
_BATCH, _STEPS_AN_EPOCH = 32, 20
_MLP_EPOCHS, _MLP_RATE, _MLP_DECAY, _DROPOUT, _MIX = 60, 1e-3, 0.01, 0.5, 0.4
_MLP_STEPS = 540
"""Fewest steps of a perceptron: those of its epochs on 288 samples."""
_BIMAP_EPOCHS, _BIMAP_RATE = 30, 3e-3
_ITERATIONS = 200


def fit_mlp(model: TangentMlp, vectors: Tensor, labels: Tensor) -> None:
    r"""Fit perceptrons to vectors (N, d) with labels (N,).

    Each sees batches of its own, in which two samples and their labels are mixed by
    :math:`\lambda \sim \mathrm{Beta}(0.4, 0.4)` (Zhang et al., ICLR 2018): between vectors that are
    logarithms, that is along a log-Euclidean geodesic.
    """
    x, members = model.entries(vectors), len(model.hidden)
    targets = one_hot(labels, model.config["classes"]).to(x.dtype)
    weights = [_drawn_like(each, model.hidden.shape[1]) for each in model.weights[:2]]
    weights += [_drawn_like(each, model.output.shape[1]) for each in model.weights[2:]]
    optimizer = torch.optim.AdamW(weights, lr=_MLP_RATE, weight_decay=_MLP_DECAY, fused=True)
    mixture = torch.distributions.Beta(_MIX, _MIX)
    with torch.enable_grad():
        steps = math.ceil(len(x) / _batch_size(len(x)))
        for _ in _cosine(optimizer, max(_MLP_EPOCHS, math.ceil(_MLP_STEPS / steps))):
            for batch in _batches(len(x), members, x.device):
                share = mixture.sample(batch.shape).to(x).unsqueeze(-1)
                other = batch[:, torch.randperm(batch.shape[1], device=x.device)]
                mixed = share * x[batch] + (1 - share) * x[other]
                wanted = share * targets[batch] + (1 - share) * targets[other]
                scores = scores_of_each(mixed, weights, _DROPOUT)
                # The members share no weight: the sum of their means gives each its own gradient.
                loss = -(wanted * scores.log_softmax(-1)).sum(-1).mean(1).sum()
                _step(optimizer, loss)
    _set(model.weights, weights)
    model.output_bias[..., _absent(labels, model.config["classes"])] = ABSENT


@torch.no_grad()
def fit_class_tangents(
    model: ClassTangentRegression, x: Tensor, labels: Tensor, penalty: float, power: float
) -> None:
    """Fit base points and regression to whitened matrices (N, channels, n, n) with labels (N,).

    Parameters
    ----------
    model, x, labels
        What is fitted, and to what.
    penalty : float
        C of the regression, as scikit-learn has it, on vectors of unit mean square norm.
    power : float
        How far each base point goes from the identity to the class's mean.
    """
    classes = model.config["classes"]
    absent, root = _absent(labels, classes), power_function(-power / 2)
    for label in torch.nonzero(~absent).flatten().tolist():
        mean = frechet_mean_of(x[labels == label].transpose(0, 1))
        model.whiteners[label] = spectral(mean, root, decomposition=decompose_positive(mean))[0]
    seen = torch.stack([congruent_logarithms(own, x) for own in model.whiteners], 1)
    center = seen.mean(0)
    seen -= center
    scale = _norm(seen.flatten(0, 1))
    seen /= scale
    weight, bias = _regression(seen, labels, penalty, absent)
    model.weight.copy_(weight / scale)
    model.bias.copy_(torch.where(absent, ABSENT, bias - (model.weight * center).sum(1)))


def fit_bimap(model: BiMapClassifier, x: Tensor, labels: Tensor, penalty: float) -> None:
    r"""Fit the map and the classifier to whitened matrices (N, channels, n, n), labels (N,).

    W begins at the leading eigenvectors of :math:`\sum_k p_k (\overline{\log Z}_k)^2`, in which the
    classes' means differ most, A at the logistic regression there, and both go on by Riemannian
    Adam on its loss, penalty included.
    """
    classes = model.config["classes"]
    absent, batch = _absent(labels, classes), _batch_size(len(x))
    with torch.no_grad():
        (logarithms,) = spectral(x, LOG, decomposition=decompose_positive(x))
        spread = torch.zeros_like(x[0])
        for label in torch.nonzero(~absent).flatten().tolist():
            own = logarithms[labels == label]
            spread += len(own) / len(x) * own.mean(0) @ own.mean(0)
        leading = torch.linalg.eigh(spread).eigenvectors.flip(-1)[..., : model.map.shape[-1]]
        begin = congruent_logarithms(leading.mT, x)
        center = begin.mean(0)
        scale = _norm(begin - center)
        started = _regression(((begin - center) / scale).unsqueeze(1), labels, penalty, absent)
    weight, bias = (each.requires_grad_() for each in started)
    bilinear: Parameter = StiefelParameter(leading.contiguous())
    optimizer = RiemannianAdam([bilinear, weight, bias], lr=_BIMAP_RATE)
    with torch.enable_grad():
        for _ in _cosine(optimizer, _BIMAP_EPOCHS):
            for chosen in torch.randperm(len(x), device=x.device).split(batch):
                own = (congruent_logarithms(bilinear.mT, x[chosen]) - center) / scale
                scores = own @ weight.mT + torch.where(absent, ABSENT, bias)
                penalised = weight.square().sum() / (2 * penalty * len(x))
                _step(optimizer, cross_entropy(scores, labels[chosen]) + penalised)
    _set([model.map, model.weight], [bilinear, weight / scale])
    with torch.no_grad():
        shifted = bias - model.weight @ center
        model.bias.copy_(torch.where(absent, ABSENT, shifted))


def _regression(
    seen: Tensor, labels: Tensor, penalty: float, absent: Tensor
) -> tuple[Tensor, Tensor]:
    """Weights (classes, d) and biases (classes,) of penalised multinomial regression by L-BFGS.

    Vectors (N, classes, d) may differ from class to class, or be (N, 1, d).
    """
    weight = seen.new_zeros(len(absent), seen.shape[-1]).requires_grad_()
    bias = seen.new_zeros(len(absent)).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_ITERATIONS,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        same = seen.shape[1] == 1
        scores = seen[:, 0] @ weight.mT if same else torch.einsum("nkd,kd->nk", seen, weight)
        found = cross_entropy(scores + torch.where(absent, ABSENT, bias), labels)
        found = found + weight.square().sum() / (2 * penalty * len(seen))
        found.backward()
        return found

    with torch.enable_grad():
        optimizer.step(loss)
    return weight.detach(), bias.detach()


def _norm(vectors: Tensor) -> Tensor:
    """The root mean square norm of vectors (N, d); 1 where all are zero."""
    found = vectors.square().sum(-1).mean().sqrt()
    return torch.where(found > 0, found, torch.ones_like(found))


def _absent(labels: Tensor, classes: int) -> Tensor:
    return torch.bincount(labels, minlength=classes) == 0


def _batch_size(count: int) -> int:
    return max(_BATCH, math.ceil(count / _STEPS_AN_EPOCH))


def _batches(count: int, members: int, device: torch.device) -> Iterator[Tensor]:
    """Indices (members, n) of every sample once for each member, in an order of its own."""
    order = torch.stack([torch.randperm(count, device=device) for _ in range(members)])
    yield from order.split(_batch_size(count), 1)


def _cosine(optimizer: torch.optim.Optimizer, epochs: int) -> Iterator[int]:
    """Set the rates of each epoch, from the first to zero along half a cosine."""
    (first,) = {group["lr"] for group in optimizer.param_groups}
    for epoch in range(epochs):
        rate = first * (1 + math.cos(math.pi * epoch / epochs)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        yield epoch


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _drawn_like(weight: Tensor, inputs: int) -> Tensor:
    """Weights to begin with, as torch's linear layers of so many inputs have them."""
    bound = inputs**-0.5
    return torch.empty_like(weight).uniform_(-bound, bound).requires_grad_()


@torch.no_grad()
def _set(weights: list[Tensor], learned: list[Tensor]) -> None:
    for weight, value in zip(weights, learned, strict=True):
        weight.copy_(value)
