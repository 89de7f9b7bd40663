"""Division of a machine into slots."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.engine.placement import choose_slot
from toolkit.errors import RecipeError
from toolkit.executors.slots import Gpu, describe_slots, make_slots, read_gpus, visible

TWO = [Gpu("GPU-aa", used=0.7), Gpu("GPU-bb", used=0.1)]


def test_cpu_slots_share_the_cores() -> None:
    slots = make_slots(8, [], workers=3)
    assert [(slot.device, slot.threads) for slot in slots] == [("cpu", 2)] * 3
    assert len(make_slots(8, [])) == 8
    assert len(make_slots(8, [], threads=4)) == 2
    assert make_slots(2, [], workers=5)[4].threads == 1


def test_gpus_are_filled_evenly_from_the_emptiest() -> None:
    slots = make_slots(16, TWO, gpus=0.5)
    assert [slot.gpu_uuid for slot in slots] == ["GPU-bb", "GPU-aa", "GPU-bb", "GPU-aa"]
    assert {slot.threads for slot in slots} == {4}
    assert choose_slot(slots[1:], slots[:1]).gpu_uuid == "GPU-aa"
    assert [slot.gpu_uuid for slot in make_slots(4, TWO)] == ["GPU-bb", "GPU-aa"]
    assert [slot.gpu_uuid for slot in make_slots(4, TWO, gpus=2)] == ["GPU-bb,GPU-aa"]
    assert {slot.device for slot in make_slots(4, TWO, gpus=0)} == {"cpu"}


def test_fractions_like_a_third_lose_no_slot() -> None:
    assert len(make_slots(4, TWO[:1], gpus=1 / 3)) == 3
    assert len(make_slots(4, TWO[:1], gpus=0.1)) == 10


@pytest.mark.parametrize(("gpus", "devices"), [(1, []), (0.5, []), (3, TWO), (1.5, TWO)])
def test_what_cannot_be_placed_says_what_to_set(gpus: float, devices: list[Gpu]) -> None:
    with pytest.raises(RecipeError, match=r"resources\.gpus"):
        make_slots(4, devices, gpus=gpus)


def test_cuda_visible_devices_is_honoured() -> None:
    assert visible(TWO, None) == TWO
    assert visible(TWO, "") == visible(TWO, "-1") == visible(TWO, "7") == []
    assert visible(TWO, "1") == visible(TWO, "GPU-b") == TWO[1:]
    assert visible(TWO, "1,0") == [TWO[1], TWO[0]]


class StandInNvml:
    """NVML of a machine with so many GPUs, some divided, vanished or in use."""

    NVMLError = type("NVMLError", (Exception,), {})
    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, count: int, **special: str) -> None:
        self.count, self.special = count, special

    def _kind(self, handle: str) -> str:
        return self.special.get(handle.partition("/")[0], "")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        if self.special.get(f"g{index}") == "vanished":
            raise self.NVMLError("GPU is lost")
        return f"g{index}"

    def nvmlDeviceGetName(self, handle: str) -> bytes:  # noqa: N802
        return b"NVIDIA H200"

    def nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return f"{'MIG' if '/' in handle else 'GPU'}-{handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802
        used = {"busy": 2.0, "taken": 50.0}.get(self._kind(handle), 1.0)
        return SimpleNamespace(used=used, total=100.0)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[Any]:  # noqa: N802
        pids = {"busy": [1], "own": [os.getpid()]}.get(self._kind(handle), [])
        return [SimpleNamespace(pid=pid) for pid in pids]

    def nvmlDeviceGetMigMode(self, handle: str) -> list[int]:  # noqa: N802
        if self._kind(handle) != "divided":
            raise self.NVMLError("Not Supported")
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: str) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: str, index: int) -> str:  # noqa: N802
        if index > 2:
            raise self.NVMLError("Not Found")
        return f"{handle}/{index}"


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_as_many_gpus_as_the_driver_names_take_a_trial_each(count: int) -> None:
    found = read_gpus(StandInNvml(count))
    assert [gpu.uuid for gpu in found] == [f"GPU-g{n}" for n in range(count)]
    slots = make_slots(16, found)
    assert [slot.gpu_uuid for slot in slots] == ([f"GPU-g{n}" for n in range(count)] or [None] * 16)
    if count:
        assert len(make_slots(16, found, gpus=0.5)) == 2 * count


def test_instances_take_the_place_of_a_divided_gpu() -> None:
    found = read_gpus(StandInNvml(2, g0="divided"))
    uuids = ["MIG-g0/0", "MIG-g0/1", "MIG-g0/2", "GPU-g1"]
    assert [gpu.uuid for gpu in found] == uuids
    assert visible(found, "MIG-g0/1,GPU-g1") == [found[1], found[3]]


def test_a_vanished_gpu_is_left_out() -> None:
    assert [gpu.uuid for gpu in read_gpus(StandInNvml(3, g1="vanished"))] == ["GPU-g0", "GPU-g2"]


def test_gpus_in_use_are_shared_or_left_alone_as_the_recipe_says() -> None:
    found = read_gpus(StandInNvml(4, g0="busy", g1="taken", g3="own"))
    assert [gpu.busy for gpu in found] == [True, True, False, False]
    shared = [slot.gpu_uuid for slot in make_slots(8, found)]
    assert shared == ["GPU-g2", "GPU-g3", "GPU-g0", "GPU-g1"], "the emptiest first"
    alone = make_slots(8, found, busy="avoid")
    assert [slot.gpu_uuid for slot in alone] == ["GPU-g2", "GPU-g3"]
    with pytest.raises(RecipeError, match="2 are free; 2 are in use by others") as refused:
        make_slots(8, found, gpus=3, busy="avoid")
    assert "busy_gpus=share" in refused.value.hint
    with pytest.raises(RecipeError, match="in use by others"):
        make_slots(8, found[:2], busy="avoid")


def test_what_would_run_where_is_said_in_words() -> None:
    assert describe_slots(make_slots(8, [], workers=2)) == (
        "2 trials at once, on the CPU, 4 threads each"
    )
    found = read_gpus(StandInNvml(2))
    assert describe_slots(make_slots(8, found, gpus=0.5), found) == (
        "4 trials at once, 2 threads each: 2 on GPU-g0 (NVIDIA H200); 2 on GPU-g1 (NVIDIA H200)"
    )
    assert describe_slots(make_slots(8, found, gpus=2), found) == (
        "1 trial at a time, 8 threads each: 1 on GPU-g0 (NVIDIA H200) and GPU-g1 (NVIDIA H200)"
    )
