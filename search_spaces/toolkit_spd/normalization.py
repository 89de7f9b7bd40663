"""Riemannian batch normalisation of SPD feature maps, under either metric.

All B C matrices of a batch share one mean M, one bias P and, with dispersion, one scale. In
evaluation running statistics, saved buffers, replace those of the batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from .functional.congruence import congruence, shared_congruence
from .functional.constants import MOMENTUM
from .functional.means import frechet_mean
from .functional.spectral import (
    EXP,
    INVERSE_SQRT,
    LOG,
    SQRT,
    Decomposition,
    decompose,
    decompose_positive,
    spectral,
    symmetrize,
)
from .manifolds import SpdParameter
from .maps import LOG_EUCLIDEAN, SpdMap

_EPSILON = 1e-5
"""Added to the dispersion of a batch, as the variance has in Euclidean batch normalisation."""


class _Statistics:
    frozen = False


@contextmanager
def frozen_statistics() -> Iterator[None]:
    """Leave running statistics as they are: for what computes a training batch once more."""
    before, _Statistics.frozen = _Statistics.frozen, True
    try:
        yield
    finally:
        _Statistics.frozen = before


def statistics_frozen() -> bool:
    """Return whether running statistics are to be left as they are."""
    return _Statistics.frozen


class BatchNorm(nn.Module):
    r"""What both metrics share: the optional normalisation of dispersion (LieBN, ICLR 2024).

    With :math:`V_i` the logarithm of the centred matrix :math:`X_i`, the dispersion of a batch is
    the mean square :math:`v = \operatorname{mean}_i \|V_i\|_F^2 / d` over the
    :math:`d = n (n + 1) / 2` coordinates, and :math:`V_i` is multiplied by
    :math:`\exp(\lambda) / \sqrt{v + 10^{-5}}` before the bias is applied, :math:`\lambda` learned
    and zero at first. A batch of one matrix has no dispersion, and leaves the running one as it is.

    Parameters
    ----------
    n : int
        Size of the matrices.
    dispersion : bool
        Whether dispersion is normalised too, or the mean only.
    """

    running_mean: Tensor
    running_dispersion: Tensor
    bias: nn.Parameter

    def __init__(self, n: int, dispersion: bool) -> None:
        super().__init__()
        self.dispersion = dispersion
        if dispersion:
            self.log_scale = nn.Parameter(torch.zeros((), dtype=torch.float64))
            self.register_buffer("running_dispersion", torch.ones((), dtype=torch.float64))


class BatchNormAffine(BatchNorm):
    r"""Riemannian batch normalisation (Brooks et al., NeurIPS 2019), affine-invariant.

    :math:`Y = P^{1/2} M^{-1/2} X M^{-1/2} P^{1/2}`; with dispersion, the centred matrix is raised
    to the power that multiplies its logarithm. A batch of one matrix is its own mean (after one
    step, exactly), and comes out as P.

    Parameters
    ----------
    n : int
        Size of the matrices.
    steps : int
        Karcher steps of the batch mean.
    dispersion : bool
        See `BatchNorm`.
    constant_mean : bool
        Take the batch mean as a constant in backward, as some libraries do: less work, for a
        gradient that is not that of the loss.
    """

    def __init__(
        self, n: int, steps: int = 1, dispersion: bool = False, constant_mean: bool = False
    ) -> None:
        super().__init__(n, dispersion)
        self.steps, self.constant_mean = steps, constant_mean
        self.bias = SpdParameter(torch.eye(n, dtype=torch.float64))
        self.register_buffer("running_mean", torch.eye(n, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        return SpdMap.from_matrix(normalize_affine(x.matrix.unsqueeze(0), [self]).squeeze(0))


def normalize_affine(x: Tensor, norms: Sequence[BatchNormAffine]) -> Tensor:
    """Apply G batch normalisations of one size to their G inputs (G, B, C, n, n) at once."""
    groups, *_, n, _ = x.shape
    flat = x.reshape(groups, -1, n, n)
    training = norms[0].training
    if training:
        constant = norms[0].constant_mean
        mean = frechet_mean(flat.detach() if constant else flat, steps=norms[0].steps)
    else:
        mean = torch.stack([norm.running_mean for norm in norms])
    root, whitening = spectral(mean, SQRT, INVERSE_SQRT)
    biases = torch.stack([cast(Tensor, norm.bias) for norm in norms])
    if training and not _Statistics.frozen:
        of_biases = _decompose_and_move(biases, root.detach(), whitening.detach(), norms)
    else:
        of_biases = decompose(biases)
    (bias,) = spectral(biases, SQRT, decomposition=of_biases)
    if not norms[0].dispersion:
        return shared_congruence(bias @ whitening, flat).view(x.shape)
    centred = shared_congruence(whitening, flat)
    values, vectors = decompose_positive(centred)
    (logarithm,) = spectral(centred, LOG, decomposition=Decomposition(values, vectors))
    scale = _dispersion_scale(logarithm, norms)[:, None, None, None]
    powers = Decomposition(values.log() * scale.detach()[..., 0], vectors)
    (scaled,) = spectral(logarithm * scale, EXP, decomposition=powers)
    return shared_congruence(bias, scaled).view(x.shape)


@torch.no_grad()
def _decompose_and_move(
    biases: Tensor, root: Tensor, whitening: Tensor, norms: Sequence[BatchNormAffine]
) -> Decomposition:
    r"""Decompose the biases (G, n, n), and move the running means towards those of the batch.

    The geodesic is walked from the batch mean M, whose roots are at hand:
    :math:`R \leftarrow M^{1/2} (M^{-1/2} R M^{-1/2})^{1 - 0.1} M^{1/2}`. What is raised to the
    power is decomposed along with the biases: two matrices take hardly longer than one.
    """
    running = torch.stack([norm.running_mean for norm in norms])
    values, vectors = decompose(torch.cat([biases, congruence(whitening, running)]))
    count = len(biases)
    floor = values[count:, -1:].abs() * torch.finfo(values.dtype).eps
    powers = torch.maximum(values[count:], floor).pow((1 - MOMENTUM) / 2)
    factor = root @ (vectors[count:] * powers.unsqueeze(-2))
    for norm, value in zip(norms, (factor @ factor.mT).unbind(), strict=True):
        norm.running_mean.copy_(value)
    return Decomposition(values[:count], vectors[:count])


def _dispersion_scale(centred: Tensor, norms: Sequence[BatchNorm]) -> Tensor:
    """Return the factors (G,) of centred logarithms (G, N, n, n), and move the running values."""
    n = centred.shape[-1]
    if norms[0].training:
        found = centred.square().sum((-2, -1)).mean(-1) / (n * (n + 1) / 2)
        if not _Statistics.frozen and centred.shape[1] > 1:
            with torch.no_grad():
                for norm, value in zip(norms, found.detach().unbind(), strict=True):
                    norm.running_dispersion.lerp_(value, MOMENTUM)
    else:
        found = torch.stack([norm.running_dispersion for norm in norms])
    scale = torch.stack([norm.log_scale for norm in norms]).exp()
    return scale / (found + _EPSILON).sqrt()


class BatchNormLogEuclidean(BatchNorm):
    r"""Riemannian batch normalisation under the log-Euclidean metric.

    In the logarithms it adds: :math:`\log Y = \log X - M + B`, M the mean logarithm of the batch
    and B, symmetric, the logarithm of the bias; with dispersion, :math:`\log X - M` is multiplied
    too. It needs no decomposition, and its own parameters are plain (Euclidean) ones. A batch of
    one matrix comes out as exp B.

    Parameters
    ----------
    n : int
        Size of the matrices.
    dispersion : bool
        See `BatchNorm`.
    """

    def __init__(self, n: int, dispersion: bool = False) -> None:
        super().__init__(n, dispersion)
        self.bias = nn.Parameter(torch.zeros(n, n, dtype=torch.float64))
        self.register_buffer("running_mean", torch.zeros(n, n, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        logarithm = normalize_log_euclidean(x.logarithm.unsqueeze(0), [self]).squeeze(0)
        return SpdMap.from_logarithm(logarithm)


def normalize_log_euclidean(x: Tensor, norms: Sequence[BatchNormLogEuclidean]) -> Tensor:
    """Apply G batch normalisations to their G inputs, logarithms (G, B, C, n, n), at once."""
    if norms[0].training:
        mean = x.mean((1, 2))
        if not _Statistics.frozen:
            with torch.no_grad():
                for norm, value in zip(norms, mean.detach().unbind(), strict=True):
                    norm.running_mean.lerp_(value, MOMENTUM)
    else:
        mean = torch.stack([norm.running_mean for norm in norms])
    bias = symmetrize(torch.stack([cast(Tensor, norm.bias) for norm in norms]))
    if not norms[0].dispersion:
        return x + (bias - mean)[:, None, None]
    centred = x - mean[:, None, None]
    scale = _dispersion_scale(centred.flatten(1, 2), norms)
    return centred * scale[:, None, None, None, None] + bias[:, None, None]


def make_batch_norm(n: int, geometry: str, steps: int, dispersion: bool = False) -> BatchNorm:
    """Return the batch normalisation of a geometry."""
    if geometry == LOG_EUCLIDEAN:
        return BatchNormLogEuclidean(n, dispersion)
    return BatchNormAffine(n, steps, dispersion)
