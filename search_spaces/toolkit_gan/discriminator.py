"""The discriminator: spectrally normalised convolutions and a projection on the class.

D(x, y) = w . h(x) + e_y . h(x) (Miyato and Koyama, ICLR 2018), every weight divided by its largest
singular value (Miyato et al., ICLR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Says how real an image of a class looks.

    Args:
        classes: how many.
        channels: of an image.
        widths: channels of its three layers.
    """

    def __init__(self, classes: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        first, second, third = widths
        self.convs = nn.ModuleList(
            spectral_norm(conv)
            for conv in (
                nn.Conv2d(channels, first, 4, stride=2, padding=1),
                nn.Conv2d(first, second, 4, stride=2, padding=1),
                nn.Conv2d(second, third, 3, padding=1),
            )
        )
        self.score = spectral_norm(nn.Linear(third, 1))
        self.classes = spectral_norm(nn.Embedding(classes, third))

    def features(self, images: Tensor) -> Tensor:
        """h(x): features (N, width), summed over the image."""
        x = 2 * images - 1
        for conv in self.convs:
            x = leaky_relu(conv(x), 0.2)
        return x.sum((2, 3))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """D(x, y) of images (N, C, H, W) and their classes (N,)."""
        features = self.features(images)
        own: Tensor = self.score(features).squeeze(1) + (self.classes(labels) * features).sum(1)
        return own

    def class_vectors(self) -> Tensor:
        """Vectors of the classes before their normalisation (classes, width)."""
        original: Tensor = self.classes.parametrizations["weight"].original  # type: ignore[union-attr, index]
        return original

    @torch.no_grad()
    def take_over(self, source: Discriminator, nearest: Sequence[int]) -> None:
        """Takes all of another discriminator's state; class k has the vector of `nearest[k]`."""
        state = {k: v for k, v in source.state_dict().items() if not k.startswith("classes.")}
        self.load_state_dict(state, strict=False)
        self.class_vectors().copy_(source.class_vectors()[list(nearest)])

    def freeze(self, layers: int) -> None:
        """Stops the first so many convolutions from learning."""
        for number, conv in enumerate(self.convs):
            conv.requires_grad_(number >= layers)
