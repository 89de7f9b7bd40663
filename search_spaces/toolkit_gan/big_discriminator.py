"""BigGAN's discriminator: residual blocks that halve the side, and a projection on the class."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from toolkit_gan.biggan import (
    Attention,
    begin_orthogonal,
    discriminator_widths,
    doublings,
    normalise,
)
from toolkit_gan.discriminator import AnyDiscriminator


class DownBlock(nn.Module):
    """Rectify, convolve, twice, and halve the side; beside a 1 x 1 convolution.

    Args:
        before, after: channels.
        first: whether it sees the image, which is not rectified.
        down: whether it halves the side.
    """

    def __init__(self, before: int, after: int, *, first: bool, down: bool) -> None:
        super().__init__()
        self.first, self.down = first, down
        self.convs = nn.ModuleList(
            [nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)]
        )
        self.beside = nn.Conv2d(before, after, 1) if down or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, after, H, W), or of half the side."""
        y = self.convs[0](x if self.first else relu(x))
        own: Tensor = self._halved(self.convs[1](relu(y))) + self.beside(self._halved(x))
        return own

    def _halved(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2) if self.down else x


class BigDiscriminator(AnyDiscriminator):
    """Says how real an image of a class looks.

    Args:
        classes: how many.
        shape: of an image (channels, side, side).
        channels: what all widths are multiples of.
        attention: side of the features with self-attention; 0 for none.
    """

    def __init__(self, classes: int, shape: Sequence[int], channels: int, attention: int) -> None:
        widths = discriminator_widths(shape[1], channels)
        super().__init__(classes, widths[-1])
        # Small images are halved twice at most; the larger ones in every block but the last.
        halvings = min(doublings(shape[1]), 2 if len(widths) == 4 else len(widths) - 1)
        blocks: list[nn.Module] = []
        side, before = shape[1], shape[0]
        for number, width in enumerate(widths):
            down = number < halvings
            side = side // 2 if down else side
            block: nn.Module = DownBlock(before, width, first=not number, down=down)
            if down and side == attention:
                block = nn.Sequential(block, Attention(width))
            blocks.append(block)
            before = width
        self.blocks = nn.ModuleList(blocks)
        begin_orthogonal(self.blocks)
        normalise(self.blocks)

    def features(self, images: Tensor) -> Tensor:
        """h(x): features (N, width), summed over the image."""
        x = 2 * images - 1
        for block in self.blocks:
            x = block(x)
        return relu(x).sum((2, 3))

    def layers(self) -> Sequence[nn.Module]:
        """Its blocks."""
        return list(self.blocks)
