"""A task with the options that one point gives it: what its data are, and how they are loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import DataError
from toolkit.base.places import data_dir
from toolkit.contracts import Pool, Splits, Survey, Task, TaskInfo
from toolkit.contracts.outer import OuterFold, parse_folds
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
        outer: the fold that is tested on in place of the task's test split.
    """

    key: str
    task: Task
    info: TaskInfo
    seed: int
    validation: Validation
    outer: OuterFold | None = None
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def in_fold(self, outer: OuterFold) -> DataSource:
        """Returns the same data, read once, with a fold of all samples as the test split.

        Raises:
            DataError: the samples cannot be divided so, or there is no such fold.
        """
        inside = replace(self, key=f"{self.key}-{outer.folds}-{outer.fold}", outer=outer)
        whole, own = self._whole_pool(), inside._pool()
        # What is counted need not be samples: sequences are cut into pieces, say.
        size = round(self.info.train_size * len(own.train) / len(whole.train))
        return replace(inside, info=replace(self.info, train_size=max(size, 1)))

    def load(self) -> Splits:
        """Loads the data, as every job of a run does.

        Raises:
            DataError: they are missing or malformed.
        """
        if self.outer is not None:
            pool = self._pool()
            return pool.divide(pool.train, pool.val, pool.test)
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
        from toolkit.problem.outer import members_of

        pool = self._pool()
        return self._divide(pool, members_of(pool), pool.val)

    def groups_of(self, part: str, labels: NDArray[Any]) -> list[str]:
        """Returns who or what each sample of a held-out part is from; empty where it is unknown.

        Args:
            part: of the task's own parts, or of those of the outer fold.
            labels: of the part's samples, to know that these are the pool's.

        Raises:
            DataError: the groups are malformed.
        """
        key = f"groups {self.key}"
        if key not in self._kept:
            self._kept[key] = self._read_groups()
        known = self._kept[key].get(part)
        if known is None or known[0] != labels.tolist():
            return []
        names: list[str] = known[1]
        return names

    def _read_groups(self) -> dict[str, tuple[list[int], list[str]]]:
        """Labels and groups of the held-out parts."""
        with plugin_code("task.pool"):
            any_pool = self.outer is not None or self.task.pool(data_dir(), self.seed) is not None
        if not any_pool or (pool := self._pool()).groups is None:
            return {}
        from toolkit.datasets.names import tidied

        names = tidied(pool.groups, "Entry", "the groups")
        return {
            part: (pool.labels[own].tolist(), list(map(str, names[own].tolist())))
            for part, own in (("val", pool.val), ("test", pool.test))
        }

    def fold_count(self) -> int:
        """Returns how many folds a trial of the search is judged on; 0 for the task's own part.

        Raises:
            DataError: the samples cannot be divided so.
        """
        return len(self._folds_of(self._pool())) if self.validation.on_folds else 0

    def folds_in_words(self) -> str:
        """Says what folds there are, from the labels alone; nothing for the task's own split.

        Raises:
            DataError: the samples cannot be divided so.
        """
        if not self.validation.on_folds:
            return ""
        pool = self._pool()
        random = "stratified" if pool.class_names else "random"
        kind = "of whole groups" if self._by_group(pool) else random
        return f"{len(self._folds_of(pool))} folds, {kind}"

    def doubts_of_folds(self, *, whose: bool = True) -> list[str]:
        """Warns of folds that are others than the kind of data calls for, where data decide.

        Args:
            whose: say that it is not known who samples are from; false where another warning
                names an array that tells.

        Raises:
            DataError: the samples cannot be divided so.
        """
        asked = self.validation.folds
        if asked is None:
            return []
        from toolkit.problem.outer import members_of

        pool = self._pool()
        members = members_of(pool)
        if self._by_group(pool):
            return []
        found = []
        if pool.groups is None and whose:
            found.append(
                "The data do not say who or what each sample is from, so that folds are drawn at"
                " random: if several samples are of one person or recording, results on them are"
                f" too good. {self._way_to_groups()}"
            )
        elif pool.groups is not None:
            (only,) = set(map(str, pool.groups[members].tolist()))
            found.append(
                f"All {len(members)} samples to train and validate on are of one group ({only}), so"
                " that folds are drawn from it at random: how a model does on other groups is known"
                " from the test alone. A further group would be validated on."
            )
        if self.info.outputs == "values":
            return found
        names = [pool.class_names[label] for label in pool.labels[members].tolist()]
        fewest, count = min(Counter(names).items(), key=lambda pair: pair[1])
        if count < asked:
            found.append(
                f"Class {fewest!r} has {count} samples to train and validate on, fewer than the"
                f" {asked} folds that are usual, so that there are {max(2, count)}."
            )
        return found

    def knows_groups(self) -> bool:
        """Whether the samples are of two groups or more.

        Raises:
            DataError: the groups are malformed.
        """
        with plugin_code("task.pool"):
            pool = self.task.pool(data_dir(), self.seed)
        return pool is not None and pool.groups is not None and len(set(pool.groups.tolist())) > 1

    def _way_to_groups(self) -> str:
        """How samples are kept together by whom they are from, with this task."""
        options = getattr(self.task, "options", None)
        if options is None or "groups" in type(options).model_fields:
            return "Name an array of these as the task's groups, if there is one."
        fields = type(options).model_fields
        way = ""
        if "split" in fields:
            way = " by an array that names each sample's part (`train`, `val`, `test`; task.split)"
        elif Path(str(getattr(options, "data", ""))).is_dir():
            way = " into the folders train, val and test of task.data"
        return (
            f"This task knows no groups: divide such data yourself{way}, all of a person or"
            " recording being in one part, and write `validation: own`."
        )

    def _divide(self, pool: Pool, train: NDArray[Any], held_out: NDArray[Any]) -> Splits:
        """Parts of the pool, with the groups of the training samples where folds are of groups."""
        splits = pool.divide(train, held_out, None if self.outer is None else pool.test)
        if pool.groups is None or not self._by_group(pool):
            return replace(splits, groups=None)
        # A task that cuts what it divides into pieces says itself who each of these is from.
        return replace(
            splits, groups=pool.groups[train] if splits.groups is None else splits.groups
        )

    def _by_group(self, pool: Pool) -> bool:
        """Whether folds are of whole groups; where the kind is left open, if there are two."""
        from toolkit.problem.outer import members_of

        if self.validation.folds is None:
            return self.validation.groups is not None
        return pool.groups is not None and len(set(pool.groups[members_of(pool)].tolist())) > 1

    def outer_count(self, folds: str) -> int:
        """Returns how many folds all samples make.

        Args:
            folds: which, as `toolkit.contracts.outer.parse_folds` reads it.

        Raises:
            DataError: the samples cannot be divided so.
        """
        from toolkit.problem.outer import outer_folds

        return len(outer_folds(self._whole_pool(), parse_folds(folds), self.seed))

    def outer_in_words(self) -> str:
        """Says what is tested on, where that is a fold: the names of its groups, or its place."""
        from toolkit.problem.outer import name_of

        if self.outer is None:
            return ""
        count = self.outer_count(self.outer.folds)
        return name_of(self._pool(), parse_folds(self.outer.folds), self.outer.fold, count)

    def outer_survey(self) -> Survey:
        """Counts the samples of each part, where one fold is tested on."""
        from toolkit.datasets.groups import count_classes, held_out_groups

        pool = self._pool()
        parts = pool.train, pool.val, pool.test
        groups = {} if pool.groups is None else held_out_groups(pool.groups, parts)
        if set(groups.get("test", ())) & set(groups.get("train", ())):
            groups = {}
        return Survey(count_classes(pool.labels, pool.class_names, parts), groups)

    def _pool(self) -> Pool:
        """All samples, the outer fold being the test part where one is asked for."""
        if self.outer is None:
            return self._whole_pool(keep=False)
        key = f"pool {self.key}"
        if key not in self._kept:
            from toolkit.problem.outer import outer_folds, within

            pool, asked = self._whole_pool(), parse_folds(self.outer.folds)
            folds = outer_folds(pool, asked, self.seed)
            if self.outer.fold > len(folds):
                raise DataError(
                    f"validation: Fold {self.outer.fold} of {self.outer.folds} is asked for, and"
                    f" there are {len(folds)}."
                )
            self._kept[key] = within(pool, folds[self.outer.fold - 1], self.seed)
        kept: Pool = self._kept[key]
        return kept

    def _whole_pool(self, keep: bool = True) -> Pool:
        """All samples, with the task's own parts; read once where they are kept."""
        if "pool" in self._kept:
            kept: Pool = self._kept["pool"]
            return kept
        with plugin_code("task.pool"):
            pool = self.task.pool(data_dir(), self.seed)
        if pool is None:
            raise DataError(
                "validation: The task divides its data in one way alone, and cannot be divided"
                " into folds.",
                hint="Name a task whose samples can be divided, or ask for no folds.",
            )
        if keep:
            self._kept["pool"] = pool
        return pool

    def _folds_of(self, pool: Pool) -> list[Fold]:
        from toolkit.datasets.folds import group_folds, stratified_folds
        from toolkit.problem.outer import members_of

        asked, members = self.validation, members_of(pool)
        what = members, pool.labels, pool.class_names
        try:
            if self._by_group(pool):
                count = None if asked.groups is True else asked.groups
                if asked.folds is not None and pool.groups is not None:
                    count = min(asked.folds, len(set(pool.groups[members].tolist())))
                return group_folds(*what, pool.groups, count)
            count = asked.stratified
            if count is None and not pool.class_names:
                count = max(2, min(asked.folds or 2, len(members) // 2))
            elif count is None:
                counts = Counter(pool.labels[members].tolist())
                count = max(2, min(asked.folds or 2, *counts.values()))
            return stratified_folds(*what, count, asked.repeats, self.seed)
        except DataError as error:
            raise DataError(f"validation: {error.message}", hint=error.hint) from error
