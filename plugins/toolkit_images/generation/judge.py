"""The judge: a small network that tells all classes apart, whose features distances are taken in.

Trained on source images and the target classes' validation images, never on shots or test images,
with one fixed seed: the unit of every distance is its. It is kept by the content of what it saw.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu
from torch.utils.data import TensorDataset

from toolkit.base.files import write_atomically
from toolkit_images.generation.distances import (
    coverage,
    frechet,
    gaussian_distance,
    kernel_distance,
    precision,
)

FEATURES = 64
_VERSION = 3
_EPOCHS, _BATCH, _LR = 8, 128, 3e-3
_LEAST_STEPS = 300


class Seeing(Protocol):
    """Features of images to take distances in, and their classes as a judge tells them."""

    def to(self, device: torch.device) -> Seeing:
        """The same on a device."""
        ...

    def told(self, images: Tensor) -> Tensor:
        """Scores (N, classes) of images (N, C, H, W) in [0, 1]."""
        ...

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, d) and scores (N, classes) of images (N, C, H, W) in [0, 1]."""
        ...


class Judge(nn.Module):
    """Three convolutions, the mean over the image, and a linear layer.

    Args:
        channels: of an image.
        classes: target classes first, then source classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(channels, 16, 3, stride=2, padding=1),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.Conv2d(32, FEATURES, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in (16, 32, FEATURES))
        self.head = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """Features (N, 64)."""
        x = images
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = relu(norm(conv(x)))
        return x.mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (N, classes)."""
        scores: Tensor = self.head(self.features(images))
        return scores

    def told(self, images: Tensor) -> Tensor:
        """Scores (N, classes) of many images, in evaluation mode."""
        return self.seen(images)[1]

    @torch.no_grad()
    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 64) and scores (N, classes) of many images, in evaluation mode."""
        self.eval()
        device = self.head.weight.device
        parts = [self.features(part.to(device)) for part in images.split(512)]
        features = torch.cat(parts)
        return features, self.head(features)


@dataclass(eq=False)
class Bench:
    """Real images of one part of the data, and who judges.

    Attributes:
        judge: the judge.
        first: index of label 0 among the judge's classes.
    """

    judge: Seeing
    first: int


class JudgedImages(TensorDataset):
    """Real images in [0, 1] with labels, and the judge of what is generated in their stead."""

    def __init__(self, images: Tensor, labels: Tensor, bench: Bench) -> None:
        super().__init__(images, labels)
        self.bench = bench


def compare(real: Tensor, made: Tensor, labels: Tensor, bench: Bench) -> dict[str, float]:
    """Every distance between real images and as many of the same classes that were made.

    Args:
        real, made: images (N, C, H, W); the real ones may be on another device.
        labels: classes (N,) of both.
        bench: who judges.
    """
    judge = bench.judge.to(made.device)
    (a, _), (b, scores) = judge.seen(real), judge.seen(made)
    asked = labels.to(scores.device)
    classes = [asked == label for label in asked.unique()]
    return {
        "class_fid": sum(frechet(a[own], b[own]) for own in classes) / len(classes),
        "fid": frechet(a, b),
        "kid": kernel_distance(a, b),
        "kmmd": gaussian_distance(a, b),
        "kmmd_pixels": gaussian_distance(real.flatten(1).to(made.device), made.flatten(1)),
        "coverage": sum(coverage(a[own], b[own]) for own in classes) / len(classes),
        "precision": sum(precision(a[own], b[own]) for own in classes) / len(classes),
        "class_accuracy": float((scores.argmax(1) == asked + bench.first).double().mean()),
    }


def trained_judge(images: Tensor, labels: Tensor, classes: int, folder: Path) -> Judge:
    """A judge trained on images (N, C, H, W) and labels, or the same out of a cache.

    Args:
        images, labels: what it learns.
        classes: how many there are.
        folder: of the cache.
    """
    path = folder / f"{_mark(images, labels)}.pt"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = Judge(images.shape[1], classes)
    if path.is_file():
        judge.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return judge.eval()
    _train(judge, images, labels)
    stream = io.BytesIO()
    torch.save(judge.state_dict(), stream)
    write_atomically(path, stream.getvalue())
    return judge.eval()


def _train(judge: Judge, images: Tensor, labels: Tensor) -> None:
    """Adam with a rate that falls in a straight line; every class counts alike in the loss."""
    drawing = torch.Generator().manual_seed(0)
    size = min(_BATCH, max(len(images) // 8, 2))
    epochs = max(_EPOCHS, -(-_LEAST_STEPS * size // len(images)))
    steps = epochs * -(-len(images) // size)
    optimizer = torch.optim.Adam(judge.parameters(), lr=_LR)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    counts = labels.bincount().clamp_min(1).float()
    weights = counts.mean() / counts
    judge.train()
    with torch.enable_grad():
        for _ in range(epochs):
            for own in torch.randperm(len(images), generator=drawing).split(size):
                if len(own) < 2:
                    continue
                optimizer.zero_grad(set_to_none=True)
                cross_entropy(judge(images[own]), labels[own], weights).backward()
                optimizer.step()
                schedule.step()


def _mark(images: Tensor, labels: Tensor) -> str:
    found = hashlib.sha256(f"{_VERSION} {tuple(images.shape)}".encode())
    for tensor in (images, labels):
        found.update(tensor.contiguous().numpy().tobytes())
    return f"judge-{found.hexdigest()[:16]}"


def known_share(*parts: JudgedImages) -> float:
    """Share of real images whose class the judge tells, as the mean over all classes."""
    shares = []
    for data in parts:
        images, labels = data.tensors
        right = data.bench.judge.told(images).argmax(1).cpu() == labels + data.bench.first
        shares += [float(right[labels == label].double().mean()) for label in labels.unique()]
    return sum(shares) / len(shares)
