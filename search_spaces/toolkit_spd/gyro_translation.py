"""Translations in the gyrogroups of SPD matrices."""

from typing import cast

import torch
from torch import Tensor, nn

from .functional.congruence import congruence
from .functional.spectral import SQRT, spectral, symmetrize
from .manifolds import SpdParameter
from .maps import LOG_EUCLIDEAN, SpdMap
from .operations import Operation, Setting


class GyroTranslationOperation(Operation):
    r"""A learned translation of each channel, :math:`Y_c = P_c \oplus X_c`, from the identity.

    Affine-invariant: :math:`P^{1/2} X P^{1/2}`; log-Euclidean: :math:`\exp(\log P + \log X)`
    (Nguyen, NeurIPS 2022). It is an isometry of its metric; the bias of a batch normalisation is
    the same for all channels together.

    Raises
    ------
    ValueError
        If channels or sizes differ before and after.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        before = setting.channels_in, setting.size_in
        if before != (setting.channels_out, setting.size_out):
            raise ValueError("A translation keeps channels and sizes.")
        n = setting.size_in
        if setting.geometry == LOG_EUCLIDEAN:
            start = torch.zeros(setting.channels_in, n, n, dtype=torch.float64)
            self.translation: nn.Parameter = nn.Parameter(start)
        else:
            identity = torch.eye(n, dtype=torch.float64).repeat(setting.channels_in, 1, 1)
            self.translation = SpdParameter(identity)

    def forward(self, x: SpdMap) -> SpdMap:
        own = cast(Tensor, self.translation)
        if self.setting.geometry == LOG_EUCLIDEAN:
            return SpdMap.from_logarithm(x.logarithm + symmetrize(own))
        (root,) = spectral(own, SQRT)
        return SpdMap.from_matrix(congruence(root, x.matrix))
