"""A model of any width: it can be exported."""

import torch
from torch import nn


class SizedModel(nn.Module):
    """4 numbers to 2 logits by a hidden layer: 7 * width + 2 parameters, 6 * width products."""

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        self.config = {"width": width}
        self.first, self.second = nn.Linear(4, width), nn.Linear(width, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(inputs).relu())
