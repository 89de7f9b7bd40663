r"""Discriminant spectrum of a labelled batch, in closed form, without any SVD.

Notation: :math:`X_t` (n, d) are the rows centred by the total mean, each times
:math:`\sqrt{w_i}`; :math:`Y` (n, C) has :math:`\sqrt{w_i / m_c}` where row i is of class c, with
the class masses :math:`m_c`, and orthonormal columns (zero ones for absent classes);
:math:`r_c = \sqrt{m_c / \sum m}`; :math:`S_w, S_b` are the sums of squares within and between
classes; :math:`\tau = \mathrm{tr}(S_w + S_b)`.

The contrasts of Foley-Sammon analysis, the vectors constant on classes and of zero sum, are the
columns of :math:`Y` without the direction :math:`Y r`. Both sides below therefore give a C x C
matrix whose spectrum on the complement of :math:`r` and of absent classes is the wanted one, and
neutral elsewhere. No shape depends on which classes are present, so a GPU need not be waited for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

RETRIES = 24
"""Times the ridge is multiplied by 10 before a factorisation that still fails is given up."""


class Contrasts(NamedTuple):
    """What the labels alone say of a batch.

    Attributes:
        roots: (n,) square roots of the samples' weights; 0 for those left out.
        basis: (n, C) orthonormal indicator columns :math:`Y`.
        direction: (C,) the unit vector :math:`r`.
        present: (C,) 1 where a class has at least two samples, else 0.
        mass: () total weight of the samples that count.
    """

    roots: Tensor
    basis: Tensor
    direction: Tensor
    present: Tensor
    mass: Tensor

    @property
    def number(self) -> Tensor:
        """() number of contrasts, one less than the classes present."""
        return self.present.sum() - 1


def contrasts(labels: Tensor, classes: int, dtype: torch.dtype, *, balance: bool) -> Contrasts:
    """Weights and class indicators of a batch.

    Classes with a single sample are left out: one sample has no scatter.

    Parameters
    ----------
    labels : (n,) int64 from 0 to classes - 1
    classes : number of classes C
    dtype : of the result
    balance : give every class the same mass, :math:`w_i = n / (C' N_c)`, instead of its count
    """
    indicator = torch.nn.functional.one_hot(labels, classes).to(dtype)
    counts = indicator.sum(0)
    present = (counts >= 2).to(dtype)
    kept = counts * present
    total = kept.sum()
    weights = present
    if balance:
        weights = present * total / (present.sum() * counts).clamp_min(1)
    masses = weights * counts
    safe = masses + (1 - present)
    basis = indicator * (present * (weights / safe).sqrt())
    roots = indicator @ weights.sqrt()
    direction = (masses / total.clamp_min(1)).sqrt()
    return Contrasts(roots, basis, direction, present, total)


def centre(features: Tensor, labels: Contrasts) -> Tensor:
    """:math:`X_t` (n, d): rows less their weighted mean, times the roots of their weights."""
    weights = labels.roots.square()
    mean = weights @ features / labels.mass.clamp_min(1)
    return labels.roots[:, None] * (features - mean)


def inverse_spectrum(centred: Tensor, labels: Contrasts, ridge: Tensor) -> tuple[Tensor, Tensor]:
    r"""Gram side, for n <= d: :math:`M = Y^\top (X_t X_t^\top + \delta I)^{-1} Y` (C, C).

    On the contrasts its eigenvalues are :math:`1 / s_k`; on :math:`r` and for absent classes 0.
    Cost: n^2 d / 2 + n^3 / 6 + n^2 C multiply-adds, backward 2 n C d + n C^2. As
    :math:`\delta \to 0` with n - 1 <= d, :math:`s_k / (n - 1)` are the eigenvalues of the null
    Foley-Sammon transform (Guo et al., 2006).

    Returns
    -------
    The matrix and the ridge that was used: :math:`\delta`, or more where rounding demanded it.
    """
    matrix, raised = _InverseSpectrum.apply(centred, labels.basis, labels.roots, ridge)
    r = labels.direction
    along = matrix @ r
    matrix = matrix - along[:, None] * r - r[:, None] * (along - (r @ along) * r)
    return matrix, ridge * raised


def ratio_spectrum(centred: Tensor, labels: Contrasts, ridge: Tensor) -> tuple[Tensor, Tensor]:
    r"""Feature side, for n > d: :math:`F = B^\top (S_w + \delta I)^{-1} B`, :math:`B = X_t^\top Y`.

    Its eigenvalues on the contrasts are :math:`\nu_k`, the generalised eigenvalues of
    :math:`(S_b, S_w + \delta I)`, with :math:`s_k = \delta (1 + \nu_k)` by the Woodbury identity;
    0 elsewhere. This is the objective matrix of Deep LDA (Dorfer et al., ICLR 2016). Cost:
    n d^2 / 2 + d^3 / 6 + d^2 C multiply-adds, backward 2 n C d + n C^2.

    Returns
    -------
    The matrix and the ridge that was used: :math:`\delta`, or more where rounding demanded it.
    """
    matrix, raised = _RatioSpectrum.apply(centred, labels.basis, ridge)
    return matrix, ridge * raised


class _InverseSpectrum(torch.autograd.Function):
    """Gram side with its own backward: dM = -A' dG A, no factorisation is differentiated."""

    @staticmethod
    def forward(
        ctx: Any, centred: Tensor, basis: Tensor, roots: Tensor, ridge: Tensor
    ) -> tuple[Tensor, Tensor]:
        gram = centred @ centred.T
        # The kernel vector of the centred Gram matrix is lifted; it is orthogonal to contrasts.
        # Rows that do not count are zero and get the ridge alone.
        lift = gram.diagonal().mean() / roots.square().sum().clamp_min(1)
        gram = gram + (lift * roots)[:, None] * roots
        factor, raised = factorize(gram, ridge)
        solved = torch.cholesky_solve(basis, factor)
        ctx.save_for_backward(centred, solved, raised)
        ctx.mark_non_differentiable(raised)
        return basis.T @ solved, raised

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        centred, solved, raised = ctx.saved_tensors
        gradient = gradients[0]
        both = gradient + gradient.T
        to_centred = -(solved @ (both @ (solved.T @ centred)))
        to_ridge = -(gradient * (solved.T @ solved)).sum() * raised
        return to_centred, None, None, to_ridge


class _RatioSpectrum(torch.autograd.Function):
    """Feature side with its own backward: the ridge residual times the coefficients.

    With U = (S_w + ridge)^-1 B and S = g + g', dL/dX_t = (Y - X_w U) S U', dL/dridge = -<g, U'U>.
    """

    @staticmethod
    def forward(ctx: Any, centred: Tensor, basis: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
        between = basis.T @ centred
        within = centred - basis @ between
        factor, raised = factorize(within.T @ within, ridge)
        solved = torch.cholesky_solve(between.T, factor)
        ctx.save_for_backward(within, basis, solved, raised)
        ctx.mark_non_differentiable(raised)
        return between @ solved, raised

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        within, basis, solved, raised = ctx.saved_tensors
        gradient = gradients[0]
        both = gradient + gradient.T
        residual = basis - within @ solved
        to_centred = (residual @ both) @ solved.T
        to_ridge = -(gradient * (solved.T @ solved)).sum() * raised
        return to_centred, None, to_ridge


def factorize(matrix: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    """Lower Cholesky factor of a positive semidefinite `matrix` plus `ridge` on its diagonal.

    Where rounding makes it indefinite, the ridge is raised. On the CPU it is multiplied by 10
    until the factorisation succeeds. Elsewhere looking at the outcome would stall the device, so a
    second factorisation is made whose ridge, where the first failed, exceeds the rounding error
    (n eps times the trace), and no value travels back.

    Returns
    -------
    The factor (NaN where `matrix` is not finite) and how many times `ridge` was used, mostly 1.
    """
    if matrix.device.type == "cpu":
        return _factorize_watched(matrix, ridge)
    return _factorize_unwatched(matrix, ridge)


def _factorize_watched(matrix: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    raised = torch.ones_like(ridge)
    for _ in range(RETRIES):
        factor, info = torch.linalg.cholesky_ex(_on_diagonal(matrix, ridge * raised))
        if not info.any():
            return factor, raised
        raised = raised * 10
    return torch.full_like(matrix, torch.nan), raised


def _factorize_unwatched(matrix: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    _, info = torch.linalg.cholesky_ex(_on_diagonal(matrix, ridge))
    rounding = 4 * len(matrix) * torch.finfo(matrix.dtype).eps * matrix.diagonal().sum()
    raised = torch.where(info > 0, (rounding / ridge).clamp_min(10), torch.ones_like(ridge))
    return torch.linalg.cholesky_ex(_on_diagonal(matrix, ridge * raised))[0], raised


def _on_diagonal(matrix: Tensor, value: Tensor) -> Tensor:
    moved = matrix.clone()
    moved.diagonal().add_(value)
    return moved
