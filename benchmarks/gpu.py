"""Wall time of steps of training on a GPU against this machine's CPU, and where the GPU wins.

    python benchmarks/gpu.py eigh|times|batches|waits [--seconds S] [--device cuda]

`eigh` measures eigendecompositions against `torch.linalg.eigh` on the same device, `times` a
supernet step, an epoch of SPDNet, the null-space loss and a step of two GAN networks at their usual
sizes, `batches` four steps at growing batches, and `waits` counts what makes the host wait for the
GPU in one step of each. Every line printed is a JSON object, so that what was measured before a
kill is kept; a later line of the same work and batch takes the place of an earlier one. The CPU is
measured on one thread and on all cores; the better of the two is the peer. Times are medians, after
one call to warm up, each with the device's queue run empty.
"""

import argparse
import collections
import functools
import itertools
import json
import os
import statistics
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from spd_supernet_step import SHAPES, make_batches, make_step
from torch.nn.functional import cross_entropy

from toolkit.contracts import TaskInfo
from toolkit_gan.duel import Duel, Play
from toolkit_gan.networks import Networks
from toolkit_nullspace.loss import nullspace_loss
from toolkit_spd.kernels import batched_eigh, install
from toolkit_spd.kernels.eigh import applies
from toolkit_spd.networks import SpdNet
from toolkit_spd.optim import RiemannianAdam
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

Work = Callable[[], Any]
Make = Callable[[str, int], Work]
"""Given a device and a batch size, returns what does one step there."""
Row = dict[str, Any]
BATCHES = (8, 32, 128, 512, 2048, 8192)
LONGEST_S = 4.0
"""A call that takes longer is timed once, and not at a greater batch."""
SAMPLES = 1500
FLOATS = (torch.float64, torch.float32)
LARGEST_BATCH = 100_000
"""Rows of matrices in one call: cuSOLVER takes seconds for more."""
CORES = len(os.sched_getaffinity(0))


def supernet(shape: str, mixing: str, dtype: str) -> Make:
    """A first-order search step of the SPD supernet."""

    def make(device: str, batch: int) -> Work:
        n, m, classes, _ = SHAPES[shape]
        options = {"mixing": mixing, "dtype": dtype, "sizes": (m,)}
        space = SpdCellSpace(SpdCellOptions.model_validate(options))
        found = space.supernet(TaskInfo("spd", (1, n, n), classes, 1000))
        found.model.to(device)
        pairs = [
            tuple(t.to(device) for t in pair) for pair in make_batches(n, classes, max(batch, 2))
        ]
        return make_step(found, pairs, second_order=False)

    return make


def spdnet(sizes: list[int], classes: int, count: int | None) -> Make:
    """An epoch of SPDNet over so many samples, or one step."""

    def make(device: str, batch: int) -> Work:
        samples = count or batch
        x = torch.randn(samples, 1, sizes[0], 3 * sizes[0], dtype=torch.float64)
        x, labels = (x @ x.mT / (3 * sizes[0])).to(device), torch.arange(samples) % classes
        model = SpdNet(1, sizes, classes, rectify=1e-4).to(device)
        optimizer = RiemannianAdam(model.parameters(), lr=0.01)
        pairs = list(zip(x.split(batch), labels.to(device).split(batch), strict=True))

        def work() -> None:
            for inputs, targets in pairs:
                optimizer.zero_grad()
                cross_entropy(model(inputs), targets).backward()
                optimizer.step()

        return work

    return make


def nullspace(width: int, classes: int) -> Make:
    """Forward and backward of the null-space loss, float32."""

    def make(device: str, batch: int) -> Work:
        labels = (torch.arange(batch) % classes).to(device)
        features = torch.randn(batch, width).to(device).requires_grad_()
        return lambda: nullspace_loss(features, labels, classes).backward()

    return make


def gan(device: str, batch: int) -> Work:
    """A step of a discriminator and a generator of images of 28 x 28 pixels."""
    info = TaskInfo("image", (1, 28, 28), 3, 75, outputs="images", source_classes=tuple("abcdefg"))
    networks = Networks(32, (48, 32, 16), (16, 32, 64))
    images, labels = torch.rand(75, 1, 28, 28), torch.arange(75) % 3
    model, opponent = networks.fresh(3, info), networks.discriminator(3, info)
    play = Play(1e-3, 1e-3, batch, 32)
    duel = Duel(
        model.to(device), opponent.to(device), images.to(device), labels.to(device), play, 0
    )
    return duel.advance


GAN = "GAN step, 28 x 28"
TIMES: dict[str, tuple[Make, int]] = {
    "null-space loss, d=512, C=10, float32": (nullspace(512, 10), 256),
    "null-space loss, d=512, C=100, float32": (nullspace(512, 100), 256),
    "SPDNet 20-16-8, epoch of 1500": (spdnet([20, 16, 8], 3, SAMPLES), 30),
    "supernet step, radar, log_euclidean, float64": (
        supernet("radar", "log_euclidean", "float64"),
        32,
    ),
    "supernet step, radar, log_euclidean, float32": (
        supernet("radar", "log_euclidean", "float32"),
        32,
    ),
    "supernet step, radar, affine_invariant, float64": (
        supernet("radar", "affine_invariant", "float64"),
        32,
    ),
    "SPDNet 93-70-50-30, epoch of 300": (spdnet([93, 70, 50, 30], 117, 300), 30),
    "supernet step, hdm05, log_euclidean, float64": (
        supernet("hdm05", "log_euclidean", "float64"),
        30,
    ),
    GAN: (gan, 32),
}
"""What is timed at its usual batch."""

GROWING: dict[str, Make] = {
    "null-space loss, d=512, C=10, float32": nullspace(512, 10),
    "SPDNet 20-16-8 step": spdnet([20, 16, 8], 3, None),
    "supernet step, radar, log_euclidean, float64": supernet("radar", "log_euclidean", "float64"),
    GAN: gan,
}
"""What is timed at growing batches."""


def seconds(make: Make, device: str, batch: int, threads: int, patience_s: float) -> float:
    """Returns the median wall time of a call; of the first one where that is slow."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    work = make(device, batch)

    def once() -> float:
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    first = once()
    if first > LONGEST_S:
        return first
    taken: list[float] = []
    until = time.monotonic() + patience_s
    while not taken or (len(taken) < 15 and time.monotonic() < until):
        taken.append(once())
    return statistics.median(taken)


class Table:
    """Rows of measurements; a place that was found slow is asked for no greater batch."""

    def __init__(self, device: str, until: float, patience_s: float) -> None:
        self.rows: dict[tuple[str, int], Row] = {}
        self._device, self._until, self._patience_s = device, until, patience_s
        self._slow: set[tuple[str, str]] = set()

    def fill(self, work: str, make: Make, batch: int, threads: int) -> Iterator[Row]:
        """Measures the GPU and a number of threads of the CPU; yields the row as far as it goes."""
        row = self.rows.setdefault((work, batch), {"work": work, "batch": batch})
        places = [("gpu_s", self._device, 1), (f"cpu_{threads}_s", "cpu", threads)]
        for name, where, count in places:
            if name in row or (work, name) in self._slow or time.monotonic() > self._until:
                continue
            try:
                row[name] = float(f"{seconds(make, where, batch, count, self._patience_s):.4g}")
            except (RuntimeError, MemoryError) as error:
                row[f"{name[:-2]}_error"] = str(error).splitlines()[0][:200]
            if row.get(name, LONGEST_S + 1) > LONGEST_S:
                self._slow.add((work, name))
        cpu = [row[n] for n in row if n.startswith("cpu_") and n.endswith("_s")]
        if cpu and "gpu_s" in row:
            row["speedup"] = float(f"{min(cpu) / row['gpu_s']:.3g}")
        if len(row) > 2:
            yield dict(row)


def times(device: str, until: float) -> Iterator[Row]:
    """Yields a row for each piece of work at its usual size, and once more with all cores."""
    table = Table(device, until, 2.0)
    for threads in dict.fromkeys((1, CORES)):
        for work, (make, batch) in TIMES.items():
            yield from table.fill(work, make, batch, threads)


def batches(device: str, until: float) -> Iterator[Row]:
    """Yields rows at growing batches, then for each piece of work the batch the GPU wins from."""
    table = Table(device, until, 0.7)
    for threads in dict.fromkeys((1, CORES)):
        for batch in BATCHES:
            for work, make in GROWING.items():
                yield from table.fill(work, make, batch, threads)
    for work in GROWING:
        rows = [row for row in table.rows.values() if row["work"] == work and "speedup" in row]
        found = {row["batch"]: row["speedup"] for row in rows}
        yield {"work": work, "measured_at": list(found), "gpu_wins_from_batch": wins_from(found)}


def eigh(device: str, until: float) -> Iterator[Row]:
    """Yields a row for each size, element type and number of matrices, both in turns."""
    for n, dtype, count in itertools.product((8, 20, 40, 64, 93), FLOATS, (32, 1024, 16_384)):
        if time.monotonic() > until or n * count > LARGEST_BATCH:
            continue
        x = torch.randn(count, n, 2 * n, dtype=dtype, device=device)
        x = x @ x.mT / (2 * n)
        row: Row = {"work": f"eigh, n={n}, {str(dtype).removeprefix('torch.')}", "batch": count}
        row |= {"kernel": applies(x)}
        for name, solve in (("ours_s", batched_eigh), ("torch_s", torch.linalg.eigh)):
            work = functools.partial(solve, x)
            row[name] = float(f"{seconds(lambda *_, w=work: w, device, 0, 1, 0.4):.4g}")
        row["speedup"] = float(f"{row['torch_s'] / row['ours_s']:.3g}")
        yield row


def wins_from(speedups: dict[int, float]) -> int | None:
    """Returns the smallest batch from which on the GPU is faster at each one measured, if any."""
    first = None
    for batch in sorted(speedups, reverse=True):
        if speedups[batch] <= 1:
            break
        first = batch
    return first


def waits(device: str, until: float) -> Iterator[Row]:
    """Yields for each step how often the host waits for the GPU, by the line that has it wait."""
    for work, make in GROWING.items():
        if device != "cuda" or time.monotonic() > until:
            yield {"work": work, "left_out": "no GPU" if device != "cuda" else "no time"}
            continue
        step = make(device, 32)
        step()
        found: collections.Counter[str] = collections.Counter()

        def note(message: Any, *_: Any, found: collections.Counter[str] = found) -> None:
            if "synchroniz" in str(message):
                own = [f for f in traceback.extract_stack()[:-1] if "toolkit" in f.filename]
                at = own[-1] if own else None
                found[f"{at.filename.rpartition('/')[2]}:{at.lineno}" if at else "torch"] += 1

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = note  # type: ignore[assignment]
            torch.cuda.set_sync_debug_mode("warn")
            try:
                step()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        yield {"work": work, "waits": sum(found.values()), "at": dict(found.most_common(12))}


KINDS = {"eigh": eigh, "times": times, "batches": batches, "waits": waits}


def main() -> None:
    """Prints a line of JSON for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(KINDS))
    parser.add_argument("--seconds", type=float, default=120.0, help="begin no more after that")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    arguments = parser.parse_args()
    install()
    until = time.monotonic() + arguments.seconds
    for row in KINDS[arguments.what](arguments.device, until):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
