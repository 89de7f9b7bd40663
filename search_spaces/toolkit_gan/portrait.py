"""What a carried generator draws of itself: samples beside the nearest shots, and its mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.contracts import Drawing, Heat, ImageRow, Images, TaskInfo
from toolkit_gan.generator import AnyGenerator
from toolkit_gan.sampling import sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

EACH = 10
"""Images in a row."""


@torch.no_grad()
def draw(
    generator: AnyGenerator, mixtures: Tensor | None, shots: Tensor, labels: Tensor, info: TaskInfo
) -> list[Drawing]:
    """Rows of samples and of the shots nearest to them; the weights of source classes, if any."""
    drawing = torch.Generator().manual_seed(0)
    rows = []
    for label in range(info.classes):
        asked = torch.full((EACH,), label, device=shots.device)
        made = sample(generator, asked, drawing)
        own = shots[labels == label]
        near = torch.cdist(made.flatten(1), own.flatten(1)).argmin(1)
        name = info.class_names[label] if info.class_names else str(label)
        rows.append(ImageRow(f"{name}: samples", pixels_of(made)))
        rows.append(ImageRow("their nearest shots", pixels_of(own[near])))
    caption = "Each sample stands above the shot of its class that is nearest to it in pixels."
    drawn: list[Drawing] = [Images("Is it copying?", rows, caption)]
    if mixtures is not None:
        weights = mixtures.mean((0, 1))
        text = "Weight of each source class, as the mean over layers, gains and shifts."
        heat = Heat(
            "Which source classes the new ones are made of",
            weights.tolist(),
            list(info.class_names or map(str, range(info.classes))),
            list(info.source_classes),
            text,
        )
        drawn.append(heat)
    return drawn


def pixels_of(images: Tensor) -> NDArray[Any]:
    """Images (N, C, H, W) in [0, 1] as bytes."""
    pixels: NDArray[Any] = (images * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels
