"""A task that judges generated images, and a space that prepares something for all trainings."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from toolkit import contracts
from toolkit.contracts import (
    Architecture,
    Direction,
    Heat,
    ImageRow,
    Images,
    Learner,
    Splits,
    TaskInfo,
    TrialContext,
)
from toolkit.space import Choice, Group, Space

SIDE = 4


class ImageTask(contracts.Task):
    """Grey squares of 4 x 4 pixels: two target classes, two source classes."""

    directions: ClassVar[Mapping[str, Direction]] = {"distance": "minimize"}

    def info(self) -> TaskInfo:
        return TaskInfo(
            "image", (1, SIDE, SIDE), 2, 8, ("dark", "light"), False, "images", ("a", "b")
        )

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        def part(count: int, shift: float) -> TensorDataset:
            labels = torch.arange(count) % 2
            images = torch.full((count, 1, SIDE, SIDE), shift) + labels[:, None, None, None] / 2
            return TensorDataset(images, labels)

        return Splits(
            part(8, -0.2),
            part(4, -0.2),
            lambda: part(6, -0.2),
            source=part(10, 0.0),
            source_val=part(4, 0.0),
        )

    def judge(self, learner: Any, held_out: Any, device: Any) -> dict[str, float]:  # type: ignore[override]
        import torch

        real, labels = held_out.tensors
        made = learner.generate(labels, torch.Generator().manual_seed(0))
        return {"distance": float((made - real).abs().mean().detach())}

    def references(self, splits: Splits, held_out: Any, device: Any) -> dict[str, dict[str, float]]:
        return {"samples, given again": {"distance": 0.0}}


class MeanLearner(Learner):
    """Takes the means of the classes, from the start that was prepared."""

    def fit(self, trial: TrialContext) -> dict[str, float]:  # type: ignore[override]
        import torch

        assert trial.prepared is not None
        start = float((trial.prepared / "start.txt").read_text())
        images, labels = trial.splits.train.tensors  # type: ignore[attr-defined]
        with torch.no_grad():
            for label in range(trial.info.classes):
                self.model.means[label] = images[labels == label].mean(0).flatten() + start
            self.model.spread.zero_()
        return dict(trial.task.judge(self, trial.splits.val, trial.device))  # type: ignore[misc]

    def smoke(self, trial: TrialContext) -> None:
        (trial.folder / "smoked.txt").write_text("yes")

    def generate(self, labels: Any, generator: Any) -> Any:
        return self.model(self._given(labels, generator))

    def example(self, inputs: Any) -> Any:
        import torch

        labels = torch.arange(len(inputs)) % self.model.config["classes"]
        return self._given(labels, torch.Generator().manual_seed(0))

    def _given(self, labels: Any, generator: Any) -> Any:
        from toolkit.base.conditions import conditions

        return conditions(labels, self.model.config["classes"], 1, generator)

    def drawing(self, trial: TrialContext, held_out: Any) -> Any:
        import numpy as np

        pixels = np.zeros((3, 1, SIDE, SIDE), np.uint8)
        heat = Heat("Means", self.model.means.tolist(), ["dark", "light"], ["p"] * SIDE**2)
        return [Images("Three squares", [ImageRow("dark", pixels)], "They are black."), heat]


class ImageOptions(contracts.Options):
    start: float = 0.0
    die_at: int = 0
    steps: int = 3


class ImageSpace(contracts.SearchSpace):
    """Prepares a number, step by step."""

    Options = ImageOptions
    accepts = frozenset({"image"})
    gives = frozenset({"images"})

    def parameters(self, task: TaskInfo) -> Space:
        return Group(name=Choice(["only"]))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        from image_plugin.model import MeanImages

        return MeanLearner(MeanImages(task.classes, SIDE))

    def preparation(self, task: TaskInfo) -> Mapping[str, Any]:
        return {"version": 1, "start": self.options.start}

    def prepare(self, trial: TrialContext, folder: Path) -> None:
        assert trial.splits.source is not None
        state = trial.restore() or {"step": 0}
        for step in range(state["step"] + 1, self.options.steps + 1):
            with Path(os.environ["PREPARED_STEPS"]).open("a") as stream:
                stream.write(f"{step}\n")
            trial.save({"step": step})
            trial.report(step, {})
            if step == self.options.die_at and not state["step"]:
                os.kill(os.getpid(), signal.SIGKILL)
        (folder / "start.txt").write_text(str(self.options.start))
