"""Which jobs fit on this machine: CPU slots, or shares of its GPUs.

For plugin authors whose executor uses this machine: `make_slots`, `count_cores` and
`find_gpus` are stable.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.base.errors import RecipeError
from toolkit.contracts import BusyGpus, Slot

_COMPUTE_SHARE = 0.1
"""Share of a GPU's memory that somebody has taken who does more than show a desktop."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one instance of a divided one (MIG), as the driver names it.

    Attributes:
        uuid: `GPU-...` or `MIG-...`.
        name: of the product.
        used: share of its memory that is taken.
        busy: somebody computes on it.
    """

    uuid: str
    name: str = ""
    used: float = 0.0
    busy: bool = False


def make_slots(
    cores: int,
    devices: Sequence[Gpu],
    *,
    workers: int | None = None,
    gpus: float | None = None,
    threads: int | None = None,
    busy: BusyGpus = "share",
) -> list[Slot]:
    """Divide a machine into slots.

    Args:
        cores: CPU cores to use.
        devices: the GPUs there are.
        workers: most slots to make, or None for as many as fit.
        gpus: GPUs per slot: a whole number, or a fraction that slots share; None for 1 where there
            are any, else 0.
        threads: CPU threads per slot, or None for an equal share of the cores.
        busy: whether to use GPUs on which somebody else computes.

    Returns:
        The slots; those on the emptiest GPUs come first, and no GPU gets its second slot before
        all have their first.

    Raises:
        RecipeError: not one slot can be made; the message says why and what to set.
    """
    share = (1.0 if devices else 0.0) if gpus is None else gpus
    taken = [device for device in devices if device.busy and busy == "avoid"]
    devices = [device for device in devices if device not in taken]
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
            f"resources.gpus: a trial asks for {share:g} GPUs, and {_count(devices, taken)}.",
            hint="Set resources.busy_gpus=share to use GPUs beside others, or wait for them."
            if taken
            else "Set resources.gpus=0 to use the CPU, or look at `nvidia-smi` and"
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
    """The NVIDIA GPUs that `CUDA_VISIBLE_DEVICES` leaves visible; none without a driver.

    Of a GPU that is divided (MIG) the instances take its place.
    """
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no driver, no device: all mean no GPU
        return []
    try:
        found = read_gpus(pynvml)
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
    return visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def read_gpus(nvml: Any) -> list[Gpu]:
    """Reads what an initialised NVML (`pynvml`) tells; one that has vanished is left out."""
    found: list[Gpu] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name = _text(nvml.nvmlDeviceGetName(handle))
            found += [_read(nvml, each, name) for each in _instances(nvml, handle) or [handle]]
        except nvml.NVMLError:  # It has fallen off the bus.
            continue
    return found


def _read(nvml: Any, handle: Any, name: str) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    used = float(memory.used) / float(memory.total)
    try:
        others = [p.pid for p in nvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    except nvml.NVMLError:  # Not for this device, or not for this user.
        others = []
    # Of a process in another container there may be no number, but what it takes.
    busy = any(pid != os.getpid() for pid in others) or (not others and used > _COMPUTE_SHARE)
    return Gpu(_text(nvml.nvmlDeviceGetUUID(handle)), name, used, busy)


def _instances(nvml: Any, handle: Any) -> list[Any]:
    """Handles of the instances of a divided GPU."""
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except nvml.NVMLError:  # One that cannot be divided.
        return []
    found = []
    for index in range(most):
        with suppress(nvml.NVMLError):
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index))
    return found


def describe_slots(slots: Sequence[Slot], devices: Sequence[Gpu] = ()) -> str:
    """Says in words what would run where."""
    count = "1 trial at a time" if len(slots) == 1 else f"{len(slots)} trials at once"
    threads = "1 thread" if slots[0].threads == 1 else f"{slots[0].threads} threads"
    places = Counter(slot.gpu_uuid for slot in slots if slot.gpu_uuid)
    if not places:
        return f"{count}, on the CPU, {threads} each"
    names = {device.uuid: device.name for device in devices}
    parts = []
    for place, number in places.items():
        shown = " and ".join(f"{uuid} ({names.get(uuid, 'GPU')})" for uuid in place.split(","))
        parts.append(f"{number} on {shown}")
    return f"{count}, {threads} each: {'; '.join(parts)}"


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


def _count(devices: Sequence[Gpu], taken: Sequence[Gpu] = ()) -> str:
    if taken:
        others = "1 is" if len(taken) == 1 else f"{len(taken)} are"
        return f"{len(devices)} are free; {others} in use by others ({taken[0].uuid})"
    if not devices:
        return "none is visible"
    return "1 is visible" if len(devices) == 1 else f"{len(devices)} are visible"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
