"""What a head is compared by, beside accuracy: cost of the deployed model, collapse, novelty."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from toolkit_nullspace.classifier import ClassStatistics, NullSpaceClassifier


class Latency(NamedTuple):
    """Wall-clock time of one call, in milliseconds: median and half the interquartile range."""

    median_ms: float
    spread_ms: float


@torch.no_grad()
def multiply_adds(module: nn.Module, example: Tensor) -> int:
    """Multiply-adds of convolutions and linear layers, per sample, from images to scores.

    Args:
        module: the deployed model.
        example: a batch of its inputs; only the shapes count.
    """
    total = 0

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            kernel = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
            total += output.numel() * kernel
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features

    hooks = [
        layer.register_forward_hook(count)
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    was_training = module.training
    try:
        module.eval()(example)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return total // len(example)


@torch.inference_mode()
def latency(module: nn.Module, example: Tensor, *, warmup: int = 3, runs: int = 20) -> Latency:
    """Time of the whole model on one batch, images to scores; a GPU is waited for.

    Args:
        module: the deployed model, on the device to be measured.
        example: the batch, on the same device.
        warmup: calls that are not timed.
        runs: calls that are.
    """
    module.eval()
    times = []
    for run in range(warmup + runs):
        _wait(example)
        start = time.perf_counter()
        module(example)
        _wait(example)
        if run >= warmup:
            times.append((time.perf_counter() - start) * 1e3)
    quarters = statistics.quantiles(times, n=4)
    return Latency(statistics.median(times), (quarters[2] - quarters[0]) / 2)


def collapse_ratio(features: Tensor, labels: Tensor, classes: int) -> float:
    r""":math:`\\mathrm{tr} S_w / \\mathrm{tr} S_b`: 0 where every class is one point (NC1).

    Of features (n, d), or of their projections into a discriminant space.
    """
    found = ClassStatistics(classes, features.shape[1], features.device)
    found.add(features, labels)
    mean = found.counts @ found.means / found.counts.sum()
    between = (found.counts[:, None] * (found.means - mean).square()).sum()
    return float(found.within.diagonal().sum() / between)


def discriminant_collapse(
    classifier: NullSpaceClassifier, features: Tensor, labels: Tensor
) -> float:
    """`collapse_ratio` inside a fitted classifier's space, lengths as they are among the features.

    The projection is made orthonormal first: whitening, fitted to the training features, would
    flatter them.
    """
    basis = torch.linalg.qr(classifier.projection)[0]
    inside = (features.to(basis) - classifier.mean) @ basis
    return collapse_ratio(inside, labels, len(classifier.points))


def auroc(known: Tensor, novel: Tensor) -> float:
    """Probability that a novel input scores above a known one, ties counted half.

    Args:
        known: novelty scores (n,) of inputs of known classes.
        novel: novelty scores (m,) of inputs of other classes.
    """
    values, order = torch.cat([known, novel]).double().sort()
    _, inverse, counts = torch.unique_consecutive(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts - 1) / 2)[inverse]
    of_novel = ranks[order >= len(known)].sum()
    pairs = len(known) * len(novel)
    return float((of_novel - len(novel) * (len(novel) + 1) / 2) / pairs)


def plane(classifier: NullSpaceClassifier, features: Tensor) -> tuple[Tensor, Tensor]:
    """Features (n, 2) and class points (C, 2) on the plane in which the class points lie widest.

    For a drawing of the learned joint null space.
    """
    points = classifier.points - classifier.points[classifier.present].mean(0)
    axes = torch.linalg.svd(points[classifier.present], full_matrices=False)[2][:2].T
    origin = classifier.points[classifier.present].mean(0)
    return (classifier.project(features) - origin) @ axes, points @ axes


def _wait(example: Tensor) -> None:
    if example.device.type == "cuda":
        torch.cuda.synchronize(example.device)
