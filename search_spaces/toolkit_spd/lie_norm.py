"""Batch normalisation in the Lie group of Cholesky factors, deformed by a matrix power."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from .functional.constants import MOMENTUM
from .functional.spectral import LARGEST
from .heads.chart import cholesky_factor
from .layers import BiMap
from .maps import SpdMap
from .normalization import statistics_frozen
from .operations import Operation, Setting

_LEAST_DISPERSION = 1e-5


class LieBatchNorm(nn.Module):
    r"""LieBN under the log-Cholesky metric of powers (Chen et al., ICLR 2024).

    :math:`X \mapsto X^\theta`, then in the coordinates v of log-Cholesky, strict lower part and
    logarithm of the diagonal of L: :math:`v \mapsto e^\lambda (v - m) / \sqrt{s^2 + 10^{-5}} + b`
    with m the batch's mean and :math:`s^2` its mean squared distance from it, and the power
    :math:`1 / \theta`. Bias b and scale :math:`\lambda` are learned. All channels share them. A
    batch of one matrix comes out as the bias, and leaves the running dispersion alone.

    Parameters
    ----------
    n : int
        Size of the matrices.
    exponent : float
        The power :math:`\theta`, not zero.
    """

    running_mean: Tensor
    running_dispersion: Tensor

    def __init__(self, n: int, exponent: float = 0.5) -> None:
        super().__init__()
        self.exponent = exponent
        self.bias = nn.Parameter(torch.zeros(n, n, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.register_buffer("running_mean", torch.zeros(n, n, dtype=torch.float64))
        self.register_buffer("running_dispersion", torch.ones((), dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        power = SpdMap.from_matrix(x.power(self.exponent))
        lower = cholesky_factor(power)
        eye = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
        vectors = lower.tril(-1) + torch.diag_embed(lower.diagonal(dim1=-2, dim2=-1).log())
        moved = self.normalize(vectors) + self.bias.tril()
        # Far from what the running statistics have seen, powers of the factor would overflow.
        most = LARGEST * math.log(torch.finfo(moved.dtype).max) * abs(self.exponent) / 2
        strict = moved.tril(-1).clamp(-math.exp(most), math.exp(most))
        factor = strict + eye * moved.clamp_max(most).exp()
        return SpdMap.from_matrix(SpdMap.from_matrix(factor @ factor.mT).power(1 / self.exponent))

    def normalize(self, x: Tensor) -> Tensor:
        """Return coordinates (B, C, n, n) centred and scaled; move the running statistics."""
        if not self.training:
            spread = self.running_dispersion
            return (
                (x - self.running_mean) * self.log_scale.exp() / (spread + _LEAST_DISPERSION).sqrt()
            )
        mean = x.mean((0, 1))
        centred = x - mean
        spread = centred.square().sum((-2, -1)).mean()
        if not statistics_frozen():
            with torch.no_grad():
                self.running_mean.lerp_(mean, MOMENTUM)
                if x.shape[0] * x.shape[1] > 1:
                    self.running_dispersion.lerp_(spread, MOMENTUM)
        return centred * self.log_scale.exp() / (spread + _LEAST_DISPERSION).sqrt()


class BiMapLieOperation(Operation):
    """BiMap, LieBN under the log-Cholesky metric of square roots, ReEig."""

    exponent: ClassVar[float] = 0.5

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.bimap = BiMap(
            setting.channels_in, setting.channels_out, setting.size_in, setting.size_out
        )
        self.norm = LieBatchNorm(setting.size_out, self.exponent)

    def forward(self, x: SpdMap) -> SpdMap:
        mapped: SpdMap = self.norm(self.bimap(x))
        return mapped.rectified(self.setting.rectify, self.setting.rectify_relative)
