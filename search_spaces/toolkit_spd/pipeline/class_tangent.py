"""Multinomial regression in a tangent space of each class's own, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from .representation import Representation, RepresentationSpec, congruent_logarithms


class ClassTangentRegression(nn.Module):
    r"""Affine-invariant multinomial regression with fixed base points.

    .. math:: s_k = \langle A_k, \log(P_k^{-1/2} Z P_k^{-1/2}) \rangle + b_k

    with :math:`P_k = M_k^t`, :math:`M_k` the mean of class k (Nguyen and Yang, ICML 2023; Chen et
    al., CVPR 2024): at t = 0 it is logistic regression in one tangent space. Channels add up.

    Parameters
    ----------
    spec : dict
        How inputs become matrices Z, see `Representation.whitened`.
    classes : int
        Number of classes.
    """

    def __init__(self, spec: RepresentationSpec, classes: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"spec": dict(spec), "classes": classes}
        self.representation = Representation(spec)
        side, channels = self.representation.side, len(spec["channels"])
        identity = torch.eye(side, dtype=torch.float64).repeat(classes, channels, 1, 1)
        self.whiteners = nn.Parameter(identity, requires_grad=False)
        size = self.representation.size
        self.weight = nn.Parameter(
            torch.zeros(classes, size, dtype=torch.float64), requires_grad=False
        )
        self.bias = nn.Parameter(torch.zeros(classes, dtype=torch.float64), requires_grad=False)

    @property
    def any_length(self) -> bool:
        """Whether inputs are series, which may have any length."""
        return self.representation.spec["rows"] is not None

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) of inputs, see `Representation.take`."""
        own = self.representation.whitened(self.representation.take(x))
        pairs = zip(self.whiteners, self.weight, strict=True)
        return torch.stack([congruent_logarithms(w, own) @ a for w, a in pairs], 1) + self.bias
