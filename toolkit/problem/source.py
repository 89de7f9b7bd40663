"""A task with the options that one point gives it: what its data are, and how they are loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolkit.base.places import data_dir
from toolkit.contracts import Pool, Splits, Task, TaskInfo
from toolkit.errors import DataError
from toolkit.recipe.schema import Validation
from toolkit.registry import plugin_code
from toolkit.training.data import load_splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.datasets.folds import Fold


@dataclass(frozen=True)
class DataSource:
    """A task with the options that a point gives it, and what its data are.

    Attributes:
        key: equal for equal options.
        task: judges predictions.
        info: what the data are.
        seed: of the split.
        validation: what trials of the search are judged on.
    """

    key: str
    task: Task
    info: TaskInfo
    seed: int
    validation: Validation

    def load(self) -> Splits:
        """Loads the data, as every job of a run does.

        Raises:
            DataError: they are missing or malformed.
        """
        return load_splits(self.task, self.seed, data_dir())

    def load_folds(self) -> list[Splits]:
        """Loads the data once for each fold that a trial of the search is judged on.

        Raises:
            DataError: they are missing or malformed.
        """
        pool = self._pool()
        folds = self._folds_of(pool)
        return [self._divide(pool, fold.train, fold.held_out) for fold in folds]

    def load_whole(self) -> Splits:
        """Loads the data with the samples of every fold as the training part.

        The validation part is the task's own, and so is among them; the test split is the task's.

        Raises:
            DataError: they are missing or malformed.
        """
        pool = self._pool()
        return self._divide(pool, _members(pool), pool.val)

    def count_folds(self) -> int:
        """Returns how many folds there are, from the labels alone; 0 for the task's own split.

        Raises:
            DataError: the samples cannot be divided so.
        """
        return len(self._folds_of(self._pool())) if self.validation.on_folds else 0

    def _divide(self, pool: Pool, train: NDArray[Any], held_out: NDArray[Any]) -> Splits:
        """Parts of the pool, with the groups of the training samples where folds are of groups."""
        splits = pool.divide(train, held_out, None)
        if self.validation.groups is None or pool.groups is None:
            return splits
        return replace(splits, groups=pool.groups[train])

    def _pool(self) -> Pool:
        with plugin_code("task.pool"):
            pool = self.task.pool(data_dir(), self.seed)
        if pool is None:
            raise DataError(
                "validation: The task divides its data in one way alone, and cannot be validated"
                " on folds.",
                hint="Leave the word validation out.",
            )
        return pool

    def _folds_of(self, pool: Pool) -> list[Fold]:
        from toolkit.datasets.folds import group_folds, stratified_folds

        asked, what = self.validation, (_members(pool), pool.labels, pool.class_names)
        try:
            if asked.stratified is not None:
                return stratified_folds(*what, asked.stratified, asked.repeats, self.seed)
            count = None if asked.groups is True else asked.groups
            return group_folds(*what, pool.groups, count)
        except DataError as error:
            raise DataError(f"validation: {error.message}", hint=error.hint) from error


def _members(pool: Pool) -> NDArray[Any]:
    """Indices of the samples that may be trained and validated on."""
    import numpy as np

    return np.unique(np.concatenate([pool.train, pool.val]))
