"""The task `mocap`: what somebody does, from the covariance of joint positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import ClassificationTask, NewInputs, Pool, Splits, Survey, TaskInfo
from toolkit_mocap.options import MocapOptions

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import TensorDataset

    from toolkit.datasets.arrays import Split
    from toolkit_mocap.archive import Index
    from toolkit_mocap.transform import Sequence3d, Transform


class MocapTask(ClassificationTask):
    """Covariance matrices of joint sequences, labelled by action, split by subject."""

    Options = MocapOptions
    options: MocapOptions

    def info(self) -> TaskInfo:
        """Describe the data from all arrays but the frames."""
        from toolkit_mocap.archive import pieces, read_index
        from toolkit_mocap.transform import matrix_size

        index = read_index(self.options)
        cut = pieces(index, self.options.segment)
        train_size = int(cut[self._split(index, seed=0).train].sum())
        kind = "grouped_" if self.options.grouped else ""
        names = index.class_names
        if self.options.output == "series":
            lengths, segment = index.lengths[index.keep], self.options.segment
            context = int(segment is not None)
            return TaskInfo(
                f"{kind}series",
                (
                    3 * len(self._joints(index)) + self.options.grouped,
                    (segment or int(lengths.max())) + 2 * context,
                ),
                len(names),
                train_size,
                names,
                shortest=segment or int(lengths.min()),
                context=context,
            )
        n = matrix_size(self.options, len(self._joints(index)))
        shape = (sum(self.options.windows) + self.options.grouped, n, n)
        return TaskInfo(f"{kind}spd", shape, len(names), train_size, names)

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read and check all sequences; nothing is kept in `data_dir`."""
        return self.pool(data_dir, seed).own()

    def pool(self, data_dir: Path, seed: int) -> Pool:
        """All sequences; what is fitted to them is fitted to the training ones of each division."""
        import numpy as np

        from toolkit.datasets.arrays import Split
        from toolkit.datasets.parts import group_numbers
        from toolkit_mocap.archive import check_segments, pieces, read_index
        from toolkit_mocap.transform import describe

        index = read_index(self.options)
        split = self._split(index, seed)
        sequences = cache(lambda: self._sequences(index))
        numbers = None
        if self.options.grouped:
            assert index.subjects is not None
            numbers = group_numbers(index.subjects)
        series = cache(lambda: _Series.of(self._plain(index), sequences(), numbers, index.labels))

        def divide(
            train: NDArray[Any], val: NDArray[Any], test: NDArray[Any] | None = None
        ) -> Splits:
            held_out = split.test if test is None else test
            check_segments(index, Split(train, val, held_out), self.options.segment)
            given = sequences()
            if self.options.output == "series":
                transform = self._plain(index)
            else:
                transform = self._fitted(index, given, train)

            def make(part: NDArray[Any]) -> TensorDataset:
                if self.options.output == "series":
                    return series().part(part)
                some = [given[number] for number in part]
                own = None if numbers is None else numbers[part]
                return _dataset(transform, some, index.labels[part], own)

            groups = None
            if index.subjects is not None:
                cut = pieces(index, self.options.segment)[train]
                groups = np.repeat(index.subjects[train], cut)
            return Splits(
                make(train),
                make(val),
                lambda: make(held_out),
                describe(transform),
                fitted=transform.fitted(),
                groups=groups,
                make_preparer=partial(transform.preparer, index.joints),
            )

        return Pool(index.labels, index.class_names, index.subjects, *split, divide)

    def survey(self, seed: int) -> Survey:
        """Count the samples of each part, and look at subjects and lengths."""
        from toolkit_mocap.archive import read_index
        from toolkit_mocap.inspection import survey

        index = read_index(self.options)
        joints = len(self._joints(index))
        return survey(self.options, index, self._split(index, seed), joints)

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs:
        """Matrices of all sequences, or of their pieces, named sequence/piece."""
        import numpy as np
        import torch

        from toolkit.datasets.parts import group_numbers, with_group_channel
        from toolkit_mocap.archive import read_new_sequences, read_new_subjects
        from toolkit_mocap.transform import Sequence3d, Transform

        options = self.options
        given, hip = read_new_sequences(options)
        joints = np.array(options.joints or np.delete(np.arange(given[0].shape[1]), hip), np.int64)
        transform = Transform(options, hip, joints).with_fitted(fitted)
        numbered = [Sequence3d(n, one) for n, one in enumerate(given)]
        make = transform.pieces if options.output == "series" else transform.apply
        inputs, owners = make(numbered)
        groups = None
        if options.grouped:
            subjects = read_new_subjects(options, len(given))
            groups = None if subjects is None else subjects[owners]
            numbers = np.ones(len(owners)) if groups is None else group_numbers(groups)
            inputs = with_group_channel(inputs, numbers)
        names = [str(owner) for owner in owners.tolist()]
        if options.segment:
            pieces = [int((owners[:at] == owner).sum()) for at, owner in enumerate(owners)]
            names = [f"{name}/{piece}" for name, piece in zip(names, pieces, strict=True)]
        return NewInputs(torch.from_numpy(inputs), names, groups)

    def transform(self, seed: int) -> Transform:
        """How sequences become matrices under this split, for whoever deploys a model."""
        from toolkit_mocap.archive import read_index

        index = read_index(self.options)
        return self._fitted(index, self._sequences(index), self._split(index, seed).train)

    def _sequences(self, index: Index) -> list[Sequence3d]:
        from toolkit_mocap.archive import read_sequences
        from toolkit_mocap.transform import Sequence3d

        sequences = read_sequences(self.options, index)
        return [
            Sequence3d(int(number), one) for number, one in zip(index.keep, sequences, strict=True)
        ]

    def _plain(self, index: Index) -> Transform:
        """A transform that has learned nothing."""
        from toolkit_mocap.transform import Transform

        return Transform(self.options, index.hip, self._joints(index))

    def _fitted(self, index: Index, given: list[Sequence3d], train: NDArray[Any]) -> Transform:
        from toolkit_mocap.transform import fit_transform

        training = [given[number] for number in train]
        return fit_transform(self.options, index.hip, self._joints(index), training)

    def _split(self, index: Index, seed: int) -> Split:
        import numpy as np

        from toolkit_mocap.archive import check_segments, split_sequences

        split = split_sequences(index, self.options, seed)
        if self.options.refit:
            split = split._replace(train=np.concatenate([split.train, split.val]))
        check_segments(index, split, self.options.segment)
        return split

    def _joints(self, index: Index) -> NDArray[Any]:
        import numpy as np

        if self.options.joints:
            return np.array(self.options.joints, np.int64)
        return np.delete(np.arange(index.joints), index.hip)


@dataclass(frozen=True)
class _Series:
    """Positions of every segment of every sequence, made once for all divisions.

    Attributes:
        inputs: (M, channels, frames).
        labels: (M,).
        owners: positions of their sequences (M,).
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    owners: NDArray[Any]

    @classmethod
    def of(
        cls,
        transform: Transform,
        sequences: list[Sequence3d],
        numbers: NDArray[Any] | None,
        labels: NDArray[Any],
    ) -> _Series:
        """Make them; of subjects the numbers (N,), where inputs carry them."""
        import torch

        from toolkit.datasets.parts import with_group_channel

        inputs, owners = transform.pieces(sequences)
        if numbers is not None:
            inputs = with_group_channel(inputs, numbers[owners])
        return cls(torch.from_numpy(inputs), torch.from_numpy(labels[owners]), owners)

    def part(self, chosen: NDArray[Any]) -> TensorDataset:
        """Segments of some sequences."""
        import numpy as np

        from toolkit.datasets.parts import Part

        index = np.concatenate([np.flatnonzero(self.owners == one) for one in chosen])
        return Part(self.inputs, self.labels, index)


def _dataset(
    transform: Transform,
    sequences: list[Sequence3d],
    labels: NDArray[Any],
    numbers: NDArray[Any] | None,
) -> TensorDataset:
    """Matrices (M, C, n, n) float64 of all segments and their class indices (M,) int64."""
    import torch
    from torch.utils.data import TensorDataset

    from toolkit.datasets.parts import with_group_channel

    matrices, owners = transform.apply(sequences)
    if numbers is not None:
        matrices = with_group_channel(matrices, numbers[owners])
    return TensorDataset(torch.from_numpy(matrices), torch.from_numpy(labels[owners]))
