"""Symmetric matrices that are hard to decompose, and what an eigendecomposition has to hold."""

from __future__ import annotations

import torch
from torch import Tensor

# QL and Jacobi's method make some n rotations of each entry, each wrong by a few epsilon; in the
# Frobenius norm, random signs leave a small multiple of n.
FACTOR = 10


def check_eigen(x: Tensor, values: Tensor, vectors: Tensor) -> None:
    """Eigenvalues ascend; reconstruction, orthogonality and eigenvalues are as good as LAPACK's."""
    n = x.shape[-1]
    eps = torch.finfo(x.dtype).eps
    assert values.shape == x.shape[:-1] and vectors.shape == x.shape
    assert (values.diff(dim=-1) >= 0).all()
    # Scaled by a power of two, the check itself neither overflows nor underflows.
    largest = x.abs().amax((-1, -2), keepdim=True).to(torch.float64)
    scale = torch.exp2(-torch.floor(torch.log2(torch.where(largest > 0, largest, 1.0))))
    s, u = values.double() * scale[..., 0], vectors.double()
    a = x.double() * scale
    a = a.tril() + a.tril(-1).mT
    norm = torch.linalg.matrix_norm(a).clamp_min(1)
    residual = torch.linalg.matrix_norm((u * s.unsqueeze(-2)) @ u.mT - a)
    assert (residual <= FACTOR * n * eps * norm).all()
    eye = torch.eye(n, dtype=torch.float64)
    assert (torch.linalg.matrix_norm(u.mT @ u - eye) <= FACTOR * n * eps).all()
    exact = torch.linalg.eigvalsh(a)
    assert ((s - exact).abs().amax(-1) <= FACTOR * n * eps * norm).all()


def symmetric(batch: int, n: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    x = torch.randn(batch, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (x + x.mT).to(dtype)


def with_spectrum(values: Tensor, dtype: torch.dtype) -> Tensor:
    n = values.shape[-1]
    q = torch.linalg.qr(symmetric(9, n, torch.float64)).Q
    x = (q * values.double()) @ q.mT
    return ((x + x.mT) / 2).to(dtype)


SPECTRA = {
    "condition 1e12": torch.logspace(-12, 0, 20),
    "condition 1e12, descending": torch.logspace(0, -12, 20),
    "two repeated eigenvalues": torch.tensor([1.0] * 11 + [2.0] * 9),
    "all equal": torch.full((20,), 2.0),
    "one clustered": torch.cat([1 + 1e-14 * torch.arange(10.0), torch.arange(2.0, 12.0)]),
    "rank 3": torch.tensor([0.0] * 17 + [1.0, 2.0, 3.0]),
    "rank 1, indefinite": torch.tensor([-1.0] + [0.0] * 19),
    "odd signs": torch.tensor([-1.0, 1.0] * 10),
}


def structured(n: int, dtype: torch.dtype) -> dict[str, Tensor]:
    eye = torch.eye(n, dtype=torch.float64)
    line = torch.arange(1, n + 1, dtype=torch.float64)
    chain = torch.diag_embed(torch.ones(n - 1, dtype=torch.float64), -1)
    blocks = torch.block_diag(*[torch.ones(2, 2, dtype=torch.float64)] * (n // 2))
    graded = torch.exp2(-6 * torch.minimum(line[:, None], line[None]))
    return {
        "zero": 0 * eye,
        "identity": eye,
        "twice identity": 2 * eye,
        "diagonal": torch.diag(line.flip(0)),
        "negative": -torch.diag(line),
        "second difference": 2 * eye - chain - chain.mT,
        "zero diagonal": chain + chain.mT,
        "Wilkinson": torch.diag((line - (n + 1) / 2).abs()) + chain + chain.mT,
        "blocks": blocks,
        "ones": torch.ones(n, n, dtype=torch.float64),
        "graded downwards": graded,
        "graded upwards": graded.flip(0, 1),
        "arrow": torch.diag(line) + (line[:, None] == 1) + (line[None] == 1),
    }
