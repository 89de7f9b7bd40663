"""What both tasks read of an archive beside its inputs: labels, groups, the given split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from toolkit.contracts import DataPath, Direction, Options, Task

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import TensorDataset

    from toolkit.data import Header, Split

HINT = "Write the archive with numpy.savez, and name its path as the task's 'data'."


class ArchiveOptions(Options):
    """Where the data are, what the arrays are called, and how they are divided."""

    data: DataPath = Field(
        description="an .npz archive; for spd_arrays also a folder of .npy or .mat files, one"
        " matrix each, with the class after the last underscore of the name, or in folders named"
        " by class, those in train/ and val/ where the test part is given"
    )
    x: str = Field("X", description="name of the array of inputs")
    y: str = Field("y", description="name of the array of labels, whole numbers or strings")
    split: str = Field(
        "split", description="optional array of 'train', 'val', 'test' (or booleans)"
    )
    groups: str = Field("groups", description="optional array of groups; test groups are whole")
    test_x: str | None = Field(None, description="array of separate test inputs, if there is one")
    test_y: str | None = Field(None, description="labels of the separate test inputs")
    test_groups: tuple[int | str, ...] = Field(
        (), description="groups to test on; the last one by default"
    )
    val_groups: tuple[int | str, ...] = Field(
        (), description="groups to validate on; by default samples of all other groups are drawn"
    )
    split_ratio: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (2, 1, 1), description="training : validation : test, where no array gives them"
    )
    refit: bool = Field(
        False,
        description="train on the validation part as well, once everything is chosen; what is then"
        " said of validation has been trained on",
    )
    classes: tuple[int | str, ...] = Field((), description="labels to keep; all by default")
    merge: Annotated[dict[str, tuple[int | str, ...]], Field(max_length=1000)] = Field(
        {}, description="classes made of labels, {task: [left, right]}; other labels are left out"
    )
    scale: Literal["dataset", "trace", "none"] = Field(
        "dataset",
        description="dataset: divide all matrices by the mean eigenvalue of the training ones;"
        " trace: each by its own; none: as they come",
    )

    @model_validator(mode="after")
    def _test_arrays_together(self) -> ArchiveOptions:
        if (self.test_x is None) != (self.test_y is None):
            raise ValueError("test_x and test_y must be given together")
        return self

    @model_validator(mode="after")
    def _each_label_once(self) -> ArchiveOptions:
        if self.merge and self.classes:
            raise ValueError("merge names the labels to keep, so classes must be left out")
        merged = [str(label) for labels in self.merge.values() for label in labels]
        for label in merged:
            if merged.count(label) > 1:
                raise ValueError(f"merge names the label {label!r} twice")
        if any(not labels for labels in self.merge.values()):
            raise ValueError("merge has a class without labels")
        return self


class SpdOptions(ArchiveOptions):
    """Options of the task `spd_arrays`."""

    embedding: Literal["real_part", "real_embedding"] = Field(
        "real_part",
        description="of complex matrices: the real part, or twice as large and without loss",
    )
    ridge: NonNegativeFloat = Field(
        0.0, description="added to the diagonal, as a fraction of the mean eigenvalue"
    )
    symmetry_tolerance: NonNegativeFloat = Field(
        1e-5, description="largest asymmetry allowed, as a fraction of the largest entry"
    )


class SeriesOptions(ArchiveOptions):
    """Options of the task `series_arrays`."""

    lengths: str = Field("lengths", description="array of the series' lengths, if they differ")
    test_lengths: str | None = Field(None, description="lengths of the separate test inputs")
    root_joint: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="of skeletons, channels x0 y0 z0 x1 ...: the joint that all positions are taken"
        " relative to, and whose own channels are dropped",
    )
    band: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="lowest and highest frequency to keep, Hz; all by default"
    )
    rate: PositiveFloat | None = Field(None, description="samples a second, which band needs")
    estimator: Literal["sample", "ledoit_wolf", "oas"] = Field(
        "sample", description="covariance estimator"
    )
    ridge: NonNegativeFloat = Field(
        1e-3, description="added to the diagonal, as a fraction of the mean variance"
    )

    @model_validator(mode="after")
    def _band_of_a_rate(self) -> SeriesOptions:
        if self.band is not None and self.rate is None:
            raise ValueError("band needs the rate, in samples a second")
        if self.band is not None and self.band[0] >= self.band[1]:
            raise ValueError(f"band is {list(self.band)}; its lower frequency comes first")
        return self


@dataclass(frozen=True)
class Index:
    """What is known of the kept samples without reading the inputs.

    Attributes:
        keep: positions of the kept samples among the inputs (those of `x`, then of `test_x`).
        labels: class indices of the kept samples.
        class_names: the classes' names.
        declared: the given split of the kept samples, or None.
        groups: their groups, or None.
    """

    keep: NDArray[Any]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    declared: NDArray[Any] | None
    groups: NDArray[Any] | None

    def split(self, options: ArchiveOptions, seed: int) -> Split:
        """The one split of these samples under `seed`."""
        import numpy as np

        from toolkit.data import make_split
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
    from toolkit.data import read_headers

    if _is_folder(options):
        from toolkit_arrays.folder import read_folder_headers

        return read_folder_headers(options.data, options.x, options.y)
    return read_headers(options.data, hint=HINT)


def read(
    options: ArchiveOptions, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Arrays of the archive, or of the folder read as one."""
    from toolkit.data import read_arrays

    if _is_folder(options):
        from toolkit_arrays.folder import read_folder

        return read_folder(options.data, required, options.x, options.y, options.split)
    return read_arrays(options.data, required, optional, hint=HINT)


def _is_folder(options: ArchiveOptions) -> bool:
    return isinstance(options, SpdOptions) and options.test_x is None and options.data.is_dir()


def read_index(options: ArchiveOptions) -> Index:
    """Read labels, groups and the given split.

    Raises:
        DataError: they are missing or do not fit together.
    """
    import numpy as np

    from toolkit.data import encode_labels
    from toolkit_arrays.selection import chosen_labels, kept_samples, merged_labels

    required = [options.y] + ([options.test_y] if options.test_y else [])
    required += _named(options, "split", "groups")
    arrays = read(options, required, [options.split, options.groups, "class_names"])
    raw, declared = arrays[options.y], arrays.get(options.split)
    groups = arrays.get(options.groups)
    if options.test_y:
        extra = arrays[options.test_y]
        declared, groups = np.arange(len(raw) + len(extra)) < len(raw), None
        raw = np.concatenate([raw, extra])
    keep = kept_samples(raw, options)
    labels, names = encode_labels(merged_labels(raw[keep], options), options.y)
    given = arrays.get("class_names")
    if given is not None and given.shape == (len(names),) and not chosen_labels(options):
        names = tuple(str(name) for name in given)
    for array, name in ((declared, options.split), (groups, options.groups)):
        _check_length(array, name, len(raw))
    return Index(
        keep,
        labels,
        names,
        None if declared is None else declared[keep],
        None if groups is None else groups[keep],
    )


def _named(options: ArchiveOptions, *fields: str) -> list[str]:
    """Arrays the recipe names itself: where one is missing, to go on would be another task."""
    defaults = type(options).model_fields
    chosen = ((getattr(options, field), defaults[field].default) for field in fields)
    return [name for name, default in chosen if name != default]


class ArchiveTask(Task):
    """What both tasks share: directions, metrics, and data sets from checked matrices."""

    directions: ClassVar[Mapping[str, Direction]] = {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "loss": "minimize",
    }

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Accuracy, balanced accuracy and cross-entropy (`loss`)."""
        from toolkit.data import classification_metrics

        return classification_metrics(scores, labels)


def to_dataset(matrices: NDArray[Any], labels: NDArray[Any]) -> TensorDataset:
    """Matrices (N, C, n, n) float64 and class indices (N,) int64, as tensors."""
    import torch
    from torch.utils.data import TensorDataset

    return TensorDataset(torch.from_numpy(matrices), torch.from_numpy(labels))


def describe_steps(first: str, *further: str) -> str:
    """How an input is made, as `Splits.preparation` has it; empty steps are left out."""
    return f"An input is {'; then '.join(step for step in (first, *further) if step)}."


def _check_length(array: NDArray[Any] | None, name: str, count: int) -> None:
    from toolkit.errors import DataError

    if array is not None and array.shape != (count,):
        raise DataError(f"{name!r} has shape {array.shape}, but there are {count} labels.")
