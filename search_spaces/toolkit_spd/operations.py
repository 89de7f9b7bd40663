"""Candidate operations on the edges of a cell: one class each, looked up by name.

To add one: write a class in a file of its own and name it in `catalogue`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from .layers import AttentionPooling, BiMap, BlockSkip, LogPooling, WeightedPooling
from .maps import LOG_EUCLIDEAN, SpdMap
from .normalization import BatchNorm, make_batch_norm


@dataclass(frozen=True)
class Setting:
    """What an operation must fit.

    Attributes
    ----------
    channels_in, channels_out : int
        Channels of the map before and after.
    size_in, size_out : int
        Sizes of the matrices before and after.
    geometry : str
        `affine_invariant` or `log_euclidean`.
    relaxation : str
        Map to the simplex for learned weights.
    steps : int
        Karcher steps of affine-invariant means.
    rectify : float
        Threshold of ReEig.
    rectify_relative : bool
        Whether it is relative to trace / n.
    dispersion : bool
        Whether batch normalisation normalises dispersion too.
    """

    channels_in: int
    channels_out: int
    size_in: int
    size_out: int
    geometry: str
    relaxation: str
    steps: int
    rectify: float
    rectify_relative: bool
    dispersion: bool = False

    def batch_norm(self) -> BatchNorm:
        """Return a batch normalisation of the output."""
        return make_batch_norm(self.size_out, self.geometry, self.steps, self.dispersion)


class Operation(nn.Module):
    """An operation from feature map to feature map."""

    learns: ClassVar[bool] = True
    """Whether it transforms its input by trained weights; others count towards collapse."""
    constant: ClassVar[bool] = False
    """Whether it returns the identity matrix, whatever comes in."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, O, m, m)."""
        raise NotImplementedError


class NoneOperation(Operation):
    """The neutral element: every matrix becomes the identity, whose logarithm is zero."""

    learns = False
    constant = True

    def forward(self, x: SpdMap) -> SpdMap:
        setting = self.setting
        shape = (x.shape[0], setting.channels_out, setting.size_out, setting.size_out)
        if setting.geometry == LOG_EUCLIDEAN:
            return SpdMap.from_logarithm(x.base.new_zeros(1).expand(shape))
        eye = torch.eye(setting.size_out, dtype=x.base.dtype, device=x.base.device)
        return SpdMap.from_matrix(eye.expand(shape))


class SkipOperation(Operation):
    """The input itself."""

    learns = False

    def forward(self, x: SpdMap) -> SpdMap:
        return x


class WeightedPoolingOperation(Operation):
    """Learned weighted means of the channels, then batch normalisation."""

    learns = False  # C x C logits only

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.pooling = WeightedPooling(
            setting.channels_in,
            setting.channels_out,
            setting.geometry,
            setting.relaxation,
            setting.steps,
        )
        self.norm = setting.batch_norm()

    def forward(self, x: SpdMap) -> SpdMap:
        pooled: SpdMap = self.norm(self.pooling(x))
        return pooled


class AttentionPoolingOperation(Operation):
    """Means of the channels weighted by what is in them, then batch normalisation."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.pooling = AttentionPooling(
            setting.channels_in,
            setting.channels_out,
            setting.size_in,
            setting.geometry,
            steps=setting.steps,
        )
        self.norm = setting.batch_norm()

    def forward(self, x: SpdMap) -> SpdMap:
        pooled: SpdMap = self.norm(self.pooling(x))
        return pooled


class AvgPoolingOperation(Operation):
    """Average of the logarithm over windows, then batch normalisation."""

    learns = False
    maximum: ClassVar[bool] = False

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.pooling = LogPooling(setting.size_out, self.maximum)
        self.norm = setting.batch_norm()

    def forward(self, x: SpdMap) -> SpdMap:
        pooled: SpdMap = self.norm(self.pooling(x))
        return pooled


class MaxPoolingOperation(AvgPoolingOperation):
    """Maximum of the logarithm over windows, then batch normalisation."""

    maximum = True


class BilinearOperation(Operation):
    """BiMap, with what goes before and after it.

    Several of these, of equal setting, are evaluated together (see `stacking`), for which `bimap`
    has a `weight` (O, C, n, m), and `norm` is a batch normalisation or None.
    """

    rectifies_input: ClassVar[bool] = False
    rectifies_output: ClassVar[bool] = False
    bimap: BiMap | BlockSkip
    norm: nn.Module | None

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.bimap = BiMap(
            setting.channels_in, setting.channels_out, setting.size_in, setting.size_out
        )
        self.norm = setting.batch_norm()

    def rectified(self, x: SpdMap) -> SpdMap:
        """Return the map through ReEig."""
        return x.rectified(self.setting.rectify, self.setting.rectify_relative)

    def forward(self, x: SpdMap) -> SpdMap:
        mapped: SpdMap = self.bimap(self.rectified(x) if self.rectifies_input else x)
        if self.norm is not None:
            mapped = self.norm(mapped)
        return self.rectified(mapped) if self.rectifies_output else mapped


class BiMap0Operation(BilinearOperation):
    """BiMap, batch normalisation."""


class BiMap1Operation(BilinearOperation):
    """BiMap, batch normalisation, ReEig."""

    rectifies_output = True


class BiMap2Operation(BilinearOperation):
    """ReEig, BiMap, batch normalisation."""

    rectifies_input = True


class BiMapDispersionOperation(BilinearOperation):
    """BiMap, batch normalisation of mean and dispersion, ReEig."""

    rectifies_output = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(replace(setting, dispersion=True))


class BlockSkipOperation(BilinearOperation):
    """Two trained BiMaps side by side, without normalisation: the skip of a reduction."""

    def __init__(self, setting: Setting) -> None:
        super(BilinearOperation, self).__init__(setting)
        self.bimap = BlockSkip(setting.channels_out, setting.size_in, setting.size_out)
        self.norm = None
