"""The networks: torch and nothing of the toolkit, so that they can be exported."""

from __future__ import annotations

import math

import torch
from torch import nn


class Perceptron(nn.Module):
    """Hidden layers on flattened inputs (batch, *shape), then scores (batch, classes)."""

    def __init__(self, shape: list[int], classes: int, widths: list[int], dropout: float) -> None:
        super().__init__()
        # `type(model)(**model.config)` has to build the same network: the export does.
        self.config = {
            "shape": list(shape),
            "classes": classes,
            "widths": list(widths),
            "dropout": dropout,
        }
        sizes = [math.prod(shape), *widths]
        layers: list[nn.Module] = []
        for size_in, size_out in zip(sizes, widths, strict=False):
            layers += [nn.Linear(size_in, size_out), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.flatten(1))
