"""Symmetric matrices in torch, for modules that stand in front of an exported network.

Exported files take these functions in, so this module imports torch alone. What is computed here
equals what `toolkit.datasets.matrices` computes with NumPy for the training.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import torch


def with_ridge(matrices: torch.Tensor, ridge: float) -> torch.Tensor:
    """Returns (..., n, n) with `ridge` times the mean eigenvalue (trace / n) on the diagonal."""
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return matrices + ridge * mean_of_eigenvalues(matrices) * eye


def mean_of_eigenvalues(matrices: torch.Tensor) -> torch.Tensor:
    """Returns trace over size, (..., 1, 1)."""
    trace = matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
    return (trace / matrices.shape[-1])[..., None, None]


def as_real(matrices: torch.Tensor, embedding: str) -> torch.Tensor:
    """Returns the real symmetric form of symmetric or Hermitian matrices (..., n, n), in double.

    Args:
        matrices: A + iB, or real ones, which are symmetrised.
        embedding: "real_part" for A; "real_embedding" for [[A, -B], [B, A]], (..., 2n, 2n).
    """
    real = (matrices.real if matrices.is_complex() else matrices).double()
    real = (real + real.mT) / 2
    if embedding == "real_part" or not matrices.is_complex():
        return real
    imaginary = matrices.imag.double()
    imaginary = (imaginary - imaginary.mT) / 2
    top = torch.cat([real, -imaginary], -1)
    return torch.cat([top, torch.cat([imaginary, real], -1)], -2)


def covariance_of(rows: torch.Tensor) -> torch.Tensor:
    """Returns the sample covariance (..., d, d) of rows (..., time, d)."""
    centred = rows - rows.mean(-2, keepdim=True)
    return centred.mT @ centred / (rows.shape[-2] - 1)


def with_mean(matrices: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Returns [[C + mm', m], [m', 1]] (Calvo and Oller 1990), of one row more.

    Args:
        matrices: C, (..., d, d).
        means: m, (..., d).
    """
    column = means[..., None]
    upper = torch.cat([matrices + column @ column.mT, column], -1)
    one = torch.ones_like(column[..., :1, :])
    return torch.cat([upper, torch.cat([column.mT, one], -1)], -2)
