"""A generator in training: a trunk, and rows that are learned for its classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolkit_gan.generator import AnyGenerator
from toolkit_gan.rows import Rows

_ORIGINAL = ".parametrizations.weight.original"


class Carried(nn.Module):
    """A trunk with rows for new classes.

    Attributes:
        trunk: made from the source generator, or fresh.
        rows: of the new classes.
    """

    def __init__(self, trunk: nn.Module, rows: Rows) -> None:
        super().__init__()
        self.trunk, self.rows = trunk, rows

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Images (N, *shape) in [0, 1] of noise (N, noise) and classes (N,)."""
        rows = [(gain[labels], shift[labels]) for gain, shift in self.rows.tables()]
        images: Tensor = self.trunk(noise, rows)
        return images

    def train(self, mode: bool = True) -> Carried:
        """As ever, but that singular values of a trunk that does not learn stay as they are."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.trunk.parameters()):
            for name, module in self.trunk.named_modules():
                if "parametrizations" in name:
                    module.eval()
        return self

    @torch.no_grad()
    def fold_into(self, generator: AnyGenerator) -> None:
        """Writes trunk and rows, as they act, into a generator of as many classes."""
        generator.trunk.load_state_dict(acting_state(self.trunk))
        for layer, (gain, shift) in enumerate(self.rows.tables()):
            generator.gains[layer].copy_(gain)
            generator.shifts[layer].copy_(shift)


def acting_state(module: nn.Module) -> dict[str, Any]:
    """The state of a module with each weight as it acts, divided by its singular value."""
    state = {}
    for name, value in module.state_dict().items():
        if name.endswith(_ORIGINAL):
            owner = name.removesuffix(_ORIGINAL)
            state[f"{owner}.weight"] = module.get_submodule(owner).weight
        elif ".parametrizations." not in name:
            state[name] = value
    return state
