"""What tests of a GPU share. `GPU_CHECK_DEVICE=cpu` has the CPU stand in for it.

`scripts/gpu_check.sh` runs them on a machine with a GPU; without one they are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpu_machine import Machine


@pytest.fixture(scope="session")
def device() -> str:
    """The device to test: `cuda` where there is one."""
    import torch

    chosen = os.environ.get("GPU_CHECK_DEVICE")
    if chosen is None and not torch.cuda.is_available():
        pytest.skip("no GPU is visible; GPU_CHECK_DEVICE=cpu has the CPU stand in for one")
    return chosen or "cuda"


@pytest.fixture(scope="module")
def machine(device: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Two jobs at once that share a GPU."""
    made = Machine(tmp_path_factory.mktemp("shared") / "run", device, 0.5, 2)
    yield made
    made.executor.close()


@pytest.fixture
def make_machine(device: str, tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    """Makes an executor of one slot on a device, closed in the end."""
    made: list[Machine] = []

    def make(where: str) -> Machine:
        made.append(Machine(tmp_path / f"run{len(made)}", where, 1, 1))
        return made[-1]

    yield make
    for each in made:
        each.executor.close()
