"""A task of arrays as a plugin's author writes it: vectors and labels from an archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from toolkit import contracts
from toolkit.contracts import DataPath, Direction, Splits, TaskInfo
from toolkit.datasets.arrays import classification_metrics, make_split, read_arrays


class CloudsOptions(contracts.Options):
    data: DataPath
    x: str = "X"
    y: str = "y"
    groups: str | None = None


class Clouds(contracts.Task):
    """Labelled vectors."""

    Options = CloudsOptions
    directions: ClassVar[Mapping[str, Direction]] = {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "loss": "minimize",
    }
    arrays: ClassVar[Mapping[str, str]] = {"X": "x", "y": "y", "groups": "groups"}

    def _read(self) -> dict[str, Any]:
        groups = [self.options.groups] if self.options.groups else []
        return read_arrays(self.options.data, [self.options.x, self.options.y, *groups])

    def info(self) -> TaskInfo:
        vectors = self._read()[self.options.x]
        return TaskInfo("vector", vectors.shape[1:], 2, len(vectors) // 2)

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        arrays = self._read()
        groups = arrays.get(self.options.groups or "")
        labels = arrays[self.options.y].astype(int)
        split = make_split(labels, ("0", "1"), (2, 1, 1), seed, groups=groups)
        vectors = torch.tensor(arrays[self.options.x], dtype=torch.float32)
        sets = [TensorDataset(vectors[part], torch.tensor(labels[part])) for part in split]
        return Splits(sets[0], sets[1], lambda: sets[2])

    def metrics(self, scores: Any, labels: Any) -> dict[str, float]:
        return classification_metrics(scores, labels)
