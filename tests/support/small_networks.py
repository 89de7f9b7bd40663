"""A small network to train on two blobs, and a comparison of what two trainings came to."""

from __future__ import annotations

import torch
from torch import nn

from toolkit.contracts import Learner


def small_learner(cls: type[Learner] = Learner, seed: int = 0) -> Learner:
    """Makes a learner of a network whose training needs a generator and keeps statistics."""
    torch.manual_seed(seed)
    layers = nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
    return cls(nn.Sequential(*layers), lr=0.02)


def equal_states(first: Learner, second: Learner) -> bool:
    """Says whether two networks' weights and statistics are equal to the bit."""
    pairs = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
