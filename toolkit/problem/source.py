"""A task with the options that one point gives it: what its data are, and how they are loaded."""

from __future__ import annotations

from collections import Counter
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

    def folds_in_words(self) -> str:
        """Says what folds there are, from the labels alone; nothing for the task's own split.

        Raises:
            DataError: the samples cannot be divided so.
        """
        if not self.validation.on_folds:
            return ""
        pool = self._pool()
        kind = "of whole groups" if self._by_group(pool) else "stratified"
        return f"{len(self._folds_of(pool))} folds, {kind}"

    def _divide(self, pool: Pool, train: NDArray[Any], held_out: NDArray[Any]) -> Splits:
        """Parts of the pool, with the groups of the training samples where folds are of groups."""
        splits = pool.divide(train, held_out, None)
        if pool.groups is None or not self._by_group(pool):
            return replace(splits, groups=None)
        # A task that cuts what it divides into pieces says itself who each of these is from.
        return replace(
            splits, groups=pool.groups[train] if splits.groups is None else splits.groups
        )

    def _by_group(self, pool: Pool) -> bool:
        """Whether folds are of whole groups; where the kind is left open, if there are two."""
        if self.validation.folds is None:
            return self.validation.groups is not None
        return pool.groups is not None and len(set(pool.groups[_members(pool)].tolist())) > 1

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

        asked, members = self.validation, _members(pool)
        what = members, pool.labels, pool.class_names
        try:
            if self._by_group(pool):
                count = None if asked.groups is True else asked.groups
                if asked.folds is not None and pool.groups is not None:
                    count = min(asked.folds, len(set(pool.groups[members].tolist())))
                return group_folds(*what, pool.groups, count)
            count = asked.stratified
            if count is None:
                counts = Counter(pool.labels[members].tolist())
                count = max(2, min(asked.folds or 2, *counts.values()))
            return stratified_folds(*what, count, asked.repeats, self.seed)
        except DataError as error:
            raise DataError(f"validation: {error.message}", hint=error.hint) from error


def _members(pool: Pool) -> NDArray[Any]:
    """Indices of the samples that may be trained and validated on."""
    import numpy as np

    return np.unique(np.concatenate([pool.train, pool.val]))
