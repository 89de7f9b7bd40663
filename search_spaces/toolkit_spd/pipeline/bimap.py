"""One bilinear map, a logarithm and a linear classifier, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from .representation import Representation, RepresentationSpec, congruent_logarithms


class BiMapClassifier(nn.Module):
    r"""Scores :math:`A \operatorname{vec} \log(W^\top Z W) + b`, W with orthonormal columns.

    It is SPDNet (Huang and Van Gool, AAAI 2017) with one layer, whose weights begin at the closed
    form: see `toolkit_spd.pipeline.network_fitting.fit_bimap`. Channels have maps of their own.

    Parameters
    ----------
    spec : dict
        How inputs become matrices Z, see `Representation.whitened`.
    classes : int
        Number of classes.
    kept : int
        Columns of W.
    """

    def __init__(self, spec: RepresentationSpec, classes: int, kept: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"spec": dict(spec), "classes": classes, "kept": kept}
        self.representation = Representation(spec)
        side, channels = self.representation.side, len(spec["channels"])

        def fixed(start: Tensor) -> nn.Parameter:
            return nn.Parameter(start.to(torch.float64), requires_grad=False)

        self.map = fixed(torch.eye(side, kept).repeat(channels, 1, 1))
        self.weight = fixed(torch.zeros(classes, channels * kept * (kept + 1) // 2))
        self.bias = fixed(torch.zeros(classes))

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return self.representation.spec["rows"] is not None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs, see `Representation.take`."""
        own = self.representation.whitened(self.representation.take(x))
        return congruent_logarithms(self.map.mT, own) @ self.weight.mT + self.bias
