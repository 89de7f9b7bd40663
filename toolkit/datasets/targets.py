"""The last step of models that give values: from standardised numbers to the user's units.

Exported files take the class in, so this module imports torch alone.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Units(nn.Module):
    """Standardised values (N, 1) to values in the units of the targets.

    A network that gives values ends with it, so that weights start where they would for any
    targets, and what is exported gives units. It does nothing until `fit` was called.
    """

    center: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros((), dtype=torch.float64))
        self.register_buffer("spread", torch.ones((), dtype=torch.float64))

    @torch.no_grad()
    def fit(self, targets: Tensor) -> None:
        """Take mean and standard deviation of training targets (N,).

        Raises:
            ValueError: they are all the same, or not finite.
        """
        values = targets.detach().double()
        spread = values.std(correction=0) if len(values) else values.new_zeros(())
        if not bool(spread > 0) or not bool(spread.isfinite()):
            raise ValueError("the training targets are all the same, or not finite")
        self.center.copy_(values.mean())
        self.spread.copy_(spread)

    def standardized(self, values: Tensor) -> Tensor:
        """Values (...) in units, as multiples of the standard deviation from the mean."""
        return (values - self.center) / self.spread

    def forward(self, values: Tensor) -> Tensor:
        """Standardised values (...) in units, in double precision."""
        return values.double() * self.spread.double() + self.center.double()
