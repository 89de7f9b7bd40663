"""Convolutional backbones: images (batch, channels, h, w) to maps (batch, width, h', w').

Torch only: exported models carry this file. Parameter names of `Vgg` are those of torchvision's
`vgg16_bn().features`, those of `ResNet` with the ImageNet stem those of `resnet18()`, so published
weights load. With `folded`, batch norms have been folded into the convolutions before them
(`fold`), and are not there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VGG = {
    11: ((1, 1, 2, 2, 2)),
    13: ((2, 2, 2, 2, 2)),
    16: ((2, 2, 3, 3, 3)),
}
"""Convolutions in each of the five blocks (Simonyan and Zisserman, ICLR 2015, table 1)."""
VGG_WIDTHS = (64, 128, 256, 512, 512)
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def scaled(width: int, multiplier: float) -> int:
    """A width times a multiplier, at least 4."""
    return max(4, round(width * multiplier))


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool, folded: bool
) -> nn.Conv2d:
    """A convolution that keeps the size (divided by the stride); folded ones need a bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias or folded)


def norm(width: int, folded: bool) -> nn.Module:
    """Batch norm, or nothing where it is folded."""
    return nn.Identity() if folded else nn.BatchNorm2d(width)


class SmallCnn(nn.Sequential):
    """Blocks of two convolutions with batch norm, the width doubling and the size halving.

    Args:
        channels: of the images.
        depth: blocks; the map is 2^(depth - 1) times smaller than the image.
        width: of the first block; the later ones have 2, 4, ... times as much.
        kernel: size of the convolutions, odd.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        width: int,
        kernel: int = 3,
        activation: str = "relu",
        folded: bool = False,
    ) -> None:
        act = ACTIVATIONS[activation]
        layers: list[nn.Module] = []
        inputs = channels
        for block in range(depth):
            outputs = width * 2**block
            if block:
                layers.append(nn.MaxPool2d(2))
            for _ in range(2):
                layers.append(convolution(inputs, outputs, kernel, 1, bias=False, folded=folded))
                layers += [norm(outputs, folded), act()]
                inputs = outputs
        super().__init__(*layers)
        self.width = inputs
        self.blocks = depth

    def block_of(self, name: str) -> int:
        """Block, from 0, of a parameter, named as in `named_parameters`."""
        return int(name.split(".")[0]) // 7


class Vgg(nn.Sequential):
    """VGG's convolutions with batch norm: five blocks, each halving the size.

    Args:
        channels: of the images.
        depth: 11, 13 or 16.
        multiplier: of the widths 64, 128, 256, 512, 512.
        batch_norm: after each convolution.
    """

    def __init__(
        self,
        channels: int,
        depth: int = 16,
        multiplier: float = 1.0,
        batch_norm: bool = True,
        activation: str = "relu",
        folded: bool = False,
    ) -> None:
        act = ACTIVATIONS[activation]
        layers: list[nn.Module] = []
        starts = []
        inputs = channels
        for count, base in zip(VGG[depth], VGG_WIDTHS, strict=True):
            outputs = scaled(base, multiplier)
            starts.append(len(layers))
            for _ in range(count):
                layers.append(convolution(inputs, outputs, 3, 1, bias=True, folded=folded))
                layers += [norm(outputs, folded)] if batch_norm else []
                layers.append(act())
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        super().__init__(*layers)
        self.width = inputs
        self.blocks = 5
        self.starts = starts

    def block_of(self, name: str) -> int:
        """Block, from 0, of a parameter, named as in `named_parameters`."""
        layer = int(name.split(".")[0])
        return sum(layer >= start for start in self.starts) - 1


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al., CVPR 2016)."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, activation: str, folded: bool
    ) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride, bias=False, folded=folded)
        self.bn1 = norm(outputs, folded)
        self.conv2 = convolution(outputs, outputs, 3, 1, bias=False, folded=folded)
        self.bn2 = norm(outputs, folded)
        self.act = ACTIVATIONS[activation]()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            shortcut = convolution(inputs, outputs, 1, stride, bias=False, folded=folded)
            self.downsample = nn.Sequential(shortcut, norm(outputs, folded))

    def forward(self, maps: Tensor) -> Tensor:
        found = self.act(self.bn1(self.conv1(maps)))
        found = self.bn2(self.conv2(found))
        activated: Tensor = self.act(found + self.downsample(maps))
        return activated


class ResNet(nn.Module):
    """Residual network of basic blocks.

    Args:
        channels: of the images.
        depth: 18, with the ImageNet stem and four stages from width 64; or 6 m + 2 (8, 14, 20,
            32), with a 3x3 stem and three stages of m blocks from width 16.
        multiplier: of the widths.
    """

    def __init__(
        self,
        channels: int,
        depth: int = 20,
        multiplier: float = 1.0,
        activation: str = "relu",
        folded: bool = False,
    ) -> None:
        super().__init__()
        self.deep = depth == 18
        stages, each, base = (4, 2, 64) if self.deep else (3, (depth - 2) // 6, 16)
        inputs = scaled(base, multiplier)
        kernel, stride = (7, 2) if self.deep else (3, 1)
        self.conv1 = convolution(channels, inputs, kernel, stride, bias=False, folded=folded)
        self.bn1 = norm(inputs, folded)
        self.act = ACTIVATIONS[activation]()
        self.pool = nn.MaxPool2d(3, 2, 1) if self.deep else nn.Identity()
        self.stages = stages
        for stage in range(stages):
            outputs = scaled(base * 2**stage, multiplier)
            blocks = []
            for block in range(each):
                stride = 2 if stage and not block else 1
                blocks.append(BasicBlock(inputs, outputs, stride, activation, folded))
                inputs = outputs
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.width = inputs
        self.blocks = stages + 1

    def forward(self, images: Tensor) -> Tensor:
        maps = self.pool(self.act(self.bn1(self.conv1(images))))
        for stage in range(self.stages):
            maps = self.get_submodule(f"layer{stage + 1}")(maps)
        found: Tensor = maps
        return found

    def block_of(self, name: str) -> int:
        """Block, from 0 (the stem), of a parameter, named as in `named_parameters`."""
        head = name.split(".")[0]
        return int(head.removeprefix("layer")) if head.startswith("layer") else 0


BACKBONES = {"smallcnn": SmallCnn, "vgg": Vgg, "resnet": ResNet}


def build_backbone(kind: str, channels: int, settings: dict, folded: bool) -> nn.Module:
    """Build one by name with the keyword arguments of its class."""
    return BACKBONES[kind](channels, **settings, folded=folded)


@torch.no_grad()
def fold_norm(layer: nn.Conv2d, after: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what the layer and its batch norm do."""
    assert after.running_mean is not None and after.running_var is not None
    gain = (after.running_var.double() + after.eps).rsqrt()
    shift = torch.zeros_like(gain) if after.bias is None else after.bias.double()
    gain = gain if after.weight is None else gain * after.weight.double()
    bias = 0.0 if layer.bias is None else layer.bias.double()
    weight = layer.weight.double() * gain[:, None, None, None]
    return weight, (bias - after.running_mean.double()) * gain + shift


@torch.no_grad()
def fold(trained: nn.Module, folded: nn.Module) -> None:
    """Fill a backbone built with `folded=True` with what a trained one does in evaluation mode."""
    for name, module in trained.named_modules():
        if isinstance(module, nn.Conv2d):
            target = folded.get_submodule(name)
            assert isinstance(target, nn.Conv2d) and target.bias is not None
            after = trained.get_submodule(follower(name))
            if isinstance(after, nn.BatchNorm2d):
                weight, bias = fold_norm(module, after)
            else:
                assert module.bias is not None
                weight, bias = module.weight, module.bias
            target.weight.copy_(weight)
            target.bias.copy_(bias)


def follower(name: str) -> str:
    """Name of the module after a convolution: `conv1` -> `bn1`, `4` -> `5`."""
    *path, last = name.split(".")
    after = last.replace("conv", "bn") if last.startswith("conv") else str(int(last) + 1)
    return ".".join([*path, after])
