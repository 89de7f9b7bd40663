"""Features of data sets under a network, and their class statistics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.training import batches
from toolkit_nullspace.classifier import ClassStatistics
from toolkit_nullspace.network import Network

BATCH = 256
"""Images that the backbone sees at once."""


def features_of(
    network: Network, data: Dataset[Any], most: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields features (n, d) and labels (n,) batch by batch, as the network stands.

    Args:
        network: in evaluation mode, on the device to compute on.
        data: images with labels.
        most: so many images at most, evenly spread; all if None.
    """
    device = next(network.parameters()).device
    count = batches.length(data)
    kept = torch.arange(count)
    if most is not None and count > most:
        kept = torch.arange(most) * count // most
    with torch.no_grad():
        for images, labels in batches.fetch(data, list(kept.split(BATCH)), device):
            yield network.features(images), labels


def summarise(network: Network, found: Iterable[tuple[Tensor, Tensor]]) -> ClassStatistics:
    """Returns the class statistics of batches of features and labels."""
    device = next(network.parameters()).device
    statistics = ClassStatistics(network.config["classes"], width(network), device)
    for features, labels in found:
        statistics.add(features, labels)
    return statistics


def width(network: Network) -> int:
    """Returns the number of features that the head reads."""
    return int(cast(nn.Linear, network.head[0]).in_features)
