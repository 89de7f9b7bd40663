"""What both tables share: trials that are answered instead of trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from toolkit.errors import SpaceError
from toolkit.space import Choice, Group, Space

if TYPE_CHECKING:
    import torch

SAMPLES = 8
"""Size of the stand-in for data sets, which nothing is read from."""


@dataclass(frozen=True)
class Decisions:
    """The architectures of a table: the same choice at several places.

    Attributes:
        architecture: what one is called in messages, e.g. "cell of NAS-Bench-201".
        places: names of the places, in the order of the table's keys.
        choices: what each place may be.
    """

    architecture: str
    places: tuple[str, ...]
    choices: tuple[str, ...]

    def tree(self) -> Group:
        """The search space."""
        return Group({place: Choice(self.choices) for place in self.places})

    def key(self, architecture: Architecture) -> str:
        """An architecture's key in the table: the number of the choice at each place.

        Raises:
            SpaceError: it is none of the table's.
        """
        try:
            return "".join(str(self.choices.index(architecture[place])) for place in self.places)
        except (KeyError, ValueError, TypeError) as error:
            raise SpaceError(
                f"{architecture!r} is no {self.architecture}: each of {', '.join(self.places)}"
                f" needs one of {', '.join(self.choices)}."
            ) from error


class TableTask(Task):
    """Base: a table of trained architectures. A trial's metrics are its row.

    `classes` of the task's info counts the metrics: a model of the table's space answers every
    input with its row, so that the validation and the final test say what the table says.
    """

    kind: ClassVar[str]
    """Kind of the data; the table's own space alone accepts it."""

    decisions: ClassVar[Decisions]

    @abstractmethod
    def read_table(self) -> Mapping[str, Any]:
        """The table, key -> entry; read once in a process.

        Raises:
            DataError: it is not there, or no such table.
        """

    @abstractmethod
    def read_entry(self, entry: Any) -> dict[str, float]:
        """What an entry says: every metric of `directions`."""

    def row(self, architecture: Architecture) -> dict[str, float]:
        """What the table knows of an architecture: every metric of `directions`."""
        return self.read_entry(self.read_table()[self.decisions.key(architecture)])

    def rows(self) -> Iterator[dict[str, float]]:
        """Every row of the table."""
        yield from map(self.read_entry, self.read_table().values())

    def info(self) -> TaskInfo:
        self.read_table()
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

    weighs_classes = False

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

    decisions: ClassVar[Decisions]

    def parameters(self, task: TaskInfo) -> Space:
        return self.decisions.tree()

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        return TableLearner(architecture, task.classes)
