"""Data of an ensemble whose members prepare them in different ways: all of these, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import DataError
from toolkit.base.plain import digest
from toolkit.contracts import Splits, TaskInfo
from toolkit.contracts.outer import OuterFold
from toolkit.problem.source import DataSource

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset, TensorDataset

JOINED = "joined"
"""The kind of such data, and the name of their fitted numbers, a list with those of each source."""


@dataclass(frozen=True)
class JoinedSplits(Splits):
    """Inputs of several sources as one vector each, and the parts of each source."""

    parts: tuple[Splits, ...] = ()


@dataclass(frozen=True)
class JoinedSource(DataSource):
    """Several sources of the same samples; an input is what each makes of it, flattened."""

    sources: tuple[DataSource, ...] = ()

    @classmethod
    def of(cls, sources: Sequence[DataSource]) -> JoinedSource:
        """Join two sources or more, all of them different."""
        first = sources[0]
        info = TaskInfo(
            JOINED,
            (sum(math.prod(source.info.shape) for source in sources),),
            first.info.classes,
            first.info.train_size,
            first.info.class_names,
        )
        key = digest([JOINED, *(source.key for source in sources)])
        return cls(
            key,
            first.task,
            info,
            first.seed,
            first.validation,
            first.outer,
            sources=tuple(sources),
        )

    def in_fold(self, outer: OuterFold) -> JoinedSource:
        """Return the same data with a fold of all samples as the test split, of every source."""
        return self.of([source.in_fold(outer) for source in self.sources])

    def load(self) -> Splits:
        """Load the data of every source."""
        return join([source.load() for source in self.sources])

    def load_folds(self) -> list[Splits]:
        """Load the folds of every source."""
        folds = [source.load_folds() for source in self.sources]
        return [join(parts) for parts in zip(*folds, strict=True)]

    def load_whole(self) -> Splits:
        """Load the samples of all folds of every source."""
        return join([source.load_whole() for source in self.sources])


def join(parts: Sequence[Splits]) -> JoinedSplits:
    """Return the data of several sources as one.

    Raises:
        DataError: they are not of the same samples.
    """
    first = parts[0]
    makers = [part.make_preparer for part in parts]
    known = [maker for maker in makers if maker is not None]
    return JoinedSplits(
        _side_by_side([part.train for part in parts]),
        _side_by_side([part.val for part in parts]),
        lambda: _side_by_side([part.load_test() for part in parts]),
        " Beside it, for other members: ".join(part.preparation for part in parts),
        fitted={JOINED: [dict(part.fitted) for part in parts]},
        groups=first.groups,
        make_preparer=partial(_preparer, known) if len(known) == len(makers) else None,
        parts=tuple(replace(part) for part in parts),
    )


def _preparer(makers: Sequence[Any]) -> torch.nn.Module:
    from toolkit.export.averaging import JoinedPreparation

    return JoinedPreparation([make() for make in makers])


def flat(inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return inputs of several sources, each (N, ...), as vectors (N, d)."""
    import torch

    return torch.cat([own.flatten(1).double() for own in inputs], 1)


def _side_by_side(datasets: Sequence[Dataset[Any]]) -> TensorDataset:
    import torch
    from torch.utils.data import TensorDataset

    from toolkit.training.batches import fetch, in_order, length

    device = torch.device("cpu")
    read = [
        next(fetch(one, in_order(length(one), max(length(one), 1)), device)) for one in datasets
    ]
    labels = [own for _, own in read]
    if any(not torch.equal(own, labels[0]) for own in labels):
        raise DataError(
            "The members of the ensemble prepare the data so differently that they are no longer"
            " the same samples.",
            hint="Search values of the task that leave samples as they are, or leave"
            " train.final.ensemble out.",
        )
    return TensorDataset(flat([inputs for inputs, _ in read]), labels[0])
