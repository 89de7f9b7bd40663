"""The whole network, images to scores: backbone, projection to features, head.

Torch only: exported models carry this file. The head is a linear layer or a perceptron whichever
way it was learned; a classifier of the null space is such a linear layer (see `classifier`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.datasets.targets import Units

from .backbones import build_backbone


class Unit(nn.Module):
    """Rows of unit length."""

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(features, dim=1)


class Network(nn.Module):
    """Images (batch, channels, h, w), numbers in [0, 1], to scores (batch, classes).

    Args:
        channels: of the images.
        classes: number of classes.
        backbone: `{"kind": ..., and its settings}`, see `backbones`.
        map_size: height and width of the backbone's map.
        projection: how a map becomes features. `gap`: averages; `gap_linear`: averages and a
            linear layer; `conv`: one convolution as large as the map; `pool7`: the map averaged
            or repeated to 7 x 7, as VGG does.
        dim: number of features of `gap_linear` and `conv`.
        post: after the projection: `none`, `bn`, `bn_noaffine`, `l2norm`.
        hidden: widths of the head's hidden layers, each with ReLU and dropout.
        dropout: its probability.
        size: height and width the images are resized to first, or None.
        mean: subtracted from the images, by channel.
        std: what they are then divided by.
        folded: batch norms are folded into the layers before them.
        merged: the head's first layer is, too, folded into the projection.
        values: the network gives values (batch, 1) in units, and `classes` is 1.
        null_dims: dimensions of the joint null space, where the head is a classifier in it whose
            class points are kept, to measure novelty; 0 where they are not.
    """

    mean: Tensor
    std: Tensor
    class_points: Tensor
    present: Tensor
    temperature: Tensor

    def __init__(
        self,
        channels: int,
        classes: int,
        backbone: dict,
        map_size: list,
        projection: str = "gap_linear",
        dim: int = 256,
        post: str = "bn",
        hidden: tuple | list = (),
        dropout: float = 0.0,
        size: list | None = None,
        mean: tuple | list = (0.5,),
        std: tuple | list = (0.5,),
        folded: bool = False,
        merged: bool = False,
        values: bool = False,
        null_dims: int = 0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "backbone": dict(backbone),
            "map_size": list(map_size),
            "projection": projection,
            "dim": dim,
            "post": post,
            "hidden": list(hidden),
            "dropout": dropout,
            "size": size and list(size),
            "mean": list(mean),
            "std": list(std),
            "folded": folded,
            "merged": merged,
            "values": values,
            "null_dims": null_dims,
        }
        self.size = size and tuple(size)
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))
        settings = {name: value for name, value in backbone.items() if name != "kind"}
        self.backbone = build_backbone(backbone["kind"], channels, settings, folded)
        width = int(self.backbone.width)  # type: ignore[arg-type]
        self.projection, features = project(projection, width, map_size, dim)
        self.post = normalise(post, features)
        self.head = perceptron(features, hidden, classes, dropout, merged)
        self.units = Units() if values else None
        if null_dims:
            self.register_buffer("class_points", torch.zeros(classes, null_dims))
            self.register_buffer("present", torch.zeros(classes, dtype=torch.bool))
            self.register_buffer("temperature", torch.ones(()))

    def features(self, images: Tensor) -> Tensor:
        """What the head sees: (batch, d)."""
        images = (images - self.mean) / self.std
        if self.size and tuple(images.shape[2:]) != self.size:
            images = functional.interpolate(images, self.size, mode="bilinear", align_corners=False)
        features: Tensor = self.post(self.projection(self.backbone(images)))
        return features

    def judged(self, features: Tensor) -> Tensor:
        """What the head makes of features (batch, d): scores (batch, classes), or values."""
        found: Tensor = self.head(features)
        return found if self.units is None else self.units(found)

    def forward(self, images: Tensor) -> Tensor:
        return self.judged(self.features(images))

    def novelty(self, scores: Tensor) -> Tensor | None:
        r"""Distances (batch,) in the joint null space to the nearest class point; None without one.

        Scores (batch, classes) of such a classifier are :math:`(z \cdot p_c - |p_c|^2 / 2) / t`.
        As the class points span the space, they say where :math:`z` lies.
        """
        if not self.config["null_dims"] or not bool(self.present.any()):
            return None
        points = self.class_points[self.present].double()
        products = scores[:, self.present].double() * self.temperature.double()
        inner = products + points.square().sum(1) / 2
        return torch.cdist(inner @ torch.linalg.pinv(points).mT, points).amin(1)


def project(kind: str, width: int, map_size: list, dim: int) -> tuple[nn.Module, int]:
    """A projection and the number of features it gives."""
    if kind == "conv":
        return nn.Sequential(nn.Conv2d(width, dim, tuple(map_size)), nn.Flatten()), dim
    if kind == "pool7":
        return nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.Flatten()), width * 49
    average = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if kind == "gap":
        return nn.Sequential(*average), width
    return nn.Sequential(*average, nn.Linear(width, dim)), dim


def normalise(kind: str, features: int) -> nn.Module:
    """What follows the projection."""
    if kind == "l2norm":
        return Unit()
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm1d(features, affine=kind == "bn")


def perceptron(
    features: int, hidden: tuple | list, classes: int, dropout: float, merged: bool
) -> nn.Sequential:
    """Linear layers with ReLU and dropout between; without the first one if it is merged."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout)]
        features = width
    layers.append(nn.Linear(features, classes))
    return nn.Sequential(*layers[1:] if merged else layers)
