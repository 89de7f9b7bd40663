"""The data, and how they are divided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.contracts import ClassificationOptions, ClassificationTask, Splits, TaskInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("calm", "lively")
SHARES = (0.6, 0.2, 0.2)
"""Of training, validation and test."""


class MyName(ClassificationTask):
    """Covariance matrices of simulated signals of two kinds.

    `_read` makes them; put a reader of your own data in its place.
    """

    class Options(ClassificationOptions):
        """Size of the data."""

        per_class: int = Field(60, ge=10, description="signals of each class")
        channels: int = Field(4, ge=2, description="channels of a signal, n of its n x n matrix")

    def info(self) -> TaskInfo:
        shape = (1, self.options.channels, self.options.channels)
        return TaskInfo("spd", shape, len(CLASSES), len(self._divide(0)[0]), CLASSES)

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        matrices, labels = self._read()
        train, val, test = (
            TensorDataset(torch.from_numpy(matrices[part]), torch.from_numpy(labels[part]))
            for part in self._divide(seed)
        )
        # The test split is behind a function, because nothing but the last test may see it.
        return Splits(train, val, lambda: test, preparation="Covariance matrix of the channels.")

    def _read(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Matrices (N, 1, n, n) and labels (N,): the same in every process."""
        import numpy as np

        rng, n = np.random.default_rng(0), self.options.channels
        labels = np.arange(2 * self.options.per_class) % 2
        signals = rng.standard_normal((len(labels), n, 8 * n))
        signals[labels == 1, 0] *= 1.5  # The lively ones have a louder first channel.
        return (signals @ signals.swapaxes(1, 2) / (8 * n))[:, None], labels

    def _divide(self, seed: int) -> list[NDArray[Any]]:
        """Indices of training, validation and test, the classes alike in each."""
        from toolkit.datasets.arrays import make_split

        return list(make_split(self._read()[1], CLASSES, SHARES, seed))
