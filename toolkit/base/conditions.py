"""How a generator is asked for samples: what its one input is made of.

A deployed model whose outputs are images takes one tensor (N, noise + classes): standard normal
noise, and behind it the weight of each class, 1 for the class that is asked for. Weights between 0
and 1 blend classes. This file imports torch alone, and exported models take it in.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import torch


def conditions(
    labels: torch.Tensor, classes: int, noise: int, generator: torch.Generator
) -> torch.Tensor:
    """Returns a generator's input (N, noise + classes) for labels (N,), on the labels' device.

    Args:
        labels: indices of the classes that are asked for.
        classes: how many there are.
        noise: numbers of noise in front of them.
        generator: of the noise, on the CPU.
    """
    drawn = torch.randn(len(labels), noise, generator=generator)
    asked = torch.nn.functional.one_hot(labels.cpu(), classes).float()
    return torch.cat([drawn, asked], 1).to(labels.device)
