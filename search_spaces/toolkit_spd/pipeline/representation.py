"""SPD matrices as vectors: how a matrix is prepared, and which metric's logarithm is taken."""

import math
from typing import TypedDict

import torch
from torch import Tensor, nn

from ..functional.congruence import congruence
from ..functional.spectral import LOG, add_ridge, decompose_positive, power_function, spectral


class RepresentationSpec(TypedDict):
    """What an SPD matrix becomes a vector by.

    Attributes
    ----------
    channels : list of int
        Indices of the channels that are read.
    n : int
        Rows of a matrix.
    components : int
        Leading eigenvectors of the mean training covariance that are kept, at most n.
    norm : str
        `none`; `trace`: each matrix to trace n; `correlation`: each to unit diagonal; `deviation`:
        rows divided by their root mean training variance.
    ridge : float
        Multiple of trace / components added to the diagonal.
    representation : str
        `affine_invariant`, `log_euclidean`, `power`, `log_cholesky` or `euclidean`.
    exponent : float
        Of `power`; not read by others.
    """

    channels: list[int]
    n: int
    components: int
    norm: str
    ridge: float
    representation: str
    exponent: float


class Representation(nn.Module):
    r"""Vectors of unit mean square norm on the training part, whose mean is zero.

    - `affine_invariant`: :math:`\log(M^{-1/2} C M^{-1/2})` (Barachant et al., IEEE TBME 2012)
    - `log_euclidean`: :math:`\log C` (Arsigny et al., 2006)
    - `power`: :math:`C^a / a` (Dryden et al., 2009)
    - `log_cholesky`: strict lower part and logarithm of the diagonal of L (Lin, 2019)
    - `euclidean`: C

    Off-diagonal entries of symmetric matrices count :math:`\sqrt 2` times, so that the norm is
    Frobenius's. Numbers are float64, and fitted by `toolkit_spd.pipeline.fitting`.
    """

    def __init__(self, spec: RepresentationSpec) -> None:
        super().__init__()
        self.spec = spec
        channels, n, kept = len(spec["channels"]), spec["n"], spec["components"]
        self.per_channel = kept * (kept + 1) // 2

        def fixed(start: Tensor) -> nn.Parameter:
            own = start.to(torch.float64).repeat(channels, *(1,) * start.dim())
            return nn.Parameter(own, requires_grad=False)

        if spec["norm"] == "deviation":
            self.deviation = fixed(torch.ones(n))
        if kept < n:
            self.basis = fixed(torch.eye(n, kept))
        if spec["representation"] == "affine_invariant":
            self.whitener = fixed(torch.eye(kept))
        self.center = fixed(torch.zeros(self.per_channel))
        self.factor = fixed(torch.ones(self.per_channel))

    @property
    def size(self) -> int:
        """Entries of a vector."""
        return len(self.spec["channels"]) * self.per_channel

    def select(self, x: Tensor) -> Tensor:
        """Return the channels that are read (N, channels, n, n), in double precision."""
        channels = self.spec["channels"]
        matrices = x.to(self.center.dtype)
        matrices = matrices.unsqueeze(1) if matrices.dim() == 3 else matrices
        return matrices if channels == list(range(matrices.shape[1])) else matrices[:, channels]

    def normalize(self, x: Tensor) -> Tensor:
        """Return inputs (N, n, n) or (N, all channels, n, n) as normalised (N, channels, n, n)."""
        matrices, norm = self.select(x), self.spec["norm"]
        if norm == "none":
            return matrices
        diagonal = matrices.diagonal(dim1=-2, dim2=-1)
        if norm == "trace":
            return matrices * inverse(diagonal.mean(-1))[..., None, None]
        scale = inverse(diagonal.sqrt() if norm == "correlation" else self.deviation)
        return matrices * scale.unsqueeze(-1) * scale.unsqueeze(-2)

    def lift(self, x: Tensor) -> Tensor:
        """Return the matrices of the components, with their ridge (N, channels, k, k)."""
        kept = congruence(self.basis.mT, x) if hasattr(self, "basis") else x
        return add_ridge(kept, self.spec["ridge"] / self.spec["components"])

    def vectors(self, x: Tensor) -> Tensor:
        """Return lifted matrices as vectors (N, channels, k (k + 1) / 2), as yet not centred."""
        kind, n = self.spec["representation"], x.shape[-1]
        rows, columns = torch.tril_indices(n, n, device=x.device)
        if kind == "log_cholesky":
            lower: Tensor = torch.linalg.cholesky_ex(x).L[..., rows, columns]
            return torch.where(rows == columns, lower.clamp_min(_TINY).log(), lower)
        if kind == "affine_invariant":
            x = congruence(self.whitener, x)
        if kind in ("affine_invariant", "log_euclidean"):
            (x,) = spectral(x, LOG, decomposition=decompose_positive(x))
        elif kind == "power":
            exponent = self.spec["exponent"]
            function = power_function(exponent)
            x = spectral(x, function, decomposition=decompose_positive(x))[0] / exponent
        weights = torch.where(rows == columns, 1.0, math.sqrt(2)).to(x.dtype)
        return x[..., rows, columns] * weights

    def forward(self, x: Tensor) -> Tensor:
        """Return inputs as vectors (N, channels k (k + 1) / 2)."""
        vectors = self.vectors(self.lift(self.normalize(x)))
        return ((vectors - self.center) * self.factor).flatten(1)


_TINY = torch.finfo(torch.float64).tiny


def inverse(x: Tensor) -> Tensor:
    """Return 1 / x, and 0 where x is 0: what does not vary has no say."""
    return torch.where(x > 0, 1 / x, torch.zeros_like(x))
