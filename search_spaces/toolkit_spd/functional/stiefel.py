"""Matrices with orthonormal columns: W (..., n, m) with W^T W = I, m <= n."""

import torch
from torch import Tensor

from .spectral import symmetrize


def random_stiefel(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return uniformly random orthonormal columns of a shape (..., n, m) with m <= n."""
    q, r = torch.linalg.qr(torch.randn(*shape, dtype=dtype))
    return q * _positive_sign(r)


def _positive_sign(r: Tensor) -> Tensor:
    return torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(r.dtype).unsqueeze(-2)


def project_tangent(w: Tensor, ambient: Tensor) -> Tensor:
    r"""Project on the tangent space: :math:`G - W \operatorname{sym}(W^\top G)`.

    Edelman, Arias and Smith (1998), embedded metric; (..., n, m) to (..., n, m).
    """
    return ambient - w @ symmetrize(w.mT @ ambient)


def retract_qr(w: Tensor) -> Tensor:
    """Return the Q factor, of positive diagonal R, of full-rank matrices (..., n, m)."""
    q, r = torch.linalg.qr(w)
    return q * _positive_sign(r)


def retract_cholesky(w: Tensor) -> Tensor:
    r"""Return the same Q factor through :math:`W^\top W = R^\top R`.

    For a tangent step from the manifold :math:`W^\top W = I + \xi^\top \xi`, so that the squared
    condition of this form costs no digits at the step lengths of an optimiser.
    """
    r = torch.linalg.cholesky(w.mT @ w, upper=True)
    return torch.linalg.solve_triangular(r, w, upper=True, left=False)
