"""A small task of images, and trials on it without an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from toolkit.contracts import Splits, TaskInfo, Train, TrialContext
from toolkit_gan.space import GanTransferSpace

INFO = TaskInfo("image", (1, 8, 8), 2, 6, ("x", "y"), outputs="images", source_classes=("a", "b"))
OPTIONS: dict[str, Any] = {
    "noise": 4,
    "g_widths": (6, 5, 4),
    "d_widths": (4, 5, 6),
    "pretraining_steps": 3,
    "pretraining_batch": 8,
}


def part(count: int, seed: int) -> TensorDataset:
    drawing = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    return TensorDataset(torch.rand(count, 1, 8, 8, generator=drawing), labels)


class MeanTask:
    """Judges the distance between mean images."""

    directions = {"class_fid": "minimize"}  # noqa: RUF012

    def judge(self, learner: Any, held_out: Any, device: torch.device) -> dict[str, float]:
        real, labels = held_out.tensors
        made = learner.generate(labels, torch.Generator().manual_seed(0))
        return {"class_fid": float((made - real).mean(0).square().sum())}


class Trial(TrialContext):
    """A trial that keeps its states and reports."""

    def __init__(self, prepared: Path | None, seed: int = 0, **train: Any) -> None:
        self.task, self.info = MeanTask(), INFO  # type: ignore[assignment]
        self.splits = Splits(
            part(6, 1), part(20, 2), lambda: part(20, 3), source=part(32, 4), source_val=part(16, 5)
        )
        self.train = Train(**{"epochs": 6, "batch_size": 8, **train})
        self.seed, self.device, self.prepared = seed, torch.device("cpu"), prepared
        self.states: list[dict[str, Any]] = []
        self.reports: list[tuple[int, Any, Any]] = []
        self.start: dict[str, Any] | None = None

    def report(self, step: int, values: Any, **records: Any) -> None:
        self.reports.append((step, values, records))

    def save(self, state: Any) -> None:
        import copy

        self.states.append(copy.deepcopy(dict(state)))

    def restore(self) -> dict[str, Any] | None:
        return self.start


@pytest.fixture
def space() -> GanTransferSpace:
    return GanTransferSpace(GanTransferSpace.Options(**OPTIONS))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("prepared")
    GanTransferSpace(GanTransferSpace.Options(**OPTIONS)).prepare(Trial(None, seed=1), folder)
    return folder


@pytest.fixture
def make_trial(prepared: Path) -> Callable[..., Trial]:
    return lambda **more: Trial(prepared, **more)
