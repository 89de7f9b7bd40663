"""Augmentation of what the discriminator sees, real and generated alike, with gradients.

After Zhao et al. ("Differentiable augmentation for data-efficient GAN training", NeurIPS 2020):
images are shifted by whole pixels, and a square of them may be blanked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How images are changed.

    Attributes:
        translation: largest shift, as a share of the side.
        cutout: blank a square of half the side.
    """

    translation: float
    cutout: bool

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Returns changed images (N, C, H, W); black comes in at the borders."""
        most = round(self.translation * images.shape[-1])
        if most:
            images = _shifted(images, most, generator)
        return _cut(images, generator) if self.cutout else images


def _shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    import torch
    from torch.nn.functional import pad

    count, _, height, width = images.shape
    by = torch.randint(0, 2 * most + 1, (2, count), generator=generator).to(images.device)
    rows = by[0][:, None] + torch.arange(height, device=images.device)
    columns = by[1][:, None] + torch.arange(width, device=images.device)
    which = torch.arange(count, device=images.device)[:, None, None]
    wide = pad(images, (most, most, most, most)).permute(0, 2, 3, 1)
    return wide[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cut(images: Tensor, generator: torch.Generator) -> Tensor:
    import torch

    count, _, height, width = images.shape
    side = max(height // 2, 1)
    centre = torch.rand(2, count, generator=generator).to(images.device)
    top = (centre[0] * height).floor()[:, None] - side // 2
    left = (centre[1] * width).floor()[:, None] - side // 2
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    inside = ((rows >= top) & (rows < top + side))[:, :, None] & (
        (columns >= left) & (columns < left + side)
    )[:, None, :]
    return images * (~inside)[:, None]
