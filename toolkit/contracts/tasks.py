"""The contract of tasks: data, and how predictions on them are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from toolkit.contracts.common import Direction, Options

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import Dataset


@dataclass(frozen=True)
class TaskInfo:
    """What a space must know of the data to build models for them.

    Attributes:
        kind: what one input is: `"spd"`, `"image"`, ... A space says which kinds it accepts. Of
            `"grouped_spd"` and `"grouped_series"` the last channel is the number of the group that
            an input is from, see `toolkit.datasets.parts.with_group_channel`.
        shape: shape of one input, without the batch: (channels, n, n) for `"spd"`; (channels, time)
            for `"series"`, of which shorter ones are filled up by NaN, and new ones may be longer.
        classes: number of classes; 0 where targets are values.
        train_size: number of training samples.
        class_names: names of the classes, in the order of their labels; may be empty.
        leaves_out: whether classes are left out (see `Splits.novel`).
        outputs: what is judged of a model: `"scores"` (one for each class), `"images"` (of a class
            that is asked for), `"values"` (one number in the units of the targets, which are
            floating-point labels). A space says which of these its models give.
        source_classes: names of the classes of `Splits.source`, in the order of their labels.
        rate: of series, samples a second, where it is known.
        shortest: of series, samples of the shortest one.
        context: of series, samples at either end that are their neighbours' in a longer recording:
            they say how a series goes on, for differences and filters, and are no part of it.
    """

    kind: str
    shape: tuple[int, ...]
    classes: int
    train_size: int
    class_names: tuple[str, ...] = ()
    leaves_out: bool = False
    outputs: str = "scores"
    source_classes: tuple[str, ...] = ()
    rate: float | None = None
    shortest: int | None = None
    context: int = 0

    @property
    def width(self) -> int:
        """Numbers that a model gives for an input: a score for each class, or one value."""
        return 1 if self.outputs == "values" else self.classes

    @property
    def labels_in_words(self) -> str:
        """What labels are: `3 classes`, or `continuous targets`."""
        return "continuous targets" if self.outputs == "values" else f"{self.classes} classes"

    @property
    def inputs_in_words(self) -> str:
        """What inputs are, the number of a group apart: `images of 8 x 8 pixels, 1 channel`."""
        kind, sizes = self.kind.removeprefix("grouped_"), self.shape
        channels = sizes[0] - self.grouped if sizes else 0
        of_channels = f"{channels} channel{'' if channels == 1 else 's'}"
        words = f"{kind} {'x'.join(map(str, sizes))}"
        if kind == "spd" and len(sizes) == 3:
            words = f"SPD matrices of {sizes[1]} x {sizes[2]}, {of_channels}"
        elif kind == "image" and len(sizes) == 3:
            words = f"images of {sizes[1]} x {sizes[2]} pixels, {of_channels}"
        elif kind == "series" and len(sizes) == 2:
            words = f"series of {of_channels} and up to {sizes[1]} samples"
        return f"{words}, each with its group" if self.grouped else words

    @property
    def grouped(self) -> bool:
        """Whether the last channel of an input is the number of its group."""
        return self.kind.startswith("grouped_")

    @property
    def any_length(self) -> bool:
        """Whether an input is a series, whose time is that of the longest one known."""
        return self.kind.endswith("series")


@dataclass(frozen=True)
class Survey:
    """What a person is told of the data before anything runs.

    Attributes:
        counts: samples of each class by the class's name, in each of the parts `train`, `val` and
            `test`; a part that is not known is left out. Of values, samples by what they range
            from and to.
        groups: names of the groups in each of these parts, where the parts are whole groups.
        warnings: sentences on what may be meant otherwise, with numbers.
        suggests: options that suit the data better than the defaults, as warnings say; a first
            recipe (`toolkit init`) takes them.
        likely: how much the data look like what the task is for, from 0 to 1. Of several tasks that
            read them, `toolkit init` takes the likeliest; it asks where two are equally
            likely, and names no unlikely ones.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    suggests: Mapping[str, Any] = field(default_factory=dict)
    likely: float = 0.0

    def facts(self) -> dict[str, str]:
        """The survey in words, by what they are about."""
        words = {"train": "training", "val": "validation", "test": "test"}
        facts = {
            words[
                part
            ]: f"{sum(counts.values())} ({_listed(f'{n}: {c}' for n, c in counts.items())})"
            for part, counts in self.counts.items()
        }
        held_out = [
            f"{words[part]} {_listed(self.groups[part])}"
            for part in ("test", "val")
            if self.groups.get(part)
        ]
        return facts | ({"held out": "; ".join(held_out)} if held_out else {})


def _listed(words: Iterable[str], most: int = 20) -> str:
    listed = list(words)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


@dataclass(frozen=True)
class Splits:
    """The data of one task under one seed, as map-style data sets of (input, label).

    `torch.utils.data.TensorDataset(inputs, labels)` is batched by indexing, the fast way; any
    other map-style data set goes through a `DataLoader`. `load_test` is called once per run, by
    the engine, after the last training.

    `preparation` says in sentences how an input comes about from the raw data, numbers taken from
    the training data included; whoever deploys the model repeats it. It goes into the model's card
    and file.

    `fitted` are the numbers taken from the training data that `Task.new_inputs` needs, as plain
    JSON; they are handed over beside the model.

    `make_preparer`, called where a model is exported, makes what does what `preparation` says: a
    torch module from raw inputs to those of the data sets, which then stands in front of the
    network. It follows the rules of
    `Learner.deployed`: `type(module)(**module.config)` rebuilds it, what it learned of the training
    data is in its buffers, and it imports only torch, its own package and
    `toolkit.datasets.tensors`. Its attribute `takes` says in words what raw inputs are. None where
    there is none, or it cannot be written in torch.

    `groups` says who or what each training sample is from, (N,), where the recipe judges trials on
    folds of whole groups; the engine sets it, unless the task has because its samples are pieces
    of what `Pool` divides. A learner that judges anything on folds of its own
    keeps groups together.

    A task may leave classes out of all parts, to have it measured how well a network tells what it
    never learned: `novel` holds inputs of these to be told from those of `val`, `load_novel_test`
    others for the test split. Their labels mean nothing.

    `source` are samples of other classes, `TaskInfo.source_classes`, that a model may be trained on
    before it is carried to those of `train`; `source_val` are more of them, to be judged on.
    """

    train: Dataset[Any]
    val: Dataset[Any]
    load_test: Callable[[], Dataset[Any]]
    preparation: str = ""
    novel: Dataset[Any] | None = None
    load_novel_test: Callable[[], Dataset[Any]] | None = None
    fitted: Mapping[str, Any] = field(default_factory=dict)
    groups: NDArray[Any] | None = None
    make_preparer: Callable[[], torch.nn.Module] | None = None
    source: Dataset[Any] | None = None
    source_val: Dataset[Any] | None = None

    def novel_beside(self, held_out: Dataset[Any]) -> Dataset[Any] | None:
        """Inputs of left-out classes to be told from `held_out`: `val`, or else the test split."""
        if held_out is self.val or self.load_novel_test is None:
            return self.novel
        return self.load_novel_test()


@dataclass(frozen=True)
class NewInputs:
    """Inputs of data that came after the training, prepared as those of the training were.

    Attributes:
        inputs: (N, *shape) as `TaskInfo.shape` has it.
        names: what each is called: a file's name, or its position from 0.
        groups: who or what each is from (N,), where the data say it.
        warnings: sentences on what may be meant otherwise, with numbers.
    """

    inputs: torch.Tensor
    names: Sequence[str]
    groups: NDArray[Any] | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Pool:
    """All samples of a task under one seed, for divisions other than the one `load` makes.

    Attributes:
        labels: class indices (N,), or targets where these are values.
        class_names: names of the classes, in the order of their labels; none of values.
        groups: who or what each sample is from (N,), or None where nothing is known of it.
        train, val, test: indices of the parts that `load` makes; `test` is empty where the test
            split is none of these samples.
        divide: makes the data sets of other parts, given the indices of training, validation and
            test samples; without the last, the test split stays. Whatever is fitted to data, a
            scale say, is fitted to the training samples alone.
    """

    labels: NDArray[Any]
    class_names: Sequence[str]
    groups: NDArray[Any] | None
    train: NDArray[Any]
    val: NDArray[Any]
    test: NDArray[Any]
    divide: Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], Splits]

    def own(self) -> Splits:
        """The data sets of the parts that `load` makes."""
        return self.divide(self.train, self.val, None)


class Judged(Protocol):
    """What a task judges: a learner or a supernet."""

    @property
    def model(self) -> torch.nn.Module:
        """The network, in evaluation mode."""

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes), or whatever the task's outputs are."""

    def generate(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A sample of each class in `labels`, see `Learner.generate`."""


class Task(ABC):
    """Data and how predictions on them are judged.

    One seeded split serves the search and the final test: `load` with equal arguments gives equal
    splits, in every process.
    """

    Options: ClassVar[type[Options]] = Options
    directions: Mapping[str, Direction]
    """Every metric of `metrics`, or of `judge`, with its direction; the first is the default
    objective."""
    arrays: ClassVar[Mapping[str, str]] = {}
    """Arrays that a Python program may give in place of an archive of them: the name of each, and
    the option that says what it is called in the archive, whose path is the option `data`. The
    option is empty for an array that is always called so."""
    preparations: ClassVar[Mapping[str, Any]] = {}
    """Options that are searched, as in `{"window": {"choice": [10, 20]}}`, with a space that
    searches preparations (`SearchSpace.searches_preparations`), where a recipe names no strategy
    and leaves these options out."""

    judge: Callable[[Judged, Dataset[Any], torch.device], dict[str, float]] | None = None
    """A method that judges a learner, which is in evaluation mode on the device, on held-out data;
    None (the default) where `metrics` of what it predicts say all. A task whose outputs are images
    judges what `Learner.generate` gives. Equal calls give equal results: what is drawn comes from
    a generator of fixed seed."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def info(self) -> TaskInfo:
        """Describe the data without loading them all.

        Raises:
            DataError: they are missing or malformed.
        """

    def survey(self, seed: int) -> Survey | None:
        """Say who is in which part under a seed, and what may be meant otherwise.

        The engine asks once as a run starts, so this reads labels and a few inputs, not all. None,
        the default, where a task says nothing of it: what `load` gives is then counted if it must.

        Raises:
            DataError: the data are missing or malformed.
        """
        return None

    @abstractmethod
    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read or make the data; `data_dir` is a folder for caches and downloads.

        Raises:
            DataError: they are missing or malformed.
        """

    def pool(self, data_dir: Path, seed: int) -> Pool | None:
        """All samples, to validate on several folds; inputs are read when `divide` is first called.

        None, the default, where only the division of `load` makes sense.

        Raises:
            DataError: the data are missing or malformed.
        """
        return None

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs | None:
        """Read the data that the option `data` names as new ones, without labels.

        None, the default, where the task reads no data of a user's.

        Args:
            fitted: `Splits.fitted` of the data that the model was trained on.

        Raises:
            DataError: they are missing or malformed.
        """
        return None

    def metrics(self, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Judge `scores` (N, classes), or values (N, 1), of a model on inputs with `labels` (N,).

        A task without a `judge` has this method.
        """
        raise NotImplementedError(f"{type(self).__name__} judges learners, not what they predict.")

    def references(
        self, splits: Splits, held_out: Dataset[Any], device: torch.device
    ) -> dict[str, dict[str, float]]:
        """Judge what is no network, as a measure for those that are: rows of the table of results.

        Called once, with the test split; by default there are none.

        Returns:
            Metrics by the name of the row, such as that of training samples that are given again.
        """
        return {}
