"""Batched symmetric eigendecomposition on the CPU, one matrix in each vector lane.

`torch.linalg.eigh` calls LAPACK for one matrix after the other, whose loops over 20 entries leave
most of the processor idle. The compiled library decomposes as many matrices at once as a vector
register has lanes, on the calling thread.

The environment variable ``TOOLKIT_SPD_KERNEL`` chooses: ``auto`` (default), ``off``, or the
instruction set ``baseline``, ``avx2`` or ``avx512`` if the processor has it.
"""

import ctypes
import functools
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

SWITCH = "TOOLKIT_SPD_KERNEL"
_INSTRUCTIONS = ("baseline", "avx2", "avx512")
# Largest n for which the kernel beats torch (`benchmarks/spd_eigh.py`), by instruction set.
_LARGEST = {
    torch.float64: (45, 128, 192),
    torch.float32: (93, 192, 256),
}


class _Library(NamedTuple):
    instructions: int
    functions: dict[torch.dtype, ctypes._CFuncPtr]  # type: ignore[name-defined]


@functools.cache
def _library() -> _Library | None:
    choice = os.environ.get(SWITCH, "auto").lower()
    if choice == "off":
        return None
    candidates = [Path(__file__).with_name(f"_eigh{suffix}") for suffix in EXTENSION_SUFFIXES]
    for path in filter(Path.exists, candidates):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        best = library.eigh_instructions()
        wanted = _INSTRUCTIONS.index(choice) if choice in _INSTRUCTIONS else best
        functions = {torch.float64: library.eigh_f64, torch.float32: library.eigh_f32}
        for function in functions.values():
            function.restype = ctypes.c_int
            function.argtypes = [
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_void_p,
                ctypes.c_void_p,
                ctypes.c_int64,
                ctypes.c_int,
            ]
        return _Library(min(wanted, best), functions)
    return None


def available() -> bool:
    """Return whether the compiled library is there and not switched off."""
    return _library() is not None


def _applies(x: Tensor) -> bool:
    library = _library()
    if library is None or type(x) not in (Tensor, torch.nn.Parameter) or x.dim() < 2:
        return False
    if x.device.type != "cpu" or x.dtype not in _LARGEST or x.shape[-1] != x.shape[-2]:
        return False
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    n = x.shape[-1]
    lanes = (16 << library.instructions) // x.element_size()
    # A few matrices leave most lanes empty: worth it only where torch is several times slower.
    fewest = min(3, lanes) if n <= 45 else lanes
    return 0 < n <= _LARGEST[x.dtype][library.instructions] and x.numel() >= fewest * n * n


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
    if not _applies(x):
        values, vectors = torch.linalg.eigh(x)
        return values, vectors
    library = _library()
    assert library is not None
    x = x.contiguous()
    n = x.shape[-1]
    values = x.new_empty(x.shape[:-1])
    rows = torch.empty_like(x)
    failed = library.functions[x.dtype](
        library.instructions,
        x.data_ptr(),
        values.data_ptr(),
        rows.data_ptr(),
        x.numel() // (n * n),
        n,
    )
    if failed:
        raise MemoryError(f"no memory to decompose matrices of size {n}")
    return values, rows.mT


def install() -> bool:
    """Make the layers decompose with the kernel; return whether it is available."""
    from ..functional import spectral

    if available():
        spectral.eigendecompose = batched_eigh
    return available()
