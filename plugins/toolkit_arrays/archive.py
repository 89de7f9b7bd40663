"""What both tasks read of an archive beside its inputs: labels, groups, the given split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.contracts import NewInputs, Pool, Splits, TargetTask
from toolkit_arrays.options import ArchiveOptions, SpdOptions

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from toolkit.datasets.arrays import Header, Split

HINT = (
    "Write the archive with numpy.savez, and name its path as the task's 'data' (task.data=PATH)."
)


@dataclass(frozen=True)
class Index:
    """What is known of the kept samples without reading the inputs.

    Attributes:
        count: samples there are, kept or not.
        keep: positions of the kept samples among the inputs (those of `x`, then of `test_x`).
        labels: class indices of the kept samples, or their continuous targets.
        class_names: the classes' names; none of continuous targets.
        declared: the given split of the kept samples, or None.
        groups: their groups, or None.
    """

    count: int
    keep: NDArray[Any]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    declared: NDArray[Any] | None
    groups: NDArray[Any] | None

    def split(self, options: ArchiveOptions, seed: int) -> Split:
        """The one split of these samples under `seed`."""
        import numpy as np

        from toolkit.datasets.arrays import make_split
        from toolkit_arrays.selection import declare_groups

        declared, test_groups = self.declared, options.test_groups
        if options.val_groups:
            declared, test_groups = declare_groups(self.groups, self.declared, options), ()
        split = make_split(
            self.labels,
            self.class_names,
            options.split_ratio,
            seed,
            declared=declared,
            groups=self.groups,
            test_groups=test_groups,
        )
        if options.refit:
            return split._replace(train=np.concatenate([split.train, split.val]))
        return split


def headers(options: ArchiveOptions) -> dict[str, Header]:
    """Shapes and types of the arrays of the archive, or of the folder read as one."""
    from toolkit.datasets.arrays import read_headers

    if _is_folder(options):
        from toolkit_arrays.folder import read_folder_headers

        return read_folder_headers(options.data, options.x, options.y)
    return read_headers(options.data, hint=HINT)


def read(
    options: ArchiveOptions, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Arrays of the archive, or of the folder read as one."""
    from toolkit.datasets.arrays import read_arrays

    if _is_folder(options):
        from toolkit_arrays.folder import read_folder

        return read_folder(options.data, required, options.x, options.y, options.split)
    return read_arrays(options.data, required, optional, hint=HINT)


def read_some(options: ArchiveOptions, name: str, count: int) -> NDArray[Any]:
    """Up to `count` rows of an array: the first of an archive, files from all over a folder."""
    from toolkit.datasets.arrays import read_first

    if _is_folder(options):
        from toolkit_arrays.folder import list_matrices, read_matrices

        files = list_matrices(options.data).files
        return read_matrices(files[:: -(-len(files) // count)])
    return read_first(options.data, name, count)


def notes(options: ArchiveOptions) -> list[str]:
    """What a folder holds that is not read."""
    if _is_folder(options):
        from toolkit_arrays.folder import list_matrices

        return list_matrices(options.data).notes
    return []


def _is_folder(options: ArchiveOptions) -> bool:
    return isinstance(options, SpdOptions) and options.test_x is None and options.data.is_dir()


def read_index(options: ArchiveOptions) -> Index:
    """Read labels, groups and the given split.

    Raises:
        DataError: they are missing or do not fit together.
    """
    import numpy as np

    required = [options.y] + ([options.test_y] if options.test_y else [])
    required += _named(options, "split", "groups")
    arrays = read(options, required, [options.split, options.groups, "class_names"])
    declared, groups = arrays.get(options.split), arrays.get(options.groups)
    read_all = _targets if options.continuous else _classes
    count, keep, labels, names = read_all(arrays, options)
    if options.test_y:
        declared, groups = np.arange(count) < len(arrays[options.y]), None
    for array, name in ((declared, options.split), (groups, options.groups)):
        _check_length(array, name, count)
    return Index(
        count,
        keep,
        labels,
        names,
        None if declared is None else declared[keep],
        None if groups is None else groups[keep],
    )


def _classes(
    arrays: Mapping[str, NDArray[Any]], options: ArchiveOptions
) -> tuple[int, NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """How many samples there are, which are kept, and their class indices with the names."""
    from toolkit.datasets.arrays import encode_labels
    from toolkit.datasets.names import class_names, joined_labels, read_labels
    from toolkit_arrays.selection import check_classes, kept_samples, merged_labels

    raw = read_labels(arrays[options.y], options.y)
    if options.test_y:
        raw = joined_labels(raw, arrays[options.test_y], options.test_y)
    names_of = class_names(raw, arrays.get("class_names"), options.y)
    keep = kept_samples(raw, names_of, options)
    check_classes(raw, keep, options)
    labels, names = encode_labels(merged_labels(raw[keep], names_of, options), options.y)
    if not options.merge:
        names = tuple(names_of[name] for name in names)
    return len(raw), keep, labels, names


def _targets(
    arrays: Mapping[str, NDArray[Any]], options: ArchiveOptions
) -> tuple[int, NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """The same of continuous targets: all are kept, and there are no names."""
    import numpy as np

    from toolkit.datasets.arrays import read_targets

    targets = read_targets(arrays[options.y], options.y)
    if options.test_y:
        targets = np.concatenate([targets, read_targets(arrays[options.test_y], options.test_y)])
    return len(targets), np.arange(len(targets)), targets, ()


def _named(options: ArchiveOptions, *fields: str) -> list[str]:
    """Arrays the recipe names itself: where one is missing, to go on would be another task."""
    defaults = type(options).model_fields
    chosen = ((getattr(options, field), defaults[field].default) for field in fields)
    return [name for name, default in chosen if name != default]


class ArchiveTask(TargetTask):
    """What both tasks share: directions, metrics, and data sets from checked matrices."""

    arrays: ClassVar[Mapping[str, str]] = {
        "X": "x",
        "y": "y",
        "split": "split",
        "groups": "groups",
        "test_X": "test_x",
        "test_y": "test_y",
        "class_names": "",
    }
    options: ArchiveOptions
    series: ClassVar[bool] = False
    """Whether `x` holds series, whose channels are the second axis, and not matrices."""

    @abstractmethod
    def inputs(self, index: Index) -> NDArray[Any]:
        """Read and check all kept samples: matrices (N, C, n, n) float64, not yet scaled."""

    @abstractmethod
    def preparation(self, scaling: str) -> str:
        """How an input is made, given how it is scaled, as `Splits.preparation` has it."""

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read and check all samples; nothing is kept in `data_dir`."""
        return self.pool(data_dir, seed).own()

    def pool(self, data_dir: Path, seed: int) -> Pool:
        """All kept samples; the scale is that of the training samples of each division."""
        import torch

        from toolkit.datasets.parts import Part, group_numbers, with_group_channel

        index = read_index(self.options)
        split = index.split(self.options, seed)
        inputs = cache(lambda: self.inputs(index))
        groups = self.groups_of(index)
        numbers = None if groups is None else group_numbers(groups)

        @cache
        def scaled(mean: float) -> torch.Tensor:
            every = self.scaled(inputs(), mean)
            return torch.from_numpy(
                every if numbers is None else with_group_channel(every, numbers)
            )

        def divide(
            train: NDArray[Any], val: NDArray[Any], test: NDArray[Any] | None = None
        ) -> Splits:
            mean = self.fitted_scale(inputs(), train)
            held_out = split.test if test is None else test

            def part(chosen: NDArray[Any]) -> Part:
                return Part(scaled(mean), torch.from_numpy(index.labels), chosen)

            return Splits(
                part(train),
                part(val),
                lambda: part(held_out),
                self.preparation(self.scale_in_words(mean)),
                fitted={"scale": mean, **self.fitted_facts(index, train)},
                make_preparer=partial(self.preparer, mean, inputs().shape[1:], numbers is not None),
            )

        return Pool(index.labels, index.class_names, index.groups, *split, divide)

    def groups_of(self, index: Index) -> NDArray[Any] | None:
        """The groups that inputs carry the number of; None where they carry none."""
        return index.groups if self.options.grouped else None

    def fitted_facts(self, index: Index, train: NDArray[Any]) -> dict[str, Any]:
        """What else is kept of the training data, for `check_new`; plain JSON."""
        names = self.channels()
        return {} if names is None else {"channels": names}

    def check_new(self, fitted: Mapping[str, Any]) -> list[str]:
        """Check new data, and say what may be meant otherwise.

        Raises:
            DataError: their channels are named, and others than those of the training.
        """
        from toolkit_arrays.channels import check_channels

        check_channels(self.channels(), fitted.get("channels"))
        return []

    def channels(self) -> list[str] | None:
        """Names of the inputs' channels, where the archive has them."""
        from toolkit_arrays.channels import read_channels

        if self.options.data.is_dir():
            return None
        shape = headers(self.options)[self.options.x].shape
        return read_channels(self.options.data, shape[1] if self.series else shape[-1])

    def fitted_scale(self, inputs: NDArray[Any], train: NDArray[Any]) -> float:
        """What inputs are divided by, of the training ones; see `rescale`."""
        from toolkit_arrays.matrices import fitted_scale

        return fitted_scale(inputs, train, self.options.scale)

    def scaled(self, inputs: NDArray[Any], mean: float) -> NDArray[Any]:
        """Inputs as they are handed over."""
        from toolkit_arrays.matrices import rescale

        return rescale(inputs, self.options.scale, mean)

    def scale_in_words(self, mean: float) -> str:
        """What `scaled` does."""
        from toolkit_arrays.matrices import scale_in_words

        return scale_in_words(self.options.scale, mean)

    @abstractmethod
    def preparer(self, scale: float, shape: tuple[int, ...], grouped: bool) -> torch.nn.Module:
        """What does what `preparation` says.

        Args:
            scale: what matrices are divided by.
            shape: of an input, (channels, n, n).
            grouped: whether each input comes with the number of its group.
        """

    @abstractmethod
    def new_matrices(self) -> NDArray[Any]:
        """Read and check all samples of `x`, without labels: (N, C, n, n) float64, not scaled."""

    def new_names(self, count: int) -> list[str]:
        """What each of the new samples is called: its position, from 0."""
        return [str(number) for number in range(count)]

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs:
        """All samples of `x`, scaled as those of the training were, and their groups."""
        import numpy as np
        import torch

        from toolkit.datasets.parts import group_numbers, with_group_channel

        inputs = self.scaled(self.new_matrices(), float(fitted["scale"]))
        names = self.new_names(len(inputs))
        groups = None
        if self.options.grouped:
            if not self.options.data.is_dir():
                groups = read(self.options, [], [self.options.groups]).get(self.options.groups)
            _check_length(groups, self.options.groups, len(inputs), "inputs")
            numbers = np.ones(len(inputs)) if groups is None else group_numbers(groups)
            inputs = with_group_channel(inputs, numbers)
        return NewInputs(torch.from_numpy(inputs), names, groups, self.check_new(fitted))


def describe_steps(first: str, *further: str) -> str:
    """How an input is made, as `Splits.preparation` has it; empty steps are left out."""
    return f"An input is {'; then '.join(step for step in (first, *further) if step)}."


def _check_length(array: NDArray[Any] | None, name: str, count: int, of: str = "labels") -> None:
    from toolkit.errors import DataError

    if array is not None and array.shape != (count,):
        hint = f"Save {name}.ravel()." if array.size == count else "Give one entry a sample."
        raise DataError(f"{name!r} has shape {array.shape}, but there are {count} {of}.", hint=hint)
