"""Random SPD matrices."""

from __future__ import annotations

import torch
from torch import Tensor


def random_spd(*shape: int, seed: int = 0, dof: int = 3) -> Tensor:
    """Returns sample covariances (..., n, n), each of `dof * n` standard normal vectors."""
    generator = torch.Generator().manual_seed(seed)
    n = shape[-1]
    x = torch.randn(*shape[:-1], dof * n, generator=generator, dtype=torch.float64)
    return x @ x.mT / (dof * n)
