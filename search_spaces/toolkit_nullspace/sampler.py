"""Class-balanced batches: P classes times K samples each."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class BalancedBatches:
    """Batches of indices for one epoch, K samples of each of P classes.

    Classes and samples come in seeded random order, each once before any comes again, so that a
    rare class is repeated and a frequent one thinned. An epoch has as many batches as its samples
    fill, at least one.

    Args:
        labels: (N,) class indices.
        classes: P, cut down to the classes there are.
        samples: K.
        seed: of the order.
    """

    def __init__(self, labels: Tensor, classes: int, samples: int, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        present = labels.unique().tolist()
        self.members = {label: (labels == label).nonzero().flatten() for label in present}
        self.classes = min(classes, len(present))
        self.samples = samples
        self.batches = max(1, len(labels) // (self.classes * samples))

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Tensor]:
        order = self._endless(torch.tensor(sorted(self.members)))
        streams = {label: self._endless(own) for label, own in self.members.items()}
        for _ in range(self.batches):
            chosen: list[int] = []
            while len(chosen) < self.classes:
                label = int(next(order))
                if label not in chosen:
                    chosen.append(label)
            yield torch.stack(
                [next(streams[label]) for label in chosen for _ in range(self.samples)]
            )

    def _endless(self, values: Tensor) -> Iterator[Tensor]:
        while True:
            yield from values[torch.randperm(len(values), generator=self.generator)]
