"""How a pipeline is fitted: means and scales of the training part, then a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..functional.karcher import karcher_step
from ..functional.means import frechet_mean
from ..functional.spectral import EXP, LOG, decompose_positive, spectral, sym_inverse_sqrt
from .classifier import KERNEL, LINEAR, NEIGHBORS, PipelineClassifier
from .mdm import MinimumDistance
from .representation import Given, Representation, inverse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .selection import Candidate, Chosen

_STEPS, _SETTLED = 6, 1e-4
"""Most Karcher steps to a mean that vectors are taken at, and the relative one that is the last."""
_MEAN_STEPS, _MEAN_SETTLED = 30, 1e-8
"""The same of class means, distances to which are compared."""
_FLAT = 1e-9
"""Relative standard deviation below which an entry is constant but for rounding."""


@torch.no_grad()
def fit_representation(model: Representation, given: Given, mean: str, standardize: bool) -> Tensor:
    """Fit everything that is no classifier to inputs; return them as vectors (N, d).

    Parameters
    ----------
    model : Representation
        What is fitted.
    given : Given
        What it takes of the inputs of the training part.
    mean : str
        The mean that `affine_invariant` whitens by, `karcher`, `log_euclidean` or `arithmetic`.
    standardize : bool
        Whether each entry is divided by its standard deviation.
    """
    _fit_row_scale(model, given)
    covariance, means = model.covariances(given)
    if model.spec["norm"] == "deviation":
        model.deviation.copy_(covariance.diagonal().mean(0).sqrt())
    normal, means = model.normalize(covariance, means)
    if model.spec["components"] < model.spec["n"]:
        vectors = torch.linalg.eigh(normal.mean()).eigenvectors
        model.basis.copy_(vectors.flip(-1)[..., : model.spec["components"]])
    lifted = model.recentre(model.lift(normal, means), given.groups)
    if model.spec["representation"] == "affine_invariant":
        model.whitener.copy_(sym_inverse_sqrt(frechet_mean_of(lifted.transpose(0, 1), mean)))
    vectors = model.vectors(lifted, given.groups)
    model.center.copy_(vectors.mean(0))
    vectors = vectors - model.center
    factor = torch.ones_like(model.center)
    if standardize:
        deviation = vectors.square().mean(0).sqrt()
        factor = inverse(torch.where(deviation > _FLAT * deviation.amax(), deviation, 0.0))
    spread = (vectors * factor).square().sum(-1).mean(0).sqrt()
    factor = factor * inverse(spread).unsqueeze(-1) / len(factor) ** 0.5
    model.factor.copy_(factor)
    return (vectors * factor).flatten(1)


def _fit_row_scale(model: Representation, given: Given) -> None:
    """Divide positions by their root mean square deviation, and velocities by theirs.

    Means are taken relative to their mean; an affine-invariant metric does not see it.
    """
    spec = model.spec["rows"]
    if spec is None:
        return
    variance = given.moments.covariance.diagonal(dim1=-2, dim2=-1).mean((0, 1))
    scale, size = torch.ones_like(variance), spec["size"]
    for begin in range(0, size * (2 if spec["velocities"] else 1), size):
        scale[begin : begin + size] = inverse(variance[begin : begin + size].mean().sqrt())
    model.row_scale[0].copy_(scale)
    model.row_center[0].copy_(given.moments.mean.mean((0, 1)) * scale)


def fit_pipeline(
    model: PipelineClassifier,
    given: Given,
    labels: Tensor,
    families: Sequence[str],
    mean: str = "karcher",
    standardize: bool = False,
    groups: NDArray[Any] | None = None,
    decided: Candidate | None = None,
) -> None:
    """Fit a pipeline to what it takes of inputs with labels (N,), of two classes or more.

    The classifier is the one that is decided, or else the best of some families, see
    `toolkit_spd.pipeline.selection.choose`.
    """
    from .selection import choose

    vectors = fit_representation(model.representation, given, mean, standardize)
    truth = labels.cpu().numpy()
    arrays = vectors.cpu().numpy(), truth
    chosen = choose(*arrays, model.classes, families, groups, decided)
    set_classifier(model, chosen, vectors)


@torch.no_grad()
def set_classifier(model: PipelineClassifier, chosen: Chosen, vectors: Tensor) -> None:
    """Give a pipeline a classifier that was fitted to vectors (N, d)."""
    from .candidates import Kernel, Linear

    fitted = chosen.model
    if isinstance(fitted, Linear):
        model.set_head(LINEAR, 0)
        weight, bias, setting = fitted.weight, fitted.bias, 0.0
    elif isinstance(fitted, Kernel):
        model.set_head(KERNEL, len(vectors))
        weight, bias, setting = fitted.weight, fitted.bias, fitted.gamma
    else:
        model.set_head(NEIGHBORS, len(vectors))
        weight, bias, setting = fitted.members, None, float(fitted.count)
    if len(model.support):
        model.support.copy_(vectors)
    model.weight.copy_(torch.from_numpy(weight))
    if bias is not None:
        model.bias.copy_(torch.from_numpy(bias))
    model.setting.fill_(setting)
    model.sharpness.fill_(chosen.sharpness)


@torch.no_grad()
def fit_means(model: MinimumDistance, given: Given, labels: Tensor) -> None:
    """Fit the mean of each class to what was taken of inputs; a class may have none."""
    _fit_row_scale(model.representation, given)
    prepared = model.representation.matrices(given)
    for label in range(len(model.absent)):
        own = prepared[labels == label]
        model.absent[label] = not len(own)
        if len(own):
            model.whiteners[label] = sym_inverse_sqrt(
                frechet_mean_of(own.transpose(0, 1), "karcher", _MEAN_STEPS, _MEAN_SETTLED)
            )


def frechet_mean_of(
    x: Tensor, kind: str = "karcher", steps: int = _STEPS, settled: float = _SETTLED
) -> Tensor:
    """Return the mean of SPD matrices (channels, N, k, k) over N: (channels, k, k)."""
    if kind == "arithmetic":
        return frechet_mean(x, steps=0)
    (logarithms,) = spectral(x, LOG, decomposition=decompose_positive(x))
    (mean,) = spectral(logarithms.mean(-3), EXP)
    for _ in range(steps if kind == "karcher" else 0):
        before, mean = mean, karcher_step(x, mean)
        moved = torch.linalg.matrix_norm(mean - before) / torch.linalg.matrix_norm(before)
        if float(moved.max()) < settled:
            break
    return mean
