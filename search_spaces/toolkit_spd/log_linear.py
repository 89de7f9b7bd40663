"""Dense linear maps of logarithms."""

import torch
from torch import Tensor, nn

from .functional.spectral import symmetrize
from .maps import SpdMap
from .operations import Operation, Setting


class LogLinear(nn.Module):
    r"""The dense log-Euclidean layer :math:`Y = \exp \sum_i \langle \log X, A_i \rangle B_i`.

    Any linear map of logarithms of the given rank, all channels taken together (SPDNN, arXiv
    2609.35436): not equivariant to congruences as BiMap is, and as many trained numbers as
    rank x (C n^2 + O m^2).

    Parameters
    ----------
    channels_in, channels_out, n, m : int
        Shapes (C, n, n) and (O, m, m).
    rank : int
        Number of terms.
    """

    def __init__(self, channels_in: int, channels_out: int, n: int, m: int, rank: int) -> None:
        super().__init__()
        read = torch.randn(rank, channels_in, n, n, dtype=torch.float64)
        write = torch.randn(rank, channels_out, m, m, dtype=torch.float64)
        # Symmetric parts have half the variance off the diagonal. Then norms of logarithms stay.
        self.read = nn.Parameter(read * (2 / rank) ** 0.5)
        self.write = nn.Parameter(write / (channels_out * m * m) ** 0.5)

    def forward(self, x: SpdMap) -> SpdMap:
        """Map (B, C, n, n) to (B, O, m, m)."""
        numbers = torch.einsum("bcij,rcij->br", x.logarithm, symmetrize(self.read))
        logarithm: Tensor = torch.einsum("br,roij->boij", numbers, symmetrize(self.write))
        return SpdMap.from_logarithm(logarithm)


class LogLinearOperation(Operation):
    """Dense layer of rank O m, batch normalisation, ReEig."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.linear = LogLinear(
            setting.channels_in,
            setting.channels_out,
            setting.size_in,
            setting.size_out,
            rank=setting.channels_out * setting.size_out,
        )
        self.norm = setting.batch_norm()

    def forward(self, x: SpdMap) -> SpdMap:
        mapped: SpdMap = self.norm(self.linear(x))
        return mapped.rectified(self.setting.rectify, self.setting.rectify_relative)
