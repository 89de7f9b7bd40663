"""Batched symmetric eigendecomposition: the compiled kernel against `torch.linalg.eigh`.

One process, one thread, CPU time; the two take turns, and medians of the repeats are compared.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from toolkit_spd.kernels import available, batched_eigh

SIZES = (10, 20, 30, 45, 64, 93, 128)


def covariances(batch: int, n: int, dtype: torch.dtype) -> Tensor:
    """Return sample covariances (batch, n, n) of 2 n samples with unequal variances."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(batch, n, 2 * n, dtype=torch.float64, generator=generator)
    x = x * torch.logspace(-1.5, 0, n, dtype=torch.float64)[:, None]
    return (x @ x.mT / (2 * n)).to(dtype)


def cpu_seconds(function: Callable[[Tensor], Any], x: Tensor) -> float:
    start = time.process_time()
    function(x)
    return time.process_time() - start


def compare(n: int, dtype: torch.dtype, batch: int, repeats: int) -> dict[str, Any]:
    """Return one row of the table: CPU seconds per batch and their ratio."""
    x = covariances(batch, n, dtype)
    batched_eigh(x), torch.linalg.eigh(x)
    ours, peer = [], []
    for _ in range(repeats):
        ours.append(cpu_seconds(batched_eigh, x))
        peer.append(cpu_seconds(torch.linalg.eigh, x))
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return {
        "work": f"eigh {batch}x{n}x{n} {str(dtype).removeprefix('torch.')}",
        "ours_cpu_s": mine,
        "peer": "torch.linalg.eigh",
        "peer_cpu_s": theirs,
        "ratio": theirs / mine,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        compare(n, dtype, arguments.batch, arguments.repeats)
        for n in arguments.sizes
        for dtype in (torch.float64, torch.float32)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print("compiled kernel" if available() else "no compiled kernel: torch against itself")
    print(f"{'work':28} {'ours, us':>10} {'torch, us':>10} {'ratio':>6}   (per matrix)")
    for row in rows:
        each = [row[key] / arguments.batch * 1e6 for key in ("ours_cpu_s", "peer_cpu_s")]
        print(f"{row['work']:28} {each[0]:10.2f} {each[1]:10.2f} {row['ratio']:6.2f}")


if __name__ == "__main__":
    main()
