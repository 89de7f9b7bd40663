"""The classifier of least distance to the class means, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from ..functional.congruence import congruence
from ..functional.spectral import LOG, decompose_positive, spectral
from .representation import Representation, RepresentationSpec


class MinimumDistance(nn.Module):
    r"""Minus the squared affine-invariant distance to the mean of each class.

    :math:`-\|\log(M_k^{-1/2} C M_k^{-1/2})\|_F^2`, summed over channels (Barachant et al., IEEE
    TBME 2012, algorithm 1).

    Parameters
    ----------
    spec : dict
        How inputs become matrices; the metric it names is not read.
    classes : int
        Number of classes.
    """

    absent: Tensor

    def __init__(self, spec: RepresentationSpec, classes: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"spec": dict(spec), "classes": classes}
        self.representation = Representation({**spec, "representation": "euclidean"})
        side = self.representation.side
        identity = torch.eye(side, dtype=torch.float64)
        identity = identity.repeat(classes, len(spec["channels"]), 1, 1)
        self.whiteners = nn.Parameter(identity, requires_grad=False)
        self.register_buffer("absent", torch.zeros(classes, dtype=torch.bool))

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return self.representation.spec["rows"] is not None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs, see `Representation.take`."""
        prepared = self.representation.matrices(self.representation.take(x))
        distances = [self._squared(prepared, whitener) for whitener in self.whiteners]
        scores = -torch.stack(distances, dim=1)
        return torch.where(self.absent, scores.amin() - 1000.0, scores)

    def _squared(self, x: Tensor, whitener: Tensor) -> Tensor:
        whitened = congruence(whitener, x)
        (logarithms,) = spectral(whitened, LOG, decomposition=decompose_positive(whitened))
        return logarithms.square().sum((-3, -2, -1))
