"""Layers of SPD networks: thin modules over `functional`, from feature map to feature map."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from toolkit.training.simplex import RELAXATIONS

from .functional.congruence import bimap
from .functional.constants import RECTIFY
from .functional.means import frechet_mean
from .functional.spectral import sym_sqrt
from .functional.stiefel import random_stiefel
from .manifolds import StiefelParameter
from .maps import AFFINE_INVARIANT, LOG_EUCLIDEAN, SpdMap


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


class SqrtEig(nn.Module):
    """Matrix square root."""

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to the same shape."""
        if x.logarithmic:
            return SpdMap.from_logarithm(x.logarithm / 2)
        return SpdMap.from_matrix(sym_sqrt(x.matrix))


class WeightedPooling(nn.Module):
    """Weighted Fréchet means of the channels, with learned weights on the simplex.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels C and O.
    geometry : str
        `affine_invariant` or `log_euclidean`.
    relaxation : str
        Map from logits to weights: a name in `toolkit.training.simplex.RELAXATIONS`.
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


class AttentionPooling(nn.Module):
    r"""Weighted Fréchet means of the channels, with weights that depend on the matrices.

    Channel c gets in output channel o the score :math:`\langle Q_o, \log X_c \rangle / n` with a
    learned query :math:`Q_o`, and the scores are mapped to the simplex: attention whose keys are
    logarithms and whose values are the matrices themselves. Euclidean parameters, O n^2.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels C and O.
    n : int
        Size of the matrices.
    geometry, relaxation, steps
        As for `WeightedPooling`.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        n: int,
        geometry: str = AFFINE_INVARIANT,
        relaxation: str = "softmax",
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.geometry, self.relaxation, self.steps = geometry, relaxation, steps
        self.query = nn.Parameter(torch.randn(channels_out, n, n, dtype=torch.float64))
        self.logits = nn.Parameter(torch.rand(channels_out, channels_in, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, O, n, n)."""
        logarithm = x.logarithm
        scores = torch.einsum("oij,bcij->boc", self.query, logarithm) / x.shape[-1]
        weights = RELAXATIONS[self.relaxation](scores + self.logits)
        if self.geometry == LOG_EUCLIDEAN:
            return SpdMap.from_logarithm(torch.einsum("boc,bcij->boij", weights, logarithm))
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
