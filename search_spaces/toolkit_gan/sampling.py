"""Samples of a generator, as tasks and measures ask for them."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.base.conditions import conditions
from toolkit_gan.generator import AnyGenerator

BATCH = 64
"""Images that are made at once: memory and speed, no result."""


class Sampler:
    """A generator as a task judges it.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: AnyGenerator) -> None:
        self.model: torch.nn.Module = model
        self._generator = model

    def predict(self, inputs: Tensor) -> Tensor:
        """Images of noise and class weights."""
        images: Tensor = self._generator(inputs)
        return images

    def generate(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """An image of each class in `labels` (N,)."""
        return sample(self._generator, labels, generator)


def sample(model: AnyGenerator, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, *shape) in [0, 1] of the classes `labels` (N,), on the model's device."""
    given = conditions(labels, model.config["classes"], model.config["noise"], generator)
    device = model.gains[0].device
    return torch.cat([model(part.to(device)) for part in given.split(BATCH)])
