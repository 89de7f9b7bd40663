"""Batched symmetric eigendecomposition on the CPU, one matrix in each vector lane.

`torch.linalg.eigh` calls LAPACK for one matrix after the other, whose loops over 20 entries leave
most of the processor idle. The compiled library decomposes as many matrices at once as a vector
register has lanes, on the calling thread.
"""

import torch
from torch import Tensor

from ..functional.spectral import eigendecompose_by_torch
from . import library

# Largest n for which the kernel beats torch (`benchmarks/spd_eigh.py`), by instruction set.
_LARGEST = {
    torch.float64: (45, 128, 192),
    torch.float32: (93, 192, 256),
}


def applies(x: Tensor) -> bool:
    """Return whether `batched_eigh` decomposes `x` (..., n, n) by the kernel."""
    compiled = library.load()
    if compiled is None or not library.takes(x) or x.dim() < 2 or x.shape[-1] != x.shape[-2]:
        return False
    n = x.shape[-1]
    lanes = (16 << compiled.instructions) // x.element_size()
    # A few matrices leave most lanes empty: worth it only where torch is several times slower.
    fewest = min(3, lanes) if n <= 45 else lanes
    return 0 < n <= _LARGEST[x.dtype][compiled.instructions] and x.numel() >= fewest * n * n


def batched_eigh(x: Tensor) -> tuple[Tensor, Tensor]:
    r"""Eigendecomposition :math:`X = U \operatorname{diag}(s) U^\top`, without gradient.

    Parameters
    ----------
    x : Tensor
        Symmetric matrices (..., n, n), of which the lower triangle is read.

    Returns
    -------
    tuple of Tensor
        Eigenvalues (..., n), ascending, and eigenvectors (..., n, n) in columns.

    Notes
    -----
    Householder tridiagonalisation and implicit QL (Golub and Van Loan, Matrix Computations,
    section 8.3), about :math:`9 n^3` operations; backward error and loss of orthogonality are of
    order :math:`n \epsilon`, as LAPACK's. A matrix with an entry that is not finite gets NaN,
    where `torch.linalg.eigh` raises. Large n, few matrices, other devices and element types, and
    an installation without the compiled library go to `torch.linalg.eigh`.
    """
    x = x.detach()
    compiled = library.load()
    if compiled is None or not applies(x):
        return eigendecompose_by_torch(x)
    x = x.contiguous()
    n = x.shape[-1]
    values = x.new_empty(x.shape[:-1])
    rows = torch.empty_like(x)
    failed = compiled.functions["eigh", x.dtype](
        compiled.instructions,
        x.data_ptr(),
        values.data_ptr(),
        rows.data_ptr(),
        x.numel() // (n * n),
        n,
    )
    if failed:
        raise MemoryError(f"no memory to decompose matrices of size {n}")
    return values, rows.mT
