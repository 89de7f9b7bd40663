"""Random changes of training images, on whole batches, wherever the tensors are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROTATION = math.radians(15)
SHIFT = 0.125
"""Largest shift, as a share of the image's side."""
SCALE = 0.1
LIGHT = 0.3


def augment(images: Tensor, strength: float, *, flip: bool, light: bool = True) -> Tensor:
    """Rotate, shift, scale, brighten and mirror images (batch, channels, h, w) in [0, 1].

    Draws from torch's global generator. At full strength: up to 15 degrees, an eighth of the side,
    10 % in scale, 30 % in brightness and contrast; borders repeat the edge.

    Args:
        strength: from 0 (only mirrored, if at all) to 1.
        flip: mirror every second image, left to right.
        light: change brightness and contrast.
    """
    if strength == 0 and not flip:
        return images
    count = len(images)
    draw = torch.rand(6, count, device=images.device, dtype=images.dtype) * 2 - 1
    angle, zoom = draw[0] * ROTATION * strength, 1 + draw[1] * SCALE * strength
    # Rotation in pixels, not in shares of sides that may differ.
    aspect = images.shape[2] / images.shape[3]
    sign = torch.where(draw[2] < 0, -1.0, 1.0) if flip else torch.ones_like(zoom)
    cosine, sine = angle.cos() * zoom, angle.sin() * zoom
    shift = draw[3:5] * 2 * SHIFT * strength
    rows = [
        torch.stack([sign * cosine, -sine * aspect, shift[0]], 1),
        torch.stack([sign * sine / aspect, cosine, shift[1]], 1),
    ]
    grid = torch.nn.functional.affine_grid(
        torch.stack(rows, 1), list(images.shape), align_corners=False
    )
    moved = torch.nn.functional.grid_sample(
        images, grid, padding_mode="border", align_corners=False
    )
    if not light:
        return moved
    bright = 1 + draw[5] * LIGHT * strength
    contrast = 1 + torch.rand_like(bright).mul_(2).sub_(1) * LIGHT * strength
    mean = moved.mean((1, 2, 3), keepdim=True)
    lit = (moved - mean) * contrast[:, None, None, None] + mean * bright[:, None, None, None]
    return lit.clamp_(0, 1)
