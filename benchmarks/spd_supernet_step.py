"""CPU time of search steps of the SPD supernet, and of the whole published search.

A first-order step is: training loss and its gradient, clipping, a Riemannian Adam step of the
weights, then the validation loss and its gradient by the architecture parameters, and their Adam
step. The published RADAR search is 100 epochs of 47 second-order steps; `--search` measures some
of its steps and extrapolates.

    python benchmarks/spd_supernet_step.py [--shape radar|hdm05] [--search] [--steps N] [--json]

There is no peer to run: the ratio is that of the time to stay below to ours. Peak memory is that
of the process so far, so that a shape and metric is best measured alone (`--mixing`).
"""

import argparse
import json
import os
import resource
import statistics
from collections.abc import Callable
from typing import Any

import torch
from timing import cpu_seconds, processor

from toolkit.contracts import Supernet, TaskInfo, Train
from toolkit_spd.space import SpdCellOptions, SpdCellSpace
from toolkit_supernet import bilevel

SHAPES = {"radar": (20, 10, 3, 32), "hdm05": (93, 30, 117, 30)}
"""Size before and after, classes, batch."""
MEASURES = {
    ("radar", "affine_invariant"): 0.9,
    ("radar", "log_euclidean"): 0.3,
    ("hdm05", "affine_invariant"): 7.0,
    ("hdm05", "log_euclidean"): 2.5,
}
"""CPU seconds of a first-order step to stay below."""
SEARCH = {"affine_invariant": 3 * 3600, "log_euclidean": 1.1 * 3600}
"""CPU seconds of the whole published search to stay below."""
SEARCH_STEPS = 100 * 47
CLIP = 5.0


def make_step(supernet: Supernet, batches: list[Any], second_order: bool) -> Callable[[], None]:
    """Return a function that does one step on a training and a validation batch."""
    weights, scores = supernet.weight_parameters(), supernet.architecture_parameters()
    optimizer = supernet.optimizer(Train())
    chooser = torch.optim.Adam(scores, lr=3e-3, betas=(0.5, 0.999), weight_decay=1e-3)
    train, val = batches

    def step() -> None:
        if second_order:
            gradient = bilevel.second_order_gradient(supernet, train, val, 0.025, CLIP)
        else:
            gradient = bilevel.first_order_gradient(supernet, val)
        for parameter, part in zip(scores, gradient, strict=True):
            parameter.grad = part
        chooser.step()
        optimizer.zero_grad()
        supernet.loss(train).backward(inputs=weights)
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()

    return step


def make_batches(n: int, classes: int, size: int) -> list[Any]:
    """Return two batches of random covariance matrices."""
    found = []
    for _ in range(2):
        x = torch.randn(size, 1, n, 3 * n, dtype=torch.float64)
        found.append((x @ x.mT / (3 * n), torch.randint(0, classes, (size,))))
    return found


def measure(
    shape: str, mixing: str, dtype: str, steps: int, search: bool, checkpoint: bool
) -> dict[str, Any]:
    """Time a step; the median of several, after one to warm up."""
    torch.manual_seed(0)
    n, m, classes, size = SHAPES[shape]
    options = {"mixing": mixing, "dtype": dtype, "sizes": (m,), "checkpointing": checkpoint}
    space = SpdCellSpace(SpdCellOptions.model_validate(options))
    supernet = space.supernet(TaskInfo("spd", (1, n, n), classes, 1000))
    step = make_step(supernet, make_batches(n, classes, size), second_order=search)
    step()
    each = statistics.median(cpu_seconds(step) for _ in range(steps))
    ours, most = (
        (each * SEARCH_STEPS, SEARCH[mixing]) if search else (each, MEASURES[shape, mixing])
    )
    kind = f"search of {SEARCH_STEPS} second-order steps" if search else "step"
    return {
        "work": f"supernet {kind}, {shape}, {mixing}, {dtype}, batch {size}"
        + (", checkpointing" if checkpoint else ""),
        "ours_cpu_s": round(ours, 4),
        "peer": "measure",
        "peer_cpu_s": most,
        "ratio": round(most / ours, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Print a line for each metric and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="radar")
    parser.add_argument("--mixing", choices=SEARCH, nargs="+", default=list(SEARCH))
    parser.add_argument("--dtype", nargs="+", default=["float64", "float32"])
    parser.add_argument(
        "--search", action="store_true", help="the whole RADAR search, second order"
    )
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--checkpointing", action="store_true", help="less memory, more time")
    parser.add_argument("--kernel", choices=["auto", "off"], default="auto")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ["TOOLKIT_SPD_KERNEL"] = arguments.kernel
    torch.set_num_threads(1)
    shape = "radar" if arguments.search else arguments.shape
    rows = [
        measure(shape, mixing, dtype, arguments.steps, arguments.search, arguments.checkpointing)
        for mixing in reversed(arguments.mixing)
        for dtype in arguments.dtype
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{processor()}, one thread, torch {torch.__version__}")
    for row in rows:
        print(
            f"{row['work']:<62} {row['ours_cpu_s']:.3f} CPU-s (at most {row['peer_cpu_s']:g}),"
            f" peak {row['peak_memory_mb']} MB"
        )


if __name__ == "__main__":
    main()
