"""The data of jobs, kept from one to the next as long as they fit into memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from toolkit.contracts import Splits
from toolkit.problem import DataSource

LIMIT_BYTES = 1 << 30
"""Tensors of training and validation parts that a worker keeps; the data at hand always stay."""
_MOST = 16
"""Data sets that are kept, as some do not say how much memory they take."""
_Key: TypeAlias = tuple[str, str, float]


class DataCache:
    """Loaded data by what they depend on: the task's options, the seed, folds, the share."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[_Key, list[Splits]] = OrderedDict()

    def splits(self, source: DataSource, share: float = 1.0) -> Splits:
        """Returns the task's own parts, with a share of the training part.

        The share is equal in every trial.

        Raises:
            DataError: they are missing or malformed.
        """

        def load() -> list[Splits]:
            return [source.load() if share >= 1.0 else _cut(self.splits(source), share, source)]

        return self._get(("own", source.key, min(share, 1.0)), load)[0]

    def whole(self, source: DataSource) -> Splits:
        """Returns the parts that a network is trained on once it was judged on folds.

        Raises:
            DataError: they are missing or malformed.
        """
        return self._get(("whole", source.key, 1.0), lambda: [source.load_whole()])[0]

    def folds(self, source: DataSource, share: float = 1.0) -> list[Splits]:
        """Returns the parts of each fold of `source.validation`, with a share of the training part.

        Raises:
            DataError: they are missing or malformed.
        """

        def load() -> list[Splits]:
            if share >= 1.0:
                return source.load_folds()
            return [_cut(splits, share, source) for splits in self.folds(source)]

        return self._get(("folds", source.key, min(share, 1.0)), load)

    def _get(self, key: _Key, load: Callable[[], list[Splits]]) -> list[Splits]:
        if key not in self._kept:
            self._kept[key] = load()
        self._kept.move_to_end(key)
        sizes = [sum(map(_bytes, kept)) for kept in self._kept.values()]
        while len(sizes) > 1 and (sum(sizes) > self._limit or len(sizes) > _MOST):
            self._kept.popitem(last=False)
            del sizes[0]
        return self._kept[key]


def _cut(splits: Splits, share: float, source: DataSource) -> Splits:
    from toolkit.training.batches import stratified_share

    return replace(splits, train=stratified_share(splits.train, share, source.seed))


def _bytes(splits: Splits) -> int:
    parts: tuple[Any, ...] = (splits.train, splits.val, splits.novel)
    return sum(tensor.nbytes for part in parts for tensor in getattr(part, "tensors", ()))
