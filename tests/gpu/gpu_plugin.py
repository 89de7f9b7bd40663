"""A task and a space whose jobs tell of their GPU, fill it, share it, or train slowly on it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from toolkit import contracts
from toolkit.contracts import (
    Architecture,
    Direction,
    Learner,
    Splits,
    TaskInfo,
    TrialContext,
)
from toolkit.space import Group, Int, Space

PATIENCE_S = 60.0


class GpuTask(contracts.Task):
    """Two shifted Gaussian clouds in eight dimensions."""

    directions: ClassVar[Mapping[str, Direction]] = {"accuracy": "maximize", "loss": "minimize"}

    def info(self) -> TaskInfo:
        return TaskInfo("vector", (8,), 2, 64)

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        def make(count: int, stream: int) -> TensorDataset:
            generator = torch.Generator().manual_seed(1000 * seed + stream)
            labels = torch.arange(count) % 2
            inputs = torch.randn(count, 8, generator=generator, dtype=torch.float64)
            return TensorDataset(inputs + labels[:, None], labels)

        return Splits(make(64, 1), make(32, 2), lambda: make(32, 3))

    def metrics(self, scores: Any, labels: Any) -> dict[str, float]:
        from torch.nn.functional import cross_entropy

        hits = (scores.argmax(1) == labels).double().mean()
        return {"accuracy": float(hits), "loss": float(cross_entropy(scores, labels))}


class DeedLearner(Learner):
    """Does what its deed says in place of a training, and leaves `facts.json` in its folder."""

    def __init__(self, model: Any, deed: str) -> None:
        super().__init__(model)
        self.deed = deed

    def fit(self, trial: TrialContext) -> dict[str, float]:
        import torch

        if self.deed == "hoard":
            torch.empty(1 << 47, dtype=torch.uint8, device=trial.device)
        self.model.to(trial.device)
        facts = {
            "device": next(self.model.parameters()).device.type,
            "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "pid": os.getpid(),
        }
        if facts["device"] == "cuda":
            facts["count"] = torch.cuda.device_count()
            facts["uuid"] = str(torch.cuda.get_device_properties(0).uuid)
        (trial.folder / "facts.json").write_text(json.dumps(facts))
        if self.deed == "meet":
            meet(trial.folder.parent)
        return {"accuracy": 1.0, "loss": 0.0}


def meet(folder: Path) -> None:
    """Waits until the facts of two jobs lie in a folder: they are at work at the same time."""
    until = time.monotonic() + PATIENCE_S
    while len(list(folder.glob("*/facts.json"))) < 2:
        if time.monotonic() > until:
            raise TimeoutError("no other job came")
        time.sleep(0.05)


class SlowLearner(Learner):
    """Trains by the toolkit's loop, with a rest at every step."""

    def loss(self, batch: Any) -> Any:
        time.sleep(0.005)
        return super().loss(batch)


class GpuOptions(contracts.Options):
    deed: Literal["tell", "hoard", "meet", "train"] = "tell"


class GpuSpace(contracts.SearchSpace):
    """A perceptron of two layers."""

    Options = GpuOptions
    accepts = frozenset({"vector"})

    def parameters(self, task: TaskInfo) -> Space:
        return Group(width=Int(1, 32))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        from torch import nn

        width = architecture["width"]
        model = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2)).double()
        if self.options.deed == "train":
            return SlowLearner(model, lr=0.05)
        return DeedLearner(model, self.options.deed)
