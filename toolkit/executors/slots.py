"""Which jobs fit on this machine: CPU slots, or shares of its GPUs.

For plugin authors whose executor uses this machine: `make_slots`, `count_cores` and
`find_gpus` are stable.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.contracts import Slot
from toolkit.errors import RecipeError


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver names it; `used` is the share of its memory that is taken."""

    uuid: str
    name: str = ""
    used: float = 0.0


def make_slots(
    cores: int,
    devices: Sequence[Gpu],
    *,
    workers: int | None = None,
    gpus: float | None = None,
    threads: int | None = None,
) -> list[Slot]:
    """Divide a machine into slots.

    Args:
        cores: CPU cores to use.
        devices: the GPUs there are.
        workers: most slots to make, or None for as many as fit.
        gpus: GPUs per slot: a whole number, or a fraction that slots share; None for 1 where there
            are any, else 0.
        threads: CPU threads per slot, or None for an equal share of the cores.

    Returns:
        The slots; those on the emptiest GPUs come first, and no GPU gets its second slot before
        all have their first.

    Raises:
        RecipeError: not one slot can be made; the message says why and what to set.
    """
    share = (1.0 if devices else 0.0) if gpus is None else gpus
    if share == 0:
        count = workers or (max(1, cores // threads) if threads else cores)
        return [Slot(index, threads=threads or max(1, cores // count)) for index in range(count)]
    if share > 1 and share != int(share):
        raise RecipeError(
            f"resources.gpus: {share:g} GPUs a trial is neither a whole number nor below 1.",
            hint="Set it to a fraction such as 0.5, or to 1, 2, ...",
        )
    if len(devices) < share:
        raise RecipeError(
            f"resources.gpus: a trial asks for {share:g} GPUs, and {_count(devices)}.",
            hint="Set resources.gpus=0 to use the CPU, or look at `nvidia-smi` and"
            " CUDA_VISIBLE_DEVICES.",
        )
    free = sorted(devices, key=lambda device: device.used)
    places = _whole(free, int(share)) if share >= 1 else _shared(free, share)
    places = places[:workers]
    per_slot = threads or max(1, cores // len(places))
    return [Slot(index, "cuda", uuid, per_slot) for index, uuid in enumerate(places)]


def count_cores() -> int:
    """CPU cores this process may use: its affinity and its container's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def find_gpus() -> list[Gpu]:
    """The NVIDIA GPUs that `CUDA_VISIBLE_DEVICES` leaves visible; none without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no driver, no device: all mean no GPU
        return []
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found.append(
                Gpu(
                    _text(pynvml.nvmlDeviceGetUUID(handle)),
                    _text(pynvml.nvmlDeviceGetName(handle)),
                    float(memory.used) / float(memory.total),
                )
            )
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
    return visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def visible(devices: Sequence[Gpu], setting: str | None) -> list[Gpu]:
    """The devices a `CUDA_VISIBLE_DEVICES` value names, by index or UUID (also its beginning).

    As in CUDA, the first name that fits no device hides all that follow.
    """
    if setting is None:
        return list(devices)
    chosen: list[Gpu] = []
    for word in filter(None, map(str.strip, setting.split(","))):
        if word.isdigit():
            matches = list(devices[int(word) : int(word) + 1])
        else:
            matches = [device for device in devices if device.uuid.startswith(word)]
        if len(matches) != 1:
            break
        chosen.append(matches[0])
    return chosen


def _whole(devices: Sequence[Gpu], share: int) -> list[str]:
    groups = [devices[start : start + share] for start in range(0, len(devices), share)]
    return [",".join(gpu.uuid for gpu in group) for group in groups if len(group) == share]


def _shared(devices: Sequence[Gpu], share: float) -> list[str]:
    return [gpu.uuid for _ in range(math.floor(1 / share + 1e-9)) for gpu in devices]


def _count(devices: Sequence[Gpu]) -> str:
    if not devices:
        return "none is visible"
    return "1 is visible" if len(devices) == 1 else f"{len(devices)} are visible"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
