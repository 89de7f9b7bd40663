"""Batched symmetric eigendecomposition by kernels of our own, on the CPU and on a GPU.

`torch.linalg.eigh` calls LAPACK for one matrix after the other, whose loops over 20 entries leave
most of the processor idle. The compiled library decomposes as many matrices at once as a vector
register has lanes, on the calling thread; `jacobi` does so on a GPU.
"""

import functools
import subprocess
import warnings
from types import ModuleType

import torch
from torch import Tensor

from toolkit.errors import ToolkitWarning

from ..functional.spectral import eigendecompose_by_torch
from . import library

# Largest n for which the kernel beats torch (`benchmarks/spd_eigh.py`), by instruction set.
_LARGEST = {
    torch.float64: (45, 128, 192),
    torch.float32: (93, 192, 256),
}
# `benchmarks/gpu.py eigh`.
_LARGEST_ON_GPU = {torch.float64: 64, torch.float32: 128}


def applies(x: Tensor) -> bool:
    """Return whether `batched_eigh` decomposes `x` (..., n, n) by a kernel."""
    if not library.is_plain(x) or x.dim() < 2 or x.shape[-1] != x.shape[-2]:
        return False
    n = x.shape[-1]
    if x.is_cuda:
        return 0 < n <= _LARGEST_ON_GPU[x.dtype] and x.numel() > 0 and _jacobi() is not None
    compiled = library.load()
    if compiled is None or not library.takes(x):
        return False
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
    On the CPU Householder tridiagonalisation and implicit QL (Golub and Van Loan, Matrix
    Computations, section 8.3), about :math:`9 n^3` operations; on a GPU Jacobi's method (section
    8.5). Backward error and loss of orthogonality are of order :math:`n \epsilon`, as LAPACK's. A
    matrix with an entry that is not finite gets NaN, where `torch.linalg.eigh` raises. Large n, few
    matrices, other devices and element types, and an installation without the compiled library or
    Triton go to `torch.linalg.eigh`.
    """
    x = x.detach()
    if not applies(x):
        return eigendecompose_by_torch(x)
    x = x.contiguous()
    values, vectors = x.new_empty(x.shape[:-1]), torch.empty_like(x)
    if x.is_cuda:
        _on_gpu(x, values, vectors)
        return values, vectors.mT
    compiled = library.load()
    assert compiled is not None
    n = x.shape[-1]
    failed = compiled.functions["eigh", x.dtype](
        compiled.instructions,
        x.data_ptr(),
        values.data_ptr(),
        vectors.data_ptr(),
        x.numel() // (n * n),
        n,
    )
    if failed:
        raise MemoryError(f"no memory to decompose matrices of size {n}")
    return values, vectors.mT


def _on_gpu(x: Tensor, values: Tensor, vectors: Tensor) -> None:
    jacobi = _jacobi()
    assert jacobi is not None
    matrices = x.flatten(0, -3) if x.dim() > 2 else x[None]
    with torch.cuda.device_of(x):
        jacobi.decompose(matrices, values, vectors, torch.finfo(x.dtype).eps)


@functools.cache
def _jacobi() -> ModuleType | None:
    # Triton's kernels, or None where it is missing, switched off, or can build nothing.
    if library.switched_off():
        return None
    try:
        from . import jacobi

        one = torch.ones(1, 1, 1, device="cuda")
        jacobi.decompose(one, torch.empty_like(one), torch.empty_like(one), 1e-7)
    except ImportError:  # torch for macOS or for the CPU alone
        return None
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        # Triton needs a C compiler for its launcher, which not every machine with a GPU has.
        message = f"torch decomposes matrices on the GPU, for Triton can build no kernel: {error}"
        warnings.warn(ToolkitWarning(message), stacklevel=2)
        return None
    return jacobi
