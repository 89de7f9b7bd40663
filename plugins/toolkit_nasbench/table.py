"""What both tables share: trials that are answered instead of trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.contracts import (
    Architecture,
    Learner,
    SearchSpace,
    Splits,
    Task,
    TaskInfo,
    TrialContext,
)

if TYPE_CHECKING:
    import torch

SAMPLES = 8
"""Size of the stand-in for data sets, which nothing is read from."""


class TableTask(Task):
    """Base: a table of trained architectures. A trial's metrics are its row.

    `classes` of the task's info counts the metrics: a model of the table's space answers every
    input with its row, so that the validation and the final test say what the table says.
    """

    kind: ClassVar[str]
    """Kind of the data; the table's own space alone accepts it."""

    @abstractmethod
    def row(self, architecture: Architecture) -> dict[str, float]:
        """What the table knows of an architecture: every metric of `directions`."""

    @abstractmethod
    def rows(self) -> Iterator[dict[str, float]]:
        """Every row of the table."""

    def info(self) -> TaskInfo:
        return TaskInfo(
            self.kind, (1,), len(self.directions), SAMPLES, class_names=tuple(self.directions)
        )

    def load(self, data_dir: Path, seed: int) -> Splits:
        import torch
        from torch.utils.data import TensorDataset

        data = TensorDataset(torch.zeros(SAMPLES, 1), torch.zeros(SAMPLES, dtype=torch.long))
        return Splits(
            data, data, lambda: data, preparation="None: the results come from a table, untrained."
        )

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        means = scores.mean(dim=0).tolist()
        return dict(zip(self.directions, means, strict=True))


class TableLearner(Learner):
    """Looks its result up in the task's table."""

    def __init__(self, architecture: Architecture, columns: int) -> None:
        from toolkit_nasbench.model import Row

        super().__init__(Row(columns))
        self.architecture = architecture

    def fit(self, trial: TrialContext) -> dict[str, float]:
        import torch

        assert isinstance(trial.task, TableTask)
        row = trial.task.row(self.architecture)
        module: Any = self.model
        module.values = torch.tensor(list(row.values()), dtype=torch.float64)
        return row


class TableSpace(SearchSpace):
    """Base: the architectures of a table."""

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        return TableLearner(architecture, task.classes)


def means(values: Mapping[str, list[float]], names: Mapping[str, str]) -> dict[str, float]:
    """Mean of each column over its training seeds, under the names of the metrics."""
    return {metric: sum(values[column]) / len(values[column]) for metric, column in names.items()}
