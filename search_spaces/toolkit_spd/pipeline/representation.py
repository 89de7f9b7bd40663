"""SPD matrices as vectors: how a matrix is prepared, and which metric's logarithm is taken."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor, nn

from ..functional.congruence import congruence
from ..functional.karcher import karcher_step
from ..functional.spectral import (
    EXP,
    LOG,
    add_ridge,
    decompose_positive,
    power_function,
    spectral,
    sym_inverse_sqrt,
)
from .rows import (
    Moments,
    RowsSpec,
    estimated_covariance,
    moments,
    scaled_moments,
    unbiased,
)


class RepresentationSpec(TypedDict):
    """What an SPD matrix becomes a vector by.

    Attributes
    ----------
    channels : list of int
        Indices of the channels that are read; of series, those of all bands and windows.
    n : int
        Rows of a matrix.
    rows : RowsSpec or None
        How rows are made of series; None where inputs are matrices.
    estimator : str
        Of series' covariances, `sample`, `oas` or `ledoit_wolf`.
    components : int
        Leading eigenvectors of the mean training covariance that are kept, at most n.
    norm : str
        `none`; `trace`: each matrix to trace n; `correlation`: each to unit diagonal; `deviation`:
        rows divided by their root mean training variance.
    ridge : float
        Multiple of trace / components added to the diagonal.
    mean : float
        Weight b of series' means in [[C + b^2 mm', bm], [bm', 1]]; 0 for C alone.
    recentring : str
        `none`; `matrices`: each group's to the mean I; `vectors`: each group's to the mean 0.
    grouped : bool
        Whether the last channel of an input is the number of its group.
    representation : str
        `affine_invariant`, `log_euclidean`, `power`, `log_cholesky` or `euclidean`.
    exponent : float
        Of `power`; not read by others.
    """

    channels: list[int]
    n: int
    rows: RowsSpec | None
    estimator: str
    components: int
    norm: str
    ridge: float
    mean: float
    recentring: str
    grouped: bool
    representation: str
    exponent: float


class Given(NamedTuple):
    """Inputs before anything that is fitted, and the group of each.

    Attributes
    ----------
    moments : Moments
        Of matrices, their covariances are the matrices themselves, and there are no means.
    groups : Tensor or None
        (N,), where the last channel of an input says it.
    """

    moments: Moments
    groups: Tensor | None

    def of(self, index: Tensor) -> "Given":
        """Return those of some samples."""
        groups = None if self.groups is None else self.groups[index]
        return Given(self.moments.of(index), groups)

    def __len__(self) -> int:
        return len(self.moments.covariance)


class Scaled(NamedTuple):
    """Symmetric matrices D X D, whose products are only taken where they are wanted.

    They are many and large where rows are velocities too, and what is kept of them is small.

    Attributes
    ----------
    x : Tensor
        X (N, channels, n, n).
    scale : Tensor or None
        The diagonal of D, (N, channels, n) or fewer axes; None where it is one.
    """

    x: Tensor
    scale: Tensor | None

    def times(self, scale: Tensor) -> "Scaled":
        """Return the matrices with rows and columns multiplied by `scale` once more."""
        return Scaled(self.x, scale if self.scale is None else self.scale * scale)

    def diagonal(self) -> Tensor:
        """Return their diagonals (N, channels, n)."""
        diagonal = self.x.diagonal(dim1=-2, dim2=-1)
        return diagonal if self.scale is None else diagonal * self.scale.square()

    def matrices(self) -> Tensor:
        """Return them (N, channels, n, n)."""
        if self.scale is None:
            return self.x
        return self.x * self.scale.unsqueeze(-1) * self.scale.unsqueeze(-2)

    def mean(self) -> Tensor:
        """Return their mean (channels, n, n)."""
        if self.scale is None:
            return self.x.mean(0)
        scale = self.scale.expand(self.x.shape[:-1])
        parts = zip(self.x.split(_AT_ONCE), scale.split(_AT_ONCE), strict=True)
        return torch.stack([Scaled(*part).matrices().sum(0) for part in parts]).sum(0) / len(self.x)

    def projected(self, basis: Tensor) -> Tensor:
        """Return B' D X D B (N, channels, k, k) of columns B (channels, n, k)."""
        rows = basis.mT
        return congruence(rows if self.scale is None else rows * self.scale.unsqueeze(-2), self.x)


class Representation(nn.Module):
    r"""Vectors of unit mean square norm on the training part, whose mean is zero.

    - `affine_invariant`: :math:`\log(M^{-1/2} C M^{-1/2})` (Barachant et al., IEEE TBME 2012)
    - `log_euclidean`: :math:`\log C` (Arsigny et al., 2006)
    - `power`: :math:`C^a / a` (Dryden et al., 2009)
    - `log_cholesky`: strict lower part and logarithm of the diagonal of L (Lin, 2019)
    - `euclidean`: C

    Off-diagonal entries of symmetric matrices count :math:`\sqrt 2` times, so that the norm is
    Frobenius's. Groups are recentred without labels (Zanini et al., IEEE TBME 2018), and each by
    the inputs of its own that are given together: what is then said of one depends on the others.
    Numbers are float64, and fitted by `toolkit_spd.pipeline.fitting`.
    """

    def __init__(self, spec: RepresentationSpec) -> None:
        super().__init__()
        self.spec = spec
        channels, n, kept = len(spec["channels"]), spec["n"], spec["components"]
        self.side = kept + (spec["mean"] > 0)
        self.per_channel = self.side * (self.side + 1) // 2

        def fixed(start: Tensor, *leading: int) -> nn.Parameter:
            own = start.to(torch.float64).repeat(*leading, *(1,) * start.dim())
            return nn.Parameter(own, requires_grad=False)

        if spec["rows"] is not None:
            self.row_scale = fixed(torch.ones(n), 1)
            self.row_center = fixed(torch.zeros(n), 1)
        if spec["norm"] == "deviation":
            self.deviation = fixed(torch.ones(n), channels)
        if kept < n:
            self.basis = fixed(torch.eye(n, kept), channels)
        if spec["representation"] == "affine_invariant":
            self.whitener = fixed(torch.eye(self.side), channels)
        self.center = fixed(torch.zeros(self.per_channel), channels)
        self.factor = fixed(torch.ones(self.per_channel), channels)

    @property
    def size(self) -> int:
        """Entries of a vector."""
        return len(self.spec["channels"]) * self.per_channel

    @property
    def transductive(self) -> bool:
        """Whether the vector of an input depends on the others of its group."""
        return self.spec["recentring"] != "none"

    def take(self, x: Tensor) -> Given:
        """Return inputs as they are before anything that is fitted.

        Parameters
        ----------
        x : Tensor
            Matrices (N, n, n) or (N, channels, n, n), or series (N, channels, time); where they
            are grouped, the last channel is the group's number times the identity, or throughout.
        """
        groups = None
        if self.spec["grouped"]:
            groups = x[:, -1].flatten(1)[:, 0].round().long()
            x = x[:, :-1]
        rows = self.spec["rows"]
        if rows is not None:
            return Given(moments(x, rows, self.spec["estimator"] == "ledoit_wolf"), groups)
        matrices = x.to(self.center.dtype)
        matrices = matrices.unsqueeze(1) if matrices.dim() == 3 else matrices
        channels = self.spec["channels"]
        if channels != list(range(matrices.shape[1])):
            matrices = matrices[:, channels]
        none = matrices[:, :0, 0, 0]
        return Given(Moments(none, matrices, none, none), groups)

    def covariances(self, given: Given) -> tuple[Scaled, Tensor | None]:
        """Return covariances (N, channels, n, n) and, of series, means (N, channels, n)."""
        spec, raw = self.spec, given.moments
        if spec["rows"] is None:
            return Scaled(raw.covariance, None), None
        scale = self.row_scale[0]
        mean = raw.mean * scale - self.row_center[0]
        if spec["estimator"] == "sample":  # Shrinkage depends on the scales, and this does not.
            return Scaled(raw.covariance, scale * unbiased(raw.samples).sqrt()[..., None]), mean
        return Scaled(
            estimated_covariance(scaled_moments(raw, scale), spec["estimator"]), None
        ), mean

    def normalize(self, x: Scaled, mean: Tensor | None) -> tuple[Scaled, Tensor | None]:
        """Return covariances and means as normalised."""
        norm = self.spec["norm"]
        if norm == "none":
            return x, mean
        diagonal = x.diagonal()
        if norm == "trace":
            scale = inverse(diagonal.mean(-1, keepdim=True).sqrt()).expand_as(diagonal)
        else:
            least = _FAINT * diagonal.amax(-1, keepdim=True)
            own = torch.where(diagonal > least, diagonal, 0.0).sqrt()
            scale = inverse(own if norm == "correlation" else self.deviation)
        return x.times(scale), None if mean is None else mean * scale

    def lift(self, scaled: Scaled, mean: Tensor | None) -> Tensor:
        """Return the matrices of the components, with ridge and mean (N, channels, side, side)."""
        x = scaled.projected(self.basis) if hasattr(self, "basis") else scaled.matrices()
        if hasattr(self, "basis"):
            mean = None if mean is None else (mean.unsqueeze(-2) @ self.basis).squeeze(-2)
        x = add_ridge(x, self.spec["ridge"] / self.spec["components"])
        weight = self.spec["mean"]
        if mean is None or not weight:
            return x
        column = (weight * mean).unsqueeze(-1)
        upper = torch.cat([x + column @ column.mT, column], -1)
        lower = torch.cat([column.mT, torch.ones_like(column[..., :1, :])], -1)
        return torch.cat([upper, lower], -2)

    def recentre(self, x: Tensor, groups: Tensor | None) -> Tensor:
        """Return matrices (N, channels, side, side) with the mean I of each group."""
        if self.spec["recentring"] != "matrices":
            return x
        return per_group(x, groups, recentred)

    def vectors(self, x: Tensor, groups: Tensor | None = None) -> Tensor:
        """Return matrices as vectors (N, channels, side (side + 1) / 2), as yet not centred."""
        kind, n = self.spec["representation"], x.shape[-1]
        if kind == "log_cholesky":
            rows, columns = torch.tril_indices(n, n, device=x.device)
            lower = torch.linalg.cholesky_ex(x).L[..., rows, columns]
            vectors = torch.where(rows == columns, lower.clamp_min(_TINY).log(), lower)
        else:
            vectors = triangle(self._chart(x))
        if self.spec["recentring"] == "vectors":
            return per_group(vectors, groups, lambda own: own - own.mean(0))
        return vectors

    def _chart(self, x: Tensor) -> Tensor:
        kind = self.spec["representation"]
        if kind == "affine_invariant":
            x = congruence(self.whitener, x)
        if kind in ("affine_invariant", "log_euclidean"):
            return spectral(x, LOG, decomposition=decompose_positive(x))[0]
        if kind == "power":
            exponent = self.spec["exponent"]
            function = power_function(exponent)
            return spectral(x, function, decomposition=decompose_positive(x))[0] / exponent
        return x

    def matrices(self, given: Given) -> Tensor:
        """Return what was taken as matrices (N, channels, side, side), recentred."""
        lifted = self.lift(*self.normalize(*self.covariances(given)))
        return self.recentre(lifted, given.groups)

    def whitened(self, given: Given) -> Tensor:
        """Return what was taken as matrices (N, channels, side, side) for networks of these.

        Those of `affine_invariant` are whitened by the mean. Where vectors are to be recentred, the
        logarithms of each group are, which amounts to the same in another chart.
        """
        x = self.matrices(given)
        if self.spec["representation"] == "affine_invariant":
            x = congruence(self.whitener, x)
        if self.spec["recentring"] != "vectors":
            return x
        (logarithms,) = spectral(x, LOG, decomposition=decompose_positive(x))
        centred = per_group(logarithms, given.groups, lambda own: own - own.mean(0))
        return spectral(centred, EXP)[0]

    def of_given(self, given: Given) -> Tensor:
        """Return what was taken as vectors (N, channels side (side + 1) / 2)."""
        vectors = self.vectors(self.matrices(given), given.groups)
        return ((vectors - self.center) * self.factor).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return inputs as vectors (N, channels side (side + 1) / 2), see `take`."""
        return self.of_given(self.take(x))


_TINY = torch.finfo(torch.float64).tiny
_STEPS = 2
_AT_ONCE = 16
"""Matrices that a sum is taken of while they are in the processor's cache."""
_FAINT = 1e-9
"""Share of the largest variance below which one is rounding."""


def triangle(x: Tensor) -> Tensor:
    """Return symmetric matrices (..., n, n) as vectors (..., n (n + 1) / 2) of the same norm."""
    n = x.shape[-1]
    rows, columns = torch.tril_indices(n, n, device=x.device)
    weights = torch.where(rows == columns, 1.0, x.new_full((), math.sqrt(2)))
    return x[..., rows, columns] * weights


def congruent_logarithms(weight: Tensor, x: Tensor) -> Tensor:
    """Return log(W X W') of matrices (N, channels, n, n) as vectors (N, channels m (m + 1) / 2).

    W (channels, m, n) is of full rank.
    """
    moved = congruence(weight, x)
    return triangle(spectral(moved, LOG, decomposition=decompose_positive(moved))[0]).flatten(1)


def inverse(x: Tensor) -> Tensor:
    """Return 1 / x, and 0 where x is 0: what does not vary has no say."""
    return torch.where(x > 0, 1 / x, torch.zeros_like(x))


def per_group(x: Tensor, groups: Tensor | None, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `function` of the samples (N, ...) of each group; all are one where none is known."""
    if groups is None:
        return function(x)
    found = torch.empty_like(x)
    for group in groups.unique():
        own = groups == group
        found[own] = function(x[own])
    return found


def recentred(x: Tensor) -> Tensor:
    r"""Return :math:`M^{-1/2} X M^{-1/2}` of SPD matrices (N, channels, n, n) and their mean M.

    It is the Fréchet mean by a few Karcher steps from the log-Euclidean one.
    """
    each = x.transpose(0, 1)
    (logarithms,) = spectral(each, LOG, decomposition=decompose_positive(each))
    (mean,) = spectral(logarithms.mean(-3), EXP)
    for _ in range(_STEPS if len(x) > 1 else 0):
        mean = karcher_step(each, mean)
    return congruence(sym_inverse_sqrt(mean), x)
