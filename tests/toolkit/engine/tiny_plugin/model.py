"""The tiny model: it can be exported."""

import torch
from torch import nn


class TinyModel(nn.Module):
    """A linear map from 4 numbers to 2 logits."""

    def __init__(self, inputs: int = 4) -> None:
        super().__init__()
        self.config = {"inputs": inputs}
        self.linear = nn.Linear(inputs, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.linear(inputs)
