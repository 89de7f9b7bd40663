r"""Batched symmetric eigendecomposition on a GPU, one matrix in each block of threads.

For matrices of more than 32 rows `torch.linalg.eigh` calls cuSOLVER for one after the other, and at
every size the host waits to hear whether it has converged. This kernel, in Triton, which comes with
torch's builds for CUDA, decomposes a whole batch in one launch and has nobody wait.

It is the two-sided Jacobi method (Golub and Van Loan, Matrix Computations, section 8.5) in a cyclic
order that suits parallel work: for n a power of two, step k of a sweep pairs each row i with
i XOR k, and n - 1 steps meet every pair once. The n / 2 rotations of a step touch rows and columns
of their own, so that they are one product :math:`J^\top X J`. Padding adds rows that are zero, and
rotations that are the identity.
"""

import triton
import triton.language as tl
from torch import Tensor

SWEEPS = 30
"""At most; 5 to 12 bring matrices of up to 64 rows to rounding."""
SMALL = 1 / 4096
"""Of the mean size of what is not yet zero: what is smaller is left for the next sweep.

Between equal eigenvalues it is of second order, and to rotate it by whatever angle its rounding
gives mixes rows that were done with rows that were not: convergence would be linear.
"""


@triton.jit
def _divide(x, y):  # type: ignore[no-untyped-def]
    """Return x / y, rounded; a plain division of float32 may be wrong by two units."""
    return tl.div_rn(x, y) if x.dtype == tl.float32 else x / y


@triton.jit
def _root(x):  # type: ignore[no-untyped-def]
    """Return the square root of x, rounded."""
    return tl.sqrt_rn(x) if x.dtype == tl.float32 else tl.sqrt(x)


@triton.jit
def _decompose(  # type: ignore[no-untyped-def]
    matrices,
    values,
    vectors,
    n,
    epsilon: tl.constexpr,
    sweeps: tl.constexpr,
    small: tl.constexpr,
    size: tl.constexpr,
) -> None:
    """Decompose matrix `program_id` of (batch, n, n); `size` is n rounded up to a power of two."""
    which = tl.program_id(0).to(tl.int64)
    index = tl.arange(0, size)
    row, column = index[:, None], index[None, :]
    inside = (row < n) & (column < n)
    on_diagonal = row == column
    lower = tl.maximum(row, column) * n + tl.minimum(row, column)
    a = tl.load(matrices + which * n * n + lower, mask=inside, other=0.0)
    # Not a number if an entry is not finite, else zero.
    poison = tl.sum(a * 0.0)
    scale = tl.max(tl.max(tl.abs(a), axis=1), axis=0)
    scale = tl.where(scale > 0, scale, 1.0)
    a = a / scale
    u = tl.where(on_diagonal, 1.0, 0.0).to(a.dtype) + tl.zeros_like(a)
    rest = tl.sum(tl.where(on_diagonal, 0.0, a * a))
    # About what rounding leaves of them.
    bound = tl.sum(a * a) * (epsilon * epsilon * size / 4)
    sweep = 0
    while (rest > bound) & (sweep < sweeps):
        least = rest * (small * small / (size * size))
        d = tl.sum(tl.where(on_diagonal, a, 0.0), axis=0)
        for k in range(1, size):
            partner = index ^ k
            pairs = (column ^ k) + tl.zeros_like(row)
            # Both of a pair read the mean of X_ij and X_ji, so that their rotations agree.
            off = tl.sum(tl.where(row == pairs, a, 0.0), axis=0)
            off = 0.5 * (off + tl.gather(off, partner, 0))
            rotates = off * off > least
            difference = tl.gather(d, partner, 0) - d
            cotangent = _divide(difference, tl.where(rotates, 2.0 * off, 1.0))
            sign = tl.where((cotangent > 0) | ((cotangent == 0) & (index < partner)), 1.0, -1.0)
            t = _divide(sign.to(a.dtype), tl.abs(cotangent) + _root(1.0 + cotangent * cotangent))
            t = tl.where(rotates, t, 0.0)
            c = _divide(tl.full([size], 1.0, a.dtype), _root(1.0 + t * t))
            s = t * c
            # x - s (y + tau x) in place of c x - s y: small rotations stay orthogonal to rounding.
            tau = _divide(s, 1.0 + c)[None, :]
            s = s[None, :]
            d = d - t * off
            # J'(XJ) is the transpose of (XJ)'J: columns are cheaper to exchange than rows.
            a = tl.trans(a - s * (tl.gather(a, pairs, 1) + tau * a))
            a = a - s * (tl.gather(a, pairs, 1) + tau * a)
            u = u - s * (tl.gather(u, pairs, 1) + tau * u)
        rest = tl.sum(tl.where(on_diagonal, 0.0, a * a))
        sweep += 1
    d = tl.sum(tl.where(on_diagonal, a, 0.0), axis=0)
    other = tl.sum(tl.where(on_diagonal, a, 0.0), axis=1)[:, None]
    smaller = (other < d[None, :]) | ((other == d[None, :]) & (row < column))
    rank = tl.sum((smaller & (row < n)).to(tl.int32), axis=0)
    tl.store(values + which * n + rank, d * scale + poison, mask=index < n)
    place = which * n * n + rank[None, :] * n + row
    tl.store(vectors + place, u + poison, mask=inside)


def decompose(x: Tensor, values: Tensor, vectors: Tensor, epsilon: float) -> None:
    """Write eigenvalues (batch, n), ascending, and eigenvectors (batch, n, n) of `x` in rows.

    `x` (batch, n, n) is contiguous, and only its lower triangle is read. `epsilon` is the rounding
    unit of its type. A matrix with an entry that is not finite gets NaN.
    """
    batch, n, _ = x.shape
    size = max(2, triton.next_power_of_2(n))
    # Few matrices leave most of a GPU idle, which more threads for each can use.
    warps = 1 if size <= 16 or (size == 32 and batch > 512) else max(4, size // 16)
    _decompose[(batch,)](
        x,
        values,
        vectors,
        n,
        epsilon=epsilon,
        sweeps=SWEEPS,
        small=SMALL,
        size=size,
        num_warps=warps,
    )
