"""CPU time of one first-order search step of the SPD supernet.

A step is: training loss and its gradient, clipping, a Riemannian Adam step of the weights, then
the validation loss and its gradient by the architecture parameters, and their Adam step.

    python benchmarks/spd_supernet_step.py [--shape radar|hdm05] [--steps N] [--kernel off] [--json]
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import torch

from toolkit.contracts import Supernet, TaskInfo
from toolkit.recipe import Train
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

SHAPES = {"radar": (20, 10, 3, 32), "hdm05": (93, 30, 117, 30)}
"""Size before and after, classes, batch."""
TARGETS = {
    ("radar", "affine_invariant"): 1.2,
    ("radar", "log_euclidean"): 0.4,
    ("hdm05", "affine_invariant"): 7.0,
    ("hdm05", "log_euclidean"): 2.5,
}


def make_step(supernet: Supernet, batches: list[Any]) -> Callable[[], None]:
    """Return a function that does one step on a training and a validation batch."""
    weights, scores = supernet.weight_parameters(), supernet.architecture_parameters()
    optimizer = supernet.optimizer(Train())
    chooser = torch.optim.Adam(scores, lr=3e-3, betas=(0.5, 0.999), weight_decay=1e-3)
    train, val = batches

    def step() -> None:
        optimizer.zero_grad()
        supernet.loss(train).backward(inputs=weights)
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()
        chooser.zero_grad()
        supernet.loss(val).backward(inputs=scores)
        chooser.step()

    return step


def make_batches(n: int, classes: int, size: int) -> list[Any]:
    """Return two batches of random covariance matrices."""
    found = []
    for _ in range(2):
        x = torch.randn(size, 1, n, 3 * n, dtype=torch.float64)
        found.append((x @ x.mT / (3 * n), torch.randint(0, classes, (size,))))
    return found


def measure(shape: str, mixing: str, dtype: str, steps: int) -> dict[str, Any]:
    """Time a step; the median of several, after one to warm up."""
    torch.manual_seed(0)
    n, m, classes, size = SHAPES[shape]
    space = SpdCellSpace(
        SpdCellOptions.model_validate({"mixing": mixing, "dtype": dtype, "sizes": (m,)})
    )
    supernet = space.supernet(TaskInfo("spd", (1, n, n), classes, 1000))
    step = make_step(supernet, make_batches(n, classes, size))
    step()
    times = []
    for _ in range(steps):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    return {
        "work": f"supernet step, {shape}, {mixing}, {dtype}, batch {size}",
        "ours_cpu_s": round(sorted(times)[len(times) // 2], 4),
        "target_cpu_s": TARGETS[shape, mixing],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Print a line for each metric and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="radar")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--kernel", choices=["auto", "off"], default="auto")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ["TOOLKIT_SPD_KERNEL"] = arguments.kernel
    torch.set_num_threads(1)
    rows = [
        measure(arguments.shape, mixing, dtype, arguments.steps)
        for mixing in ("log_euclidean", "affine_invariant")
        for dtype in ("float64", "float32")
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}")
    for row in rows:
        print(
            f"{row['work']:<62} {row['ours_cpu_s']:.3f} CPU-s (at most {row['target_cpu_s']}),"
            f" peak {row['peak_memory_mb']} MB"
        )


if __name__ == "__main__":
    main()
