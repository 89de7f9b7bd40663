from __future__ import annotations

import torch
from torch.utils.data import Subset, TensorDataset

from toolkit.training import batches


def test_a_shuffle_covers_every_sample_unless_one_would_stand_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    assert torch.cat(batches.shuffled(10, 4, draw)).sort().values.tolist() == list(range(10))
    assert [len(batch) for batch in batches.shuffled(9, 4, draw)] == [4, 4]
    assert [len(batch) for batch in batches.shuffled(1, 4, draw)] == [1]


def test_equal_generators_give_equal_orders() -> None:
    first, second = (batches.shuffled(50, 7, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_labels_are_found_in_tensors_subsets_and_targets() -> None:
    labels = torch.tensor([2, 0, 1, 1])
    tensors = TensorDataset(torch.zeros(4, 3), labels)
    assert batches.labels_of(tensors).tolist() == [2, 0, 1, 1]
    assert batches.labels_of(Subset(tensors, [3, 0])).tolist() == [1, 2]


def test_drawn_batches_repeat_no_sample_inside_themselves() -> None:
    for batch in batches.drawn(20, 8, 30, torch.Generator().manual_seed(0)):
        assert len(set(batch.tolist())) == 8
