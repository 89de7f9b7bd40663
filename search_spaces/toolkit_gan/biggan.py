"""BigGAN's generator and discriminator (Brock et al., ICLR 2019), for images of 8 to 128 pixels.

The generator's residual blocks double the side; the rows of their normalised layers come of an
embedding that all layers share, and each block has a piece of the noise, which adds a linear term
to its rows. Every weight of both networks is spectrally normalised while it learns. Widths are
those published for 32, 64 and 128 pixels.

Beside the published networks: weights on the embedding and weights on the noise are normalised each
by itself, not side by side, so that rows without noise are a table of the classes. It is stored as
such, and weights are stored as they act, divided by their largest singular value: a generator that
was carried over or exported has neither embedding nor normalisation of weights.

Exported models take this file in, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, relu
from torch.nn.utils.parametrizations import spectral_norm

from toolkit_gan.generator import AnyGenerator, Tables, activated, convolve_doubled


def doublings(side: int) -> int:
    """How often the side is doubled, from a smallest one of at most 7 or an odd one."""
    count = 0
    while side > 7 and side % 2 == 0:
        side, count = side // 2, count + 1
    return count


def generator_widths(side: int, channels: int) -> list[int]:
    """Channels before each block and after the last one: 4 times `channels` up to 32 pixels."""
    count = doublings(side)
    if count <= 3:
        return [4 * channels] * (count + 1)
    return [16 * channels] + [max(16 >> number, 1) * channels for number in range(count)]


def discriminator_widths(side: int, channels: int) -> list[int]:
    """Channels after each block: 4 times `channels` in all four up to 32 pixels."""
    count = doublings(side)
    if count <= 3:
        return [4 * channels] * 4
    return [min(1 << number, 16) * channels for number in range(count + 1)]


def attention_sides(side: int) -> list[int]:
    """Sides that features of both networks have."""
    count = doublings(side)
    made = [side >> number for number in range(count)]
    seen = [side >> (number + 1) for number in range(count if count > 3 else min(count, 2))]
    return [each for each in made if each in seen]


class Attention(nn.Module):
    """Self-attention over the places of an image (Zhang et al., ICML 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner, outer = max(width // 8, 1), max(width // 2, 1)
        self.query = nn.Conv2d(width, inner, 1, bias=False)
        self.key = nn.Conv2d(width, inner, 1, bias=False)
        self.value = nn.Conv2d(width, outer, 1, bias=False)
        self.out = nn.Conv2d(outer, width, 1, bias=False)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, width, H, W) and a share, 0 at first, of what attention gives."""
        query = self.query(x).flatten(2)
        key = max_pool2d(self.key(x), 2).flatten(2)
        value = max_pool2d(self.value(x), 2).flatten(2)
        weights = torch.softmax(query.mT @ key, dim=-1)
        seen = (value @ weights.mT).view(len(x), -1, *x.shape[2:])
        own: Tensor = x + self.share * self.out(seen)
        return own


class UpBlock(nn.Module):
    """Normalise, rectify, double, convolve, and once more; beside a 1 x 1 convolution.

    Args:
        before, after: channels.
        noise: numbers of this block's piece of the noise.
    """

    def __init__(self, before: int, after: int, noise: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, affine=False) for w in (before, after))
        self.gains = nn.ModuleList(nn.Linear(noise, w, bias=False) for w in (before, after))
        self.shifts = nn.ModuleList(nn.Linear(noise, w, bias=False) for w in (before, after))
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.beside = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, noise: Tensor, rows: Tables) -> Tensor:
        """Twice the side, of x (N, before, H, W), noise (N, noise) and both layers' rows."""
        y = self._normalised(0, x, noise, rows)
        y = convolve_doubled(y, self.first)
        y = self.second(self._normalised(1, y, noise, rows))
        own: Tensor = y + interpolate(self.beside(x), scale_factor=2.0)
        return own

    def _normalised(self, layer: int, x: Tensor, noise: Tensor, rows: Tables) -> Tensor:
        gain, shift = rows[layer]
        gain, shift = gain + self.gains[layer](noise), shift + self.shifts[layer](noise)
        return activated(self.norms[layer](x), gain, shift)


class BigTrunk(nn.Module):
    """Everything of a generator but what belongs to classes.

    Args:
        noise: numbers of noise, a multiple of the number of blocks and one.
        shape: of an image (channels, side, side).
        channels: what all widths are multiples of.
        attention: side after whose block there is self-attention; 0 for none.
    """

    def __init__(self, noise: int, shape: Sequence[int], channels: int, attention: int) -> None:
        super().__init__()
        widths = generator_widths(shape[1], channels)
        count = len(widths) - 1
        base = shape[1] >> count
        self.base, self.pieces = (widths[0], base, base), count + 1
        piece = noise // self.pieces
        self.start = nn.Linear(piece, widths[0] * base**2)
        self.blocks = nn.ModuleList(UpBlock(a, b, piece) for a, b in pairwise(widths))
        sides = [base << (number + 1) for number in range(count)]
        self.attention = nn.ModuleDict(
            {
                str(number): Attention(widths[number + 1])
                for number, side in enumerate(sides)
                if side == attention
            }
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.end = nn.Conv2d(widths[-1], shape[0], 3, padding=1)
        self.sizes = [width for pair in pairwise(widths) for width in pair]
        """Channels of each normalised layer."""
        begin_orthogonal(self)

    def forward(self, noise: Tensor, rows: Tables) -> Tensor:
        """Images (N, *shape) in [0, 1] of noise (N, noise) and each image's own rows (N, width)."""
        first, *pieces = noise.chunk(self.pieces, dim=1)
        x = self.start(first).view(-1, *self.base)
        for number, (block, piece) in enumerate(zip(self.blocks, pieces, strict=True)):
            x = block(x, piece, rows[2 * number : 2 * number + 2])
            if str(number) in self.attention:
                x = self.attention[str(number)](x)
        images: Tensor = (torch.tanh(self.end(relu(self.norm(x)))) + 1) / 2
        return images


class BigGenerator(AnyGenerator):
    """BigGAN's generator, the rows of its classes as tables.

    Args:
        classes: how many.
        noise, shape, channels, attention: see `BigTrunk`.
    """

    def __init__(
        self, classes: int, noise: int, shape: Sequence[int], channels: int, attention: int
    ) -> None:
        config = {
            "classes": classes,
            "noise": noise,
            "shape": list(shape),
            "channels": channels,
            "attention": attention,
        }
        super().__init__(BigTrunk(noise, shape, channels, attention), config)


def begin_orthogonal(module: nn.Module) -> None:
    """Draws weights with orthogonal rows or columns, as BigGAN begins."""
    for each in module.modules():
        if isinstance(each, nn.Linear | nn.Conv2d | nn.Embedding):
            nn.init.orthogonal_(each.weight)


def normalise(module: nn.Module) -> nn.Module:
    """Has every weight of linear layers and convolutions divided by its largest singular value."""
    for each in list(module.modules()):
        if isinstance(each, nn.Linear | nn.Conv2d) and not hasattr(each, "parametrizations"):
            spectral_norm(each)
    return module
