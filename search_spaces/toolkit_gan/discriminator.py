"""Discriminators: spectrally normalised convolutions and a projection on the class.

D(x, y) = w . h(x) + e_y . h(x) (Miyato and Koyama, ICLR 2018), every weight divided by its largest
singular value (Miyato et al., ICLR 2018).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm


class AnyDiscriminator(nn.Module, ABC):
    """Says how real an image of a class looks.

    Args:
        classes: how many.
        width: of the features.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.score = spectral_norm(nn.Linear(width, 1))
        self.classes = spectral_norm(nn.Embedding(classes, width))

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """h(x): features (N, width) of images (N, C, H, W) in [0, 1], summed over the image."""

    @abstractmethod
    def layers(self) -> Sequence[nn.Module]:
        """What can be frozen, from the image on."""

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
    def take_over(self, source: AnyDiscriminator, nearest: Sequence[int]) -> None:
        """Takes all of another discriminator's state; class k has the vector of `nearest[k]`."""
        state = {k: v for k, v in source.state_dict().items() if not k.startswith("classes.")}
        self.load_state_dict(state, strict=False)
        self.class_vectors().copy_(source.class_vectors()[list(nearest)])

    def freeze(self, layers: int) -> None:
        """Stops the first so many layers from learning."""
        for number, layer in enumerate(self.layers()):
            layer.requires_grad_(number >= layers)


class Discriminator(AnyDiscriminator):
    """A small one.

    Args:
        classes: how many.
        channels: of an image.
        widths: channels of its three layers.
    """

    def __init__(self, classes: int, channels: int, widths: Sequence[int]) -> None:
        first, second, third = widths
        super().__init__(classes, third)
        self.convs = nn.ModuleList(
            spectral_norm(conv)
            for conv in (
                nn.Conv2d(channels, first, 4, stride=2, padding=1),
                nn.Conv2d(first, second, 4, stride=2, padding=1),
                nn.Conv2d(second, third, 3, padding=1),
            )
        )

    def features(self, images: Tensor) -> Tensor:
        """h(x): features (N, width), summed over the image."""
        x = 2 * images - 1
        for conv in self.convs:
            x = leaky_relu(conv(x), 0.2)
        return x.sum((2, 3))

    def layers(self) -> Sequence[nn.Module]:
        """The three convolutions."""
        return list(self.convs)
