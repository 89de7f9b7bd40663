"""A task's data, loaded and checked, and counted for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import DataError
from toolkit.contracts import Splits, Survey, Task, TaskInfo

if TYPE_CHECKING:
    from torch.utils.data import Dataset


def load_splits(task: Task, seed: int, folder: Path) -> Splits:
    """Loads the data of a task.

    Args:
        task: the task.
        seed: of the split.
        folder: for caches and downloads.

    Raises:
        DataError: they are missing or malformed, or nothing is left to train or to validate on.
    """
    splits = task.load(folder, seed)
    for part, data in (("training", splits.train), ("validation", splits.val)):
        if not len(data):  # type: ignore[arg-type]
            raise DataError(
                f"The {part} part of the data is empty.", hint="Give it samples, or another split."
            )
    return splits


def count_splits(splits: Splits, info: TaskInfo) -> Survey:
    """What can be counted of loaded data whose task says nothing of its parts.

    The test part is left out: it is loaded after the last training.
    """
    counts = {"train": count(splits.train, info), "val": count(splits.val, info)}
    return Survey(counts)


def count(data: Dataset[Any], info: TaskInfo) -> dict[str, int]:
    """Samples by class; all together where labels are not at hand without the inputs."""
    from torch.utils.data import TensorDataset

    from toolkit.training.batches import labels_of

    if not info.classes:
        return {"all samples": len(data)}  # type: ignore[arg-type]
    if not isinstance(data, TensorDataset) and not hasattr(data, "targets"):
        return {"all classes": len(data)}  # type: ignore[arg-type]
    counts = labels_of(data).long().bincount(minlength=info.classes).tolist()
    return dict(zip(info.class_names or map(str, range(info.classes)), counts, strict=False))
