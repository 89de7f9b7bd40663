"""The hinge losses of both networks (Lim and Ye, 2017; Miyato et al., ICLR 2018)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E relu(1 - D(x, y)) + E relu(1 + D(G(z, y), y))."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """- E D(G(z, y), y)."""
    return -fake.mean()
