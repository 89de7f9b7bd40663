"""Head of NullSpaceNet, forward and backward: closed form against the published procedure.

    python benchmarks/nullspace_head.py          a table
    python benchmarks/nullspace_head.py --json   the same as a list of objects

The peer is the loss as published (Abdelpakey and Shehata, arXiv 2004.12058), with the defects that
would end it removed: two singular value decompositions and a symmetric eigensolver, differentiated
by autograd. CPU time of one thread, both in one process, in turns, least of the repetitions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from toolkit_nullspace.loss import nullspace_loss

LAMBDA = 1e-5
"""The published ridge of the first stage."""


def published_loss(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Within, total and between scatter; their joint null space by two SVDs; its eigenvalues."""
    count, width = features.shape
    centred = features - features.mean(0)
    within = torch.zeros(width, width, dtype=features.dtype)
    for label in range(classes):
        own = features[labels == label]
        own = own - own.mean(0)
        within = within + own.T @ own / (len(own) - 1)
    within = within / classes + LAMBDA * torch.eye(width, dtype=features.dtype)
    total = centred.T @ centred / (count - 1)
    between = total - within
    left = torch.linalg.svd(centred.T, full_matrices=False)[0]
    inner = left.T @ within @ left
    _, values, right = torch.linalg.svd(inner)
    tolerance = torch.finfo(features.dtype).eps * len(inner) * values[0]
    rank = min(int((values > tolerance).sum()), len(values) - classes + 1)
    null = right[rank:].T
    eigenvalues = torch.linalg.eigvalsh(null.T @ (left.T @ between @ left) @ null)
    top = eigenvalues[-(classes - 1) :]
    return -top[top <= top.min() + 1].mean()


def run(work: Callable[[], Tensor], features: Tensor) -> float:
    """CPU seconds of one forward and backward pass."""
    features.grad = None
    start = time.process_time()
    work().backward()
    return time.process_time() - start


def measure(count: int, width: int, classes: int, repetitions: int) -> list[dict[str, Any]]:
    """Time all objectives against the peer on one batch."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    means = torch.randn(classes, width, generator=generator)
    features = means[labels] + torch.randn(count, width, generator=generator)
    features.requires_grad_()
    works: dict[str, Callable[[], Tensor]] = {
        objective: lambda objective=objective: nullspace_loss(  # type: ignore[misc]
            features, labels, classes, objective=objective
        )
        for objective in ("log", "raw", "reference")
    }
    works["published"] = lambda: published_loss(features, labels, classes)
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repetitions):
        for name, work in works.items():
            best[name] = min(best[name], run(work, features))
    peer = best.pop("published")
    return [
        {
            "work": f"null-space head, {name}, n={count}, d={width}, C={classes}, float32",
            "ours_cpu_s": seconds,
            "peer": "published procedure (two SVDs, autograd)",
            "peer_cpu_s": peer,
            "ratio": peer / seconds,
        }
        for name, seconds in best.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the null-space head.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repetitions", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for classes in (10, 100) for row in measure(256, 512, classes, options.repetitions)]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(
            f"{row['work']:60} {row['ours_cpu_s'] * 1e3:8.2f} ms"
            f" {row['peer_cpu_s'] * 1e3:8.1f} ms {row['ratio']:6.1f} x"
        )


if __name__ == "__main__":
    main()
