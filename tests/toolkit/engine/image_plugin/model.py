"""The model of the image plugin: the mean image of each class, and noise."""

import torch
from torch import nn


class MeanImages(nn.Module):
    def __init__(self, classes: int, side: int) -> None:
        super().__init__()
        self.config = {"classes": classes, "side": side}
        self.means = nn.Parameter(torch.randn(classes, side * side))
        self.spread = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        side = self.config["side"]
        flat = given[:, 1:] @ self.means + self.spread * given[:, :1]
        return flat.clamp(-1, 1).view(-1, 1, side, side)
