"""How a Ray cluster is divided into slots."""

from __future__ import annotations

import pytest

from toolkit.errors import RecipeError
from toolkit_ray.cluster import Share, plan

CPUS = [{"CPU": 4.0}, {"CPU": 4.0}, {"CPU": 2.0}]
GPUS = [{"CPU": 16.0, "GPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 32.0}]


def test_cores_make_slots_that_lie_on_one_machine_each() -> None:
    assert plan(CPUS, workers=None, gpus=None, threads=None) == (10, Share(1, 0.0))
    assert plan(CPUS, workers=None, gpus=None, threads=3) == (2, Share(3, 0.0))
    assert plan(CPUS, workers=2, gpus=0, threads=None) == (2, Share(4, 0.0)), "not 5: none has it"


def test_gpus_are_counted_machine_by_machine() -> None:
    assert plan(GPUS, workers=None, gpus=None, threads=None) == (9, Share(2, 1.0))
    assert plan(GPUS, workers=None, gpus=2, threads=2) == (4, Share(2, 2))
    assert plan(GPUS, workers=None, gpus=0.5, threads=1) == (18, Share(1, 0.5))
    assert plan(GPUS, workers=None, gpus=1 / 3, threads=1)[0] == 19, "16 cores allow 16 of 24"
    assert plan(GPUS, workers=None, gpus=0, threads=4)[0] == 13


def test_what_no_machine_has_is_refused_with_what_they_have() -> None:
    with pytest.raises(RecipeError, match=r"16 GPUs.*16 CPU cores, 8 GPUs"):
        plan(GPUS, workers=None, gpus=16, threads=1)


def test_workers_that_were_asked_for_wait_for_machines_to_come() -> None:
    assert plan([], workers=3, gpus=1, threads=2) == (3, Share(2, 1))
