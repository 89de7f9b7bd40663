"""Layers of SPD networks: thin modules over `functional`, from feature map to feature map."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from .functional.congruence import bimap, shared_congruence
from .functional.constants import MOMENTUM, RECTIFY
from .functional.means import frechet_mean, geodesic
from .functional.simplex import RELAXATIONS
from .functional.spectral import INVERSE_SQRT, spectral, sym_sqrt, symmetrize
from .functional.stiefel import random_stiefel
from .manifolds import SpdParameter, StiefelParameter
from .maps import SpdMap

AFFINE_INVARIANT = "affine_invariant"
LOG_EUCLIDEAN = "log_euclidean"


class BiMap(nn.Module):
    r"""Bilinear map :math:`Y_o = \sum_c W_{oc}^\top X_c W_{oc}` with orthonormal columns.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels C and O.
    n, m : int
        Sizes of the matrices before and after, m <= n.

    Raises
    ------
    ValueError
        If m > n: there are no m orthonormal columns of length n.
    """

    def __init__(self, channels_in: int, channels_out: int, n: int, m: int) -> None:
        super().__init__()
        if not 1 <= m <= n:
            raise ValueError(f"BiMap maps {n} x {n} to at most {n} x {n} matrices, not {m} x {m}.")
        self.weight = StiefelParameter(random_stiefel(channels_out, channels_in, n, m))

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, O, m, m)."""
        return SpdMap.from_matrix(bimap(x.matrix, self.weight).transpose(0, 1))


class ReEig(nn.Module):
    """Rectification of eigenvalues; see `functional.spectral.rectify`."""

    def __init__(self, rate: float = RECTIFY, relative: bool = False) -> None:
        super().__init__()
        self.rate, self.relative = rate, relative

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to the same shape."""
        return x.rectified(self.rate, self.relative)


class LogEig(nn.Module):
    """Matrix logarithm, from a map to symmetric matrices (B, C, n, n)."""

    def forward(self, x: SpdMap) -> Tensor:
        """Return the logarithms."""
        return x.logarithm


class ExpEig(nn.Module):
    """Matrix exponential, from symmetric matrices (B, C, n, n) to a map."""

    def forward(self, x: Tensor) -> SpdMap:
        """Return the map whose logarithms are `x`."""
        return SpdMap.from_logarithm(x)


class BatchNormAffine(nn.Module):
    r"""Riemannian batch normalisation, mean only (Brooks et al., NeurIPS 2019), affine-invariant.

    All B C matrices of a batch share one mean M and one bias P:
    :math:`Y = P^{1/2} M^{-1/2} X M^{-1/2} P^{1/2}`; in evaluation the running mean replaces M. A
    batch of one matrix is its own mean, and comes out as P.

    Parameters
    ----------
    n : int
        Size of the matrices.
    steps : int
        Karcher steps of the batch mean.
    """

    running_mean: Tensor

    def __init__(self, n: int, steps: int = 1) -> None:
        super().__init__()
        self.steps = steps
        self.bias = SpdParameter(torch.eye(n, dtype=torch.float64))
        self.register_buffer("running_mean", torch.eye(n, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        return SpdMap.from_matrix(normalize_affine(x.matrix.unsqueeze(0), [self])[0])


def normalize_affine(x: Tensor, norms: list[BatchNormAffine]) -> Tensor:
    """Apply G batch normalisations of one size to their G inputs (G, B, C, n, n) at once."""
    groups, *_, n, _ = x.shape
    flat = x.reshape(groups, -1, n, n)
    if norms[0].training:
        mean = frechet_mean(flat, steps=norms[0].steps)
        with torch.no_grad():
            running = torch.stack([norm.running_mean for norm in norms])
            moved = geodesic(running, mean.detach(), MOMENTUM)
            for norm, value in zip(norms, moved.unbind(), strict=True):
                norm.running_mean.copy_(value)
    else:
        mean = torch.stack([norm.running_mean for norm in norms])
    bias = torch.stack([cast(Tensor, norm.bias) for norm in norms])
    factor = sym_sqrt(bias) @ spectral(mean, INVERSE_SQRT)[0]
    return shared_congruence(factor, flat).view(x.shape)


class BatchNormLogEuclidean(nn.Module):
    r"""Riemannian batch normalisation, mean only, under the log-Euclidean metric.

    In the logarithms it adds: :math:`\log Y = \log X - M + B`, M the mean logarithm of the batch
    (in evaluation: the running mean) and B, symmetric, the logarithm of the bias. It needs no
    decomposition, and its own parameter is a plain (Euclidean) one.

    Parameters
    ----------
    n : int
        Size of the matrices.
    """

    running_mean: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n, n, dtype=torch.float64))
        self.register_buffer("running_mean", torch.zeros(n, n, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        logarithm = normalize_log_euclidean(x.logarithm.unsqueeze(0), [self])[0]
        return SpdMap.from_logarithm(logarithm)


def normalize_log_euclidean(x: Tensor, norms: list[BatchNormLogEuclidean]) -> Tensor:
    """Apply G batch normalisations to their G inputs, logarithms (G, B, C, n, n), at once."""
    if norms[0].training:
        mean = x.mean((1, 2))
        with torch.no_grad():
            for norm, value in zip(norms, mean.detach().unbind(), strict=True):
                norm.running_mean.lerp_(value, MOMENTUM)
    else:
        mean = torch.stack([norm.running_mean for norm in norms])
    bias = torch.stack([cast(Tensor, norm.bias) for norm in norms])
    return x + (symmetrize(bias) - mean)[:, None, None]


def make_batch_norm(n: int, geometry: str, steps: int) -> nn.Module:
    """Return the batch normalisation of a geometry."""
    if geometry == LOG_EUCLIDEAN:
        return BatchNormLogEuclidean(n)
    return BatchNormAffine(n, steps)


class WeightedPooling(nn.Module):
    """Weighted Fréchet means of the channels, with learned weights on the simplex.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels C and O.
    geometry : str
        `affine_invariant` or `log_euclidean`.
    relaxation : str
        Map from logits to weights: a name in `functional.simplex.RELAXATIONS`.
    steps : int
        Karcher steps of an affine-invariant mean.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        geometry: str = AFFINE_INVARIANT,
        relaxation: str = "sparsemax",
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.geometry, self.relaxation, self.steps = geometry, relaxation, steps
        self.logits = nn.Parameter(torch.rand(channels_out, channels_in, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, O, n, n)."""
        weights = RELAXATIONS[self.relaxation](self.logits)
        if self.geometry == LOG_EUCLIDEAN:
            return SpdMap.from_logarithm(torch.einsum("oc,bcij->boij", weights, x.logarithm))
        return SpdMap.from_matrix(frechet_mean(x.matrix.unsqueeze(1), weights, self.steps))


class LogPooling(nn.Module):
    """Average or maximum of the logarithms' entries over windows, from n x n to m x m.

    The windows are adaptive, the same along both axes, so that they lie symmetrically about the
    diagonal and the result is symmetric; for n = 2 m they are the 2 x 2 windows of stride 2.

    Parameters
    ----------
    m : int
        Size of the matrices after.
    maximum : bool
        Maximum instead of average.
    """

    def __init__(self, m: int, maximum: bool = False) -> None:
        super().__init__()
        self.m, self.maximum = m, maximum

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, C, m, m)."""
        pool = adaptive_max_pool2d if self.maximum else adaptive_avg_pool2d
        return SpdMap.from_logarithm(pool(x.logarithm, self.m))


class BlockSkip(nn.Module):
    r"""Reduction by two trainable BiMaps side by side: :math:`\operatorname{diag}(Y_a, Y_b)`.

    Parameters
    ----------
    channels : int
        Channels before and after.
    n, m : int
        Sizes before and after; the blocks have floor(m / 2) and ceil(m / 2) rows.
    """

    block: Tensor

    def __init__(self, channels: int, n: int, m: int) -> None:
        super().__init__()
        self.halves = nn.ParameterList(
            StiefelParameter(random_stiefel(channels, channels, n, half))
            for half in (m // 2, m - m // 2)
            if half > 0
        )
        upper = torch.arange(m) < m // 2
        self.register_buffer("block", (upper[:, None] == upper).double(), persistent=False)

    @property
    def weight(self) -> Tensor:
        """Both maps side by side (C, C, n, m); only their diagonal blocks are used."""
        return torch.cat(list(self.halves), -1)

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, C, m, m)."""
        return SpdMap.from_matrix(bimap(x.matrix, self.weight).transpose(0, 1) * self.block)


class LogHead(nn.Module):
    r"""Classifier on the logarithms: flattened in full, or as scaled triangles, then linear.

    The triangle holds each off-diagonal entry once, times :math:`\sqrt 2`: an isometry, with about
    half the parameters.

    Parameters
    ----------
    channels, n, classes : int
        Shape of the map and number of classes.
    triangle : bool
        Use triangles.
    """

    rows: Tensor
    columns: Tensor
    scale: Tensor

    def __init__(self, channels: int, n: int, classes: int, triangle: bool = False) -> None:
        super().__init__()
        self.triangle = triangle
        rows, columns = torch.tril_indices(n, n)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        scale = torch.where(rows == columns, 1.0, 2.0).double().sqrt()
        self.register_buffer("scale", scale, persistent=False)
        features = channels * (len(rows) if triangle else n * n)
        self.linear = nn.Linear(features, classes, dtype=torch.float64)

    def forward(self, x: SpdMap) -> Tensor:
        """Map (B, C, n, n) to logits (B, classes)."""
        logarithm = x.logarithm
        if self.triangle:
            logarithm = logarithm[..., self.rows, self.columns] * self.scale
        return cast(Tensor, self.linear(logarithm.flatten(1)))
