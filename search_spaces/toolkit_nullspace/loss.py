r"""The loss of NullSpaceNet, closed form and free of the features' scale.

Abdelpakey and Shehata, "NullSpaceNet" (arXiv 2004.12058), ask for features in whose joint null
space (variance between classes, none within) the classes lie far apart. With the spectrum
:math:`s_k` of `functional`, the ridge :math:`\delta = \rho \tau / n` and K = C' - 1 contrasts:

``log``
    :math:`-\frac1K \sum_k \log \frac{K s_k}{\tau + K \delta} \ge 0`, zero exactly where every class
    is one point and the points are a regular simplex (neural collapse NC1 and NC2 of Papyan, Han
    and Donoho, 2020).
``min``
    the same with the smallest :math:`s_k` alone.
``ratio``
    :math:`-\sum_k s_k / \tau`, in [-(1 + K rho / n), 0].
``raw``
    minus the mean of those :math:`\mu_k = s_k / (n - 1)` that are at most the smallest plus 1. Not
    free of scale: inflating the features wins it, so bound them (batch norm without weights, or
    rows of unit length).
``reference``
    ``raw`` as published: vanishing ridge, and `shift` (the published lambda) taken off each
    :math:`\mu_k`. Needs n <= d, where the null space exists.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from toolkit_nullspace.functional import (
    Contrasts,
    centre,
    contrasts,
    inverse_spectrum,
    ratio_spectrum,
)

Objective = Literal["log", "min", "ratio", "raw", "reference"]
Side = Literal["auto", "gram", "feature"]

VANISHING = {torch.float32: 1e-6, torch.float64: 1e-10}
"""Ridge, relative to the mean squared row, that stands for none at all."""


def nullspace_loss(
    features: Tensor,
    labels: Tensor,
    classes: int,
    *,
    objective: Objective = "log",
    rho: float = 1.0,
    balance: bool = False,
    side: Side = "auto",
    shift: float = 0.0,
) -> Tensor:
    r"""Loss of a batch, differentiable in the features.

    Computed in float64 for float64 features and in float32 for all others, outside of autocast.
    A batch with fewer than two classes of at least two samples, or whose features are all equal,
    says nothing: its loss is 0 with a zero gradient.

    Parameters
    ----------
    features : (n, d)
    labels : (n,) int64 from 0 to classes - 1; any classes may be missing
    classes : number of classes C
    objective : see the module
    rho : ridge relative to the mean squared length of the centred rows, above 0
    balance : give every class of the batch the same weight
    side : where to solve, n x n (`gram`) or d x d (`feature`); by default the smaller
    shift : taken off each eigenvalue of `reference`

    Returns
    -------
    Scalar tensor; NaN if a feature is not finite.
    """
    with torch.autocast(features.device.type, enabled=False):
        values = features if features.dtype == torch.float64 else features.float()
        if labels.device.type == "cpu":
            # Absent classes cost nothing; elsewhere, finding them would stall the device.
            found, labels = torch.unique(labels, return_inverse=True)
            classes = len(found)
        batch = contrasts(labels, classes, values.dtype, balance=balance)
        scale = _scale(values)
        centred = centre(values / scale, batch)
        tau = centred.square().sum()
        speaks = (batch.number >= 1) & (tau > 0) | ~tau.isfinite()
        if objective == "reference":
            rho = VANISHING[values.dtype]
        # Where nothing is said, ones keep the unused value and its gradient finite.
        tau = torch.where(speaks, tau, 1.0)
        ridge = torch.where(speaks, rho * tau / batch.mass.clamp_min(1), 1.0)
        if side == "auto":
            side = "gram" if len(values) <= values.shape[1] else "feature"
        if objective == "log":
            value = _log(centred, batch, tau, ridge, side)
        else:
            spectrum, real, ridge = _spectrum(centred, batch, ridge, side)
            unit = scale.square() / (batch.mass - 1).clamp_min(1)
            count = batch.number.clamp_min(1)
            value = _of_spectrum(spectrum, real, ridge, count, tau, objective, unit, shift)
        return torch.where(speaks, value, features.sum().to(value.dtype) * 0)


class NullSpaceLoss(nn.Module):
    """`nullspace_loss` with its settings; `rho` may be changed between steps."""

    def __init__(
        self,
        classes: int,
        objective: Objective = "log",
        rho: float = 1.0,
        *,
        balance: bool = False,
        side: Side = "auto",
        shift: float = 0.0,
    ) -> None:
        super().__init__()
        if objective not in get_args(Objective):
            raise ValueError(f"objective is {objective!r}, not one of {get_args(Objective)}")
        if not (rho > 0 and math.isfinite(rho)):
            raise ValueError(f"rho is {rho}, but must be a positive number")
        self.classes, self.objective, self.rho = classes, objective, rho
        self.balance, self.side, self.shift = balance, side, shift

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        return nullspace_loss(
            features,
            labels,
            self.classes,
            objective=self.objective,
            rho=self.rho,
            balance=self.balance,
            side=self.side,
            shift=self.shift,
        )


def discriminant_spectrum(
    features: Tensor, labels: Tensor, classes: int, rho: float, *, side: Side = "auto"
) -> Tensor:
    r""":math:`s_k` of a batch whose every class counts (at least two samples), ascending.

    Parameters
    ----------
    features : (n, d)
    labels : (n,) int64 from 0 to classes - 1
    """
    batch = contrasts(labels, classes, features.dtype, balance=False)
    centred = centre(features, batch)
    ridge = rho * centred.square().sum() / batch.mass
    if side == "auto":
        side = "gram" if len(features) <= features.shape[1] else "feature"
    spectrum, real, _ = _spectrum(centred, batch, ridge, side)
    return spectrum[real]


def _scale(values: Tensor) -> Tensor:
    """Largest magnitude, a constant: makes tiny and huge features computable in float32."""
    largest = values.detach().abs().amax()
    return torch.where(largest > 0, largest, 1.0)


def _log(centred: Tensor, batch: Contrasts, tau: Tensor, ridge: Tensor, side: Side) -> Tensor:
    """The objective `log` through log-determinants: no eigenvalue is needed."""
    count = batch.number.clamp_min(1)
    if side == "gram":
        matrix, ridge = inverse_spectrum(centred, batch, ridge)
        # Ones on the directions that are no contrast, so that they do not count.
        r = batch.direction
        minus_sum = _logdet(ridge * matrix + torch.diag(1 - batch.present) + r[:, None] * r)
    else:
        matrix, ridge = ratio_spectrum(centred, batch, ridge)
        minus_sum = -_logdet(matrix + torch.eye(len(matrix), dtype=tau.dtype, device=tau.device))
    # minus_sum is -sum log(s_k / ridge), so the ridge's own logarithm is in both terms or neither.
    return minus_sum / count + ((tau / ridge + count) / count).log()


def _logdet(matrix: Tensor) -> Tensor:
    factor, _ = torch.linalg.cholesky_ex(matrix)
    return 2 * factor.diagonal().log().sum()


def _spectrum(
    centred: Tensor, batch: Contrasts, ridge: Tensor, side: Side
) -> tuple[Tensor, Tensor, Tensor]:
    """All s_k, ascending, infinity where there is no contrast; which are real; the ridge used."""
    if side == "gram":
        matrix, ridge = inverse_spectrum(centred, batch, ridge)
    else:
        matrix, ridge = ratio_spectrum(centred, batch, ridge)
    # Contrasts have the largest eigenvalues on both sides: the others are zero.
    eigenvalues = _eigenvalues(matrix).flip(0)
    real = torch.arange(len(eigenvalues), device=eigenvalues.device) < batch.number
    if side == "gram":
        spectrum = 1 / torch.where(real, eigenvalues, 1.0)
        return torch.where(real, spectrum, torch.inf), real, ridge
    spectrum = torch.where(real, ridge * (1 + eigenvalues), -torch.inf).flip(0)
    real = real.flip(0)
    return torch.where(real, spectrum, torch.inf), real, ridge


def _eigenvalues(matrix: Tensor) -> Tensor:
    """Ascending eigenvalues; NaN, not an exception, where the matrix is not finite."""
    finite = matrix.isfinite().all()
    safe = torch.where(finite, matrix, torch.zeros_like(matrix))
    return torch.where(finite, torch.linalg.eigvalsh(safe), torch.nan)


def _of_spectrum(
    spectrum: Tensor,
    real: Tensor,
    ridge: Tensor,
    count: Tensor,
    tau: Tensor,
    objective: Objective,
    unit: Tensor,
    shift: float,
) -> Tensor:
    """Every objective but `log`; `unit` turns an s_k into the published eigenvalue."""
    if objective == "min":
        smallest = torch.where(real.any(), spectrum.amin(), 1.0)
        return ((tau + count * ridge) / (count * smallest)).log()
    if objective == "ratio":
        return -torch.where(real, spectrum, 0.0).sum() / tau
    eigenvalues = torch.where(real, spectrum, 0.0) * unit
    if objective == "reference":
        eigenvalues = eigenvalues - shift
    smallest = torch.where(real, eigenvalues, torch.inf).detach().amin()
    kept = real & ~(eigenvalues > smallest + 1)
    return -torch.where(kept, eigenvalues, 0.0).sum() / kept.sum().clamp_min(1)
