"""Convolutions of logarithms: how neighbouring entries of a covariance go together.

Entry (i, j) of a covariance of sliding windows belongs to lag i - j, so that neighbours along both
axes mean neighbouring lags and times. A kernel that equals its own transpose keeps symmetric
matrices symmetric, and their exponentials are SPD: a linear map of the log-Euclidean space, not
equivariant to congruences as BiMap is, with k (k + 1) / 2 numbers for each pair of channels.
"""

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d

from .functional.constants import MOMENTUM
from .layers import LogPooling
from .maps import SpdMap
from .normalization import statistics_frozen
from .operations import Operation, Setting


class LogConvolution(nn.Module):
    r"""Convolution of logarithms, :math:`\log Y_o = \sum_c K_{oc} * \log X_c` with K = K^T.

    Beyond the border logarithms count as zero, those of the identity.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels C and O.
    size : int
        Rows k of a kernel, odd. Of each kernel the lower triangle is trained.

    Raises
    ------
    ValueError
        If `size` is even: the result would not be symmetric, or of another size.
    """

    place: Tensor

    def __init__(self, channels_in: int, channels_out: int, size: int) -> None:
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise ValueError(f"A kernel of {size} x {size} has no centre; give an odd size.")
        rows, columns = torch.tril_indices(size, size)
        place = torch.zeros(size, size, dtype=torch.long)
        place[rows, columns] = place[columns, rows] = torch.arange(len(rows))
        self.register_buffer("place", place, persistent=False)
        initial = torch.randn(channels_out, channels_in, len(rows), dtype=torch.float64)
        # The gain of He et al. (ICCV 2015) for layers that a rectifier follows.
        self.triangle = nn.Parameter(initial * (2 / (channels_in * size**2)) ** 0.5)

    @property
    def kernel(self) -> Tensor:
        """The symmetric kernels (O, C, k, k)."""
        return self.triangle[..., self.place]

    def forward(self, x: Tensor) -> Tensor:
        """Map logarithms (B, C, n, n) to (B, O, n, n)."""
        return conv2d(x, self.kernel, padding=self.place.shape[0] // 2)


class ChannelNorm(nn.Module):
    r"""Batch normalisation of each channel's logarithm entries by one mean and one variance.

    A shift and a scale per channel keep symmetric matrices symmetric; the batch normalisations of
    `normalization` share theirs among channels, which convolutions make different. A batch of one
    1 x 1 matrix has no variance: it comes out as the bias, and leaves the running values alone.

    Parameters
    ----------
    channels : int
        Channels C.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("running_mean", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("running_variance", torch.ones(channels, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise logarithms (B, C, n, n)."""
        running: tuple[Tensor | None, Tensor | None] = (self.running_mean, self.running_variance)
        if self.training and x.numel() == x.shape[1]:
            return x * 0 + self.bias[:, None, None]
        if self.training and statistics_frozen():
            running = None, None
        return batch_norm(x, *running, self.scale, self.bias, self.training, MOMENTUM)


class EntryNorm(nn.Module):
    r"""Batch normalisation of each entry of the logarithms by its own mean and deviation.

    :math:`(\log Y)_{cij} = ((\log X)_{cij} - m_{cij}) / \sqrt{v_{cij} + 10^{-5}}`, without trained
    parameters. Mirrored entries have equal statistics, so that results stay symmetric. A batch of
    one matrix has no deviations: it comes out as the identity, and leaves the running values alone.

    Parameters
    ----------
    channels, n : int
        Shape of the maps.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        entries = channels * n * n
        self.register_buffer("running_mean", torch.zeros(entries, dtype=torch.float64))
        self.register_buffer("running_variance", torch.ones(entries, dtype=torch.float64))

    def forward(self, x: SpdMap) -> SpdMap:
        """Normalise (B, C, n, n)."""
        logarithm = x.logarithm
        if self.training and len(logarithm) == 1:
            return SpdMap.from_logarithm(logarithm * 0)
        running: tuple[Tensor | None, Tensor | None] = (self.running_mean, self.running_variance)
        if self.training and statistics_frozen():
            running = None, None
        flat = batch_norm(logarithm.flatten(1), *running, training=self.training, momentum=MOMENTUM)
        return SpdMap.from_logarithm(flat.view(logarithm.shape))


class LogConvolutionOperation(Operation):
    """Convolution of logarithms, normalisation of each channel, positive part.

    The positive part of each entry of a logarithm is to these maps what ReEig is to BiMap. On
    reducing edges the maximum over windows of the logarithm follows, as in max pooling.
    """

    kernel_size: ClassVar[int] = 3
    rectifies: ClassVar[bool] = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.convolution = LogConvolution(
            setting.channels_in, setting.channels_out, self.kernel_size
        )
        self.norm = ChannelNorm(setting.channels_out)
        self.pooling = (
            LogPooling(setting.size_out, maximum=True)
            if setting.size_out < setting.size_in
            else None
        )

    def forward(self, x: SpdMap) -> SpdMap:
        logarithm = self.norm(self.convolution(x.logarithm))
        mapped = SpdMap.from_logarithm(logarithm.relu() if self.rectifies else logarithm)
        return mapped if self.pooling is None else cast(SpdMap, self.pooling(mapped))


class WideLogConvolutionOperation(LogConvolutionOperation):
    """The same with kernels of five rows, which reach two lags further."""

    kernel_size = 5


class LogMixingOperation(LogConvolutionOperation):
    """Linear combinations of the channels' logarithms, normalised; neither neighbours nor kinks."""

    learns = False  # C x O numbers only
    kernel_size = 1
    rectifies = False
