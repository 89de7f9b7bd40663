"""What a deployed model costs, whatever space it is from: size, arithmetic, time and memory.

The model is what is handed over, from raw inputs to scores. Weights need not be trained: only
their shapes count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from toolkit.contracts import Learner

if TYPE_CHECKING:
    import torch

BATCH = 32
"""Samples at once in `latency_batch_ms`."""
LONGEST_S = 2.0
"""Time after which no further call is timed."""
_FEWEST = 3
"""Calls that are timed all the same."""


class Latency(NamedTuple):
    """Wall-clock time of one call, in milliseconds: median and half the interquartile range."""

    median_ms: float
    spread_ms: float


_TIMED = ("latency_ms", "latency_batch_ms")


def stages(names: Collection[str]) -> list[list[str]]:
    """Costs in the order in which to measure them: those that only have to be counted first."""
    parts = [[n for n in names if n not in _TIMED], [n for n in names if n in _TIMED]]
    return [part for part in parts if part]


def of_learner(
    learner: Learner, example: torch.Tensor, device: torch.device, names: Collection[str]
) -> dict[str, float]:
    """Costs of what a learner would hand over as it stands, trained or not (`measure`).

    Draws nothing from torch's global generators, so that a training goes on as if nothing had
    been measured. The learner's model is on the device afterwards.
    """
    import torch

    learner.model.to(device)
    was_training = learner.model.training
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            return measure(learner.deployed().to(device), example.to(device), names)
    finally:
        learner.model.train(was_training)


def measure(
    module: torch.nn.Module, example: torch.Tensor, names: Collection[str]
) -> dict[str, float]:
    """The costs of a deployed model that are named, out of `COSTS`.

    Args:
        module: the deployed model, on the device to be measured.
        example: one input or more, on the same device; the first is repeated where more are needed.
        names: what to measure.

    Returns:
        `parameters`: trainable or not, all numbers in `module.parameters()`. `multiply_adds`: of
        one sample. `latency_ms`, `latency_batch_ms`: medians for 1 and for 32 samples at once.
        `memory_mb`: see `memory`, for one sample, in 10^6 bytes.
    """
    one = example[:1].clone()  # a view would keep the whole batch in memory
    found: dict[str, float] = {}
    if "parameters" in names:
        found["parameters"] = float(parameters(module))
    if "multiply_adds" in names:
        found["multiply_adds"] = float(multiply_adds(module, one))
    if "memory_mb" in names:
        found["memory_mb"] = memory(module, one) / 1e6
    if "latency_ms" in names:
        found["latency_ms"] = latency(module, one).median_ms
    if "latency_batch_ms" in names:
        batch = one.repeat(BATCH, *[1] * (one.dim() - 1))
        found["latency_batch_ms"] = latency(module, batch).median_ms
    return found


def parameters(module: torch.nn.Module) -> int:
    """Number of numbers in a model's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(module: torch.nn.Module, example: torch.Tensor) -> int:
    """Multiply-adds per sample, from inputs to scores, as torch's counter sees them.

    Matrix products, convolutions and attention count, whatever module they are in; elementwise
    arithmetic and decompositions do not.

    Args:
        module: the deployed model.
        example: a batch of its inputs; only the shapes count.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    was_training = module.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            module.eval()(example)
    finally:
        module.train(was_training)
    return int(counter.get_total_flops()) // (2 * len(example))


def latency(
    module: torch.nn.Module, example: torch.Tensor, *, warmup: int = 3, runs: int = 20
) -> Latency:
    """Time of the whole model on one batch, inputs to scores; a GPU is waited for.

    Args:
        module: the deployed model, on the device to be measured.
        example: the batch, on the same device.
        warmup: calls that are not timed.
        runs: calls that are; fewer where they would take longer than `LONGEST_S` seconds.
    """
    import torch

    was_training = module.training
    module.eval()
    times: list[float] = []
    began = time.perf_counter()
    try:
        with torch.inference_mode():
            for run in range(warmup + runs):
                _wait(example)
                start = time.perf_counter()
                module(example)
                _wait(example)
                now = time.perf_counter()
                if run >= warmup:
                    times.append((now - start) * 1e3)
                elif now - began > LONGEST_S / 4:  # So slow a model is warm after one call.
                    warmup = 0
                if len(times) >= _FEWEST and now - began > LONGEST_S:
                    break
    finally:
        module.train(was_training)
    quarters = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    return Latency(statistics.median(times), (quarters[2] - quarters[0]) / 2)


def memory(module: torch.nn.Module, example: torch.Tensor) -> int:
    """Bytes an inference needs: weights, buffers, and the most that activations take at a time.

    Counted tensor by tensor while the model runs, so it is the same on every machine; what an
    operation's own workspace and an allocator's rounding add is not in it. Without gradients.

    Args:
        module: the deployed model.
        example: a batch of its inputs, which counts too.
    """
    import torch
    from torch.multiprocessing.reductions import StorageWeakRef
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    alive: dict[int, tuple[StorageWeakRef, int]] = {}
    peak = 0

    def note(tensors: list[torch.Tensor]) -> None:
        nonlocal peak
        for key in [key for key, (storage, _) in alive.items() if storage.expired()]:
            del alive[key]
        for tensor in tensors:
            storage = tensor.untyped_storage()
            alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        peak = max(peak, sum(size for _, size in alive.values()))

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = func(*args, **(kwargs or {}))
            note([leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)])
            return result

    was_training = module.training
    note([*module.parameters(), *module.buffers(), example])
    try:
        with torch.no_grad(), Watch():
            module.eval()(example)
    finally:
        module.train(was_training)
    return peak


def _wait(example: torch.Tensor) -> None:
    import torch

    if example.device.type == "cuda":
        torch.cuda.synchronize(example.device)
