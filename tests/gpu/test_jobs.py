"""Jobs on a GPU: placed by UUID, sharing it, running out of its memory, killed and gone on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from gpu_machine import Machine
from toolkit.contracts import Reported
from toolkit.executors.slots import find_gpus, make_slots

pytestmark = pytest.mark.gpu


def test_the_driver_names_the_gpus_that_torch_sees(device: str) -> None:
    if device == "cpu":
        assert find_gpus() == []
        return
    import torch

    found = find_gpus()
    assert len(found) == torch.cuda.device_count()
    uuid = str(torch.cuda.get_device_properties(0).uuid)
    assert uuid.removeprefix("GPU-") in {gpu.uuid.removeprefix("GPU-") for gpu in found}
    assert all(gpu.name and 0 <= gpu.used < 1 for gpu in found)
    assert {slot.device for slot in make_slots(4, found)} == {"cuda"}


def test_two_jobs_share_a_gpu_each_seeing_no_other(machine: Machine, device: str) -> None:
    outcomes = machine.run(machine.spec("meet", "one"), machine.spec("meet", "two"))
    assert [outcome.error for outcome in outcomes] == ["", ""]
    facts = [machine.facts(folder) for folder in ("one", "two")]
    assert facts[0]["pid"] != facts[1]["pid"]
    for fact, slot in zip(facts, machine.executor.slots(), strict=True):
        assert fact["device"] == device
        assert fact["visible"] == (slot.gpu_uuid or "")
        if device == "cuda":
            assert fact["count"] == 1
            assert slot.gpu_uuid is not None
            assert fact["uuid"].removeprefix("GPU-") == slot.gpu_uuid.removeprefix("GPU-")


def test_memory_that_runs_out_is_a_result_and_costs_the_next_job_nothing(
    machine: Machine, device: str
) -> None:
    machine.run(machine.spec("tell", "before"))
    (short,) = machine.run(machine.spec("hoard", "hoard"))
    assert short.state == "oom"
    assert ("CUDA" if device == "cuda" else "host") in short.error.splitlines()[0]
    (after,) = machine.run(machine.spec("tell", "after"))
    assert after.state == "done"
    assert machine.facts("after")["pid"] == machine.facts("before")["pid"], "the worker was lost"


@pytest.mark.parametrize("moved", [False, True])
def test_a_killed_training_goes_on_as_if_it_had_not_been(
    make_machine: Callable[[str], Machine], device: str, moved: bool
) -> None:
    first = make_machine(device)
    (whole,) = first.run(first.spec("train", "whole"))
    assert whole.state == "done", whole.error
    steps: list[int] = []

    def kill(event: object) -> None:
        if isinstance(event, Reported):
            steps.append(event.step)
            if event.step == 3:
                kill_workers()

    (lost,) = first.run(first.spec("train", "cut"), on_event=kill)
    assert lost.state == "lost"
    cut = str(first.home / "cut")
    second = make_machine("cpu") if moved else first
    resumed: list[int] = []
    (after,) = second.run(
        second.spec("train", cut, known_steps=steps[-1]),
        on_event=lambda event: resumed.append(event.step) if isinstance(event, Reported) else None,
    )
    assert after.state == "done", after.error
    assert resumed == list(range(steps[-1] + 1, 31)), "an epoch was lost or paid twice"
    for name, value in whole.values.items():
        assert after.values[name] == pytest.approx(value, rel=1e-4), name


def kill_workers() -> None:
    """Kills the processes in which this one's jobs run, not their keepers."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            parent = process.parent()
            if parent is not None and "toolkit.worker.main" in parent.cmdline():
                process.kill()
