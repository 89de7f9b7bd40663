"""The running mean of a generator's weights, and the statistics that fit it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def follow(mean: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Moves a running mean of weights on; its decay is smaller in the first steps.

    Args:
        mean: the running mean, of the same class.
        model: what has just made step `step`, counted from 1.
        decay: of the mean; 0 for the model itself.
    """
    own = min(decay, step / (step + 9))
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(mean.parameters(), model.parameters(), strict=True)
        if theirs.requires_grad
    ]
    if pairs:
        ours, theirs = (list(each) for each in zip(*pairs, strict=True))
        torch._foreach_lerp_(ours, theirs, 1 - own)


@torch.no_grad()
def renew_statistics(module: nn.Module, batches: list[tuple[Tensor, ...]]) -> None:
    """Computes batch normalisation's statistics anew, as the means over some batches."""
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    kept = [each.momentum for each in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # The plain mean of all batches.
    module.train()
    for batch in batches:
        module(*batch)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    module.eval()
