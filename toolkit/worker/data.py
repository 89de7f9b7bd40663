"""The data of jobs, kept from one to the next as long as they fit into memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from toolkit.contracts import Splits
from toolkit.problem import DataSource

LIMIT_BYTES = 1 << 30
"""Tensors of training and validation parts that a worker keeps; the data at hand always stay."""
_MOST = 16
"""Data sets that are kept, as some do not say how much memory they take."""


class DataCache:
    """Loaded data by what they depend on: the task's options, the seed, the share trained on."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[tuple[str, float], Splits] = OrderedDict()

    def splits(self, source: DataSource, share: float = 1.0) -> Splits:
        """Returns the data, with a share of the training part that is equal in every trial.

        Raises:
            DataError: they are missing or malformed.
        """
        key = source.key, min(share, 1.0)
        splits = self._kept.pop(key, None)
        if splits is None:
            splits = source.load() if share >= 1.0 else self._cut(source, share)
        self._kept[key] = splits
        self._make_room()
        return splits

    def _cut(self, source: DataSource, share: float) -> Splits:
        from toolkit.training.batches import stratified_share

        whole = self.splits(source)
        return replace(whole, train=stratified_share(whole.train, share, source.seed))

    def _make_room(self) -> None:
        sizes = [_bytes(splits) for splits in self._kept.values()]
        while len(sizes) > 1 and (sum(sizes) > self._limit or len(sizes) > _MOST):
            self._kept.popitem(last=False)
            del sizes[0]


def _bytes(splits: Splits) -> int:
    parts = (splits.train, splits.val, splits.novel)
    return sum(t.nbytes for part in parts for t in _tensors(part))


def _tensors(data: Any) -> tuple[Any, ...]:
    return tuple(getattr(data, "tensors", ()))
