"""Division of a machine into slots."""

from __future__ import annotations

import pytest

from toolkit.engine.placement import choose_slot
from toolkit.errors import RecipeError
from toolkit.executors.slots import Gpu, make_slots, visible

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
