"""Batches of a data set on a device: which samples in which order, and how they are fetched.

For plugin authors, whose `fit` or supernet search may be made of the same parts: every public name
is stable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Inputs (batch, ...) and labels (batch,)."""

RESIDENT_BYTES = 2**30
"""A data set of tensors up to this size is kept on the device for a whole trial."""


def length(dataset: Dataset[Any]) -> int:
    """Number of samples of a map-style data set."""
    return len(dataset)  # type: ignore[arg-type]


def place(dataset: Dataset[Any], device: torch.device) -> Dataset[Any]:
    """Move a small data set of tensors to the device, once; leave any other where it is."""
    if not isinstance(dataset, TensorDataset):
        return dataset
    size = sum(tensor.numel() * tensor.element_size() for tensor in dataset.tensors)
    if size > RESIDENT_BYTES:
        return dataset
    return TensorDataset(*(tensor.to(device) for tensor in dataset.tensors))


def labels_of(dataset: Dataset[Any]) -> torch.Tensor:
    """Labels (N,) of a data set, on the CPU, without loading its inputs where that can be."""
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1].cpu()
    if isinstance(dataset, Subset):
        return labels_of(dataset.dataset)[torch.as_tensor(dataset.indices)]
    targets = getattr(dataset, "targets", None)
    if targets is not None:
        return torch.as_tensor(targets)
    return torch.tensor(
        [torch.as_tensor(dataset[index][1]).item() for index in range(length(dataset))]
    )


def stratified_share(dataset: Dataset[Any], share: float, seed: int) -> Dataset[Any]:
    """A share of a data set, the same of each class (at least one sample), or of all values.

    Smaller shares of equal seed are parts of larger ones.
    """
    labels = labels_of(dataset)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kept = []
    groups = torch.zeros_like(labels) if labels.is_floating_point() else labels
    for group in groups.unique():
        members = order[groups[order] == group]
        kept.append(members[: max(1, math.ceil(share * len(members) - 1e-9))])
    indices = torch.cat(kept).sort().values
    if isinstance(dataset, TensorDataset):
        return TensorDataset(*(tensor[indices] for tensor in dataset.tensors))
    return Subset(dataset, indices.tolist())


def shuffled(count: int, batch_size: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Indices of one epoch in random order, cut into batches.

    A last batch of a single sample is left out: batch statistics of one sample mean nothing.
    Another order puts another sample there, so none is left out for good.
    """
    batches = list(torch.randperm(count, generator=generator).split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches.pop()
    return batches


def drawn(
    count: int, batch_size: int, batches: int, generator: torch.Generator
) -> list[torch.Tensor]:
    """Independent random batches, each without repetition inside it."""
    return [torch.randperm(count, generator=generator)[:batch_size] for _ in range(batches)]


def in_order(count: int, batch_size: int) -> list[torch.Tensor]:
    """Every index once, in order, cut into batches."""
    return list(torch.arange(count).split(batch_size))


def as_indices(batches: Iterable[Any]) -> list[torch.Tensor]:
    """What a learner's own sampler yielded for one epoch, as index tensors."""
    return [torch.as_tensor(batch, dtype=torch.int64) for batch in batches]


def fetch(
    dataset: Dataset[Any], batches: Sequence[torch.Tensor], device: torch.device
) -> Iterator[Batch]:
    """Yield the samples of each batch of indices, on the device.

    A `TensorDataset` is indexed as a whole; any other data set goes through a `DataLoader` in this
    process, so that random augmentations draw from torch's global generator and can be resumed.
    """
    if isinstance(dataset, TensorDataset):
        inputs, labels = dataset.tensors
        if inputs.device.type == device.type and device.index in (None, inputs.device.index):
            for indices in _on(inputs.device, batches):
                yield inputs[indices], labels[indices]
            return
        for indices in batches:
            yield inputs[indices].to(device), labels[indices].to(device)
        return
    pinned = device.type == "cuda"
    loader = DataLoader(
        dataset,
        batch_sampler=[batch.tolist() for batch in batches],
        pin_memory=pinned,
        generator=torch.Generator(),  # or it would draw from the global one, which models use
    )
    for fetched_inputs, fetched_labels in loader:
        yield (
            fetched_inputs.to(device, non_blocking=pinned),
            fetched_labels.to(device, non_blocking=pinned),
        )


def _on(device: torch.device, batches: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The batches of indices on a device, moved all at once: a copy each would stall a GPU."""
    if not batches:
        return
    sizes = [len(batch) for batch in batches]
    yield from torch.cat(list(batches)).to(device).split(sizes)
