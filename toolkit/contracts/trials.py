"""What code that runs inside a trial may use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from toolkit.contracts.tasks import Splits, Task, TaskInfo
    from toolkit.contracts.training import Train


class TrialContext(ABC):
    """What code that runs inside a trial may use. The engine makes it, in a worker."""

    task: Task
    info: TaskInfo
    splits: Splits
    train: Train
    """The recipe's training block with this trial's searched values and fidelity filled in."""
    seed: int
    device: torch.device
    of_epochs: int | None = None
    """Epochs of the full training, where `train.epochs` are the first few of them: what schedules
    are laid out over. None means `train.epochs`."""
    data: float = 1.0
    """Share of the training data that `splits.train` is; a checkpoint may come from a smaller."""
    folder: Path
    """The trial's own folder; write here only."""
    prepared: Path | None = None
    """What `SearchSpace.prepare` wrote, to be read only; None where it prepares nothing."""

    @abstractmethod
    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        """Stream metrics out after epoch `step` (from 1). `records` are JSON facts for the report.

        A training that lays down its own number of epochs names it in the record `epochs`: who
        watches then sees how far it is.

        Raises:
            StopTrial: the trial shall end now (pruned, out of time, or the engine is draining).
                Save a checkpoint before reporting.
        """

    @abstractmethod
    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint of tensors and plain values, atomically, in place of the last one."""

    @abstractmethod
    def restore(self) -> dict[str, Any] | None:
        """The last checkpoint of this trial, or None."""


class StopTrial(Exception):  # noqa: N818 - a request, not an error
    """Raised out of `TrialContext.report`; trial code lets it pass.

    A one-shot strategy may end a search of the reason `pruned` with what was found so far.
    """
