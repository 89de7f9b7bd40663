"""Which source class a new class begins with: the nearest one, found without source images.

Features of the source discriminator on the shots of a new class are compared with those on samples
of each source class. Its scores of classes would not do: they say how real an image is as one of a
class, and rise with what no class has.
"""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_gan.generator import Tables
from toolkit_gan.pretraining import Source
from toolkit_gan.sampling import sample

SAMPLES = 128
"""Samples of each source class."""


@torch.no_grad()
def nearest_classes(source: Source, images: Tensor, labels: Tensor) -> list[int]:
    """The nearest source class of each new class, by mean features in standard deviations.

    Args:
        source: the source networks.
        images, labels: the shots.
    """
    classes = source.generator.config["classes"]
    asked = torch.arange(classes, device=images.device).repeat_interleave(SAMPLES)
    made = sample(source.generator, asked, torch.Generator().manual_seed(0))
    features = source.discriminator.features(made)
    spread = features.std(0).clamp_min(1e-6)
    means = features.view(classes, SAMPLES, -1).mean(1) / spread
    own = source.discriminator.features(images) / spread
    found = []
    for label in range(int(labels.max()) + 1):
        distances = (means - own[labels == label].mean(0)).square().sum(1)
        found.append(int(distances.argmin()))
    return found


@torch.no_grad()
def starting_rows(source: Tables, nearest: list[int] | None, classes: int) -> Tables:
    """Rows to begin with: of the nearest source class, or the mean of all."""
    if nearest is None:
        return [(g.mean(0).repeat(classes, 1), s.mean(0).repeat(classes, 1)) for g, s in source]
    return [(gain[nearest], shift[nearest]) for gain, shift in source]
