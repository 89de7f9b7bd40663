"""The task `drone_radar`: which aircraft returns a radar signal, from its covariance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from toolkit.contracts import (
    ClassificationOptions,
    ClassificationTask,
    DataPath,
    Name,
    NewInputs,
    Options,
    Pool,
    Splits,
    Survey,
    TaskInfo,
)
from toolkit.errors import DataError
from toolkit_drone.parameters import RadarParameters

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import TensorDataset

    from toolkit.datasets.arrays import Split
    from toolkit_drone.readers import Index

_SEARCH, _FRESH = 0, 1
"""Independent streams of simulated signals: those of the search, those of the final test."""


Window = Annotated[int, Field(ge=2)]


class CovarianceOptions(Options):
    """How a signal becomes an SPD matrix."""

    window: Window | Annotated[tuple[Window, ...], Field(min_length=1)] = Field(
        20,
        description="samples in a window: the matrix is window x window; of a list of them, the"
        " matrices stand block by block on the diagonal",
    )
    hop: PositiveInt = Field(10, description="samples from one window to the next")
    embedding: Literal["real_part", "real_embedding"] = Field(
        "real_part",
        description="real_part: window x window; real_embedding: twice as large, loses nothing",
    )
    ridge: NonNegativeFloat = Field(
        1e-5, description="added to the diagonal, as a fraction of the mean eigenvalue"
    )
    scale: Literal["trace", "power", "none"] = Field(
        "trace",
        description="trace: mean eigenvalue one; power: signals of unit power; none: as they come",
    )

    def describe(self) -> str:
        """How an input comes about from a signal (see `toolkit_drone.covariance`)."""
        part = "real part A of the covariance A + iB"
        if self.embedding == "real_embedding":
            part = "matrix [[A, -B], [B, A]] of the covariance A + iB"
        power = " of a signal of unit power" if self.scale == "power" else ""
        lengths = " and ".join(map(str, self.windows))
        steps = [
            f"An input is the {part} of windows of {lengths} samples, hop {self.hop},"
            f" less their mean{power}"
        ]
        if self.scale == "trace":
            steps.append("divided by trace / n")
        steps.append(f"{self.ridge!r} x trace / n added to the diagonal")
        if len(self.windows) > 1:
            steps.append("the matrices of all lengths block by block on the diagonal of one")
        return "; then ".join(steps) + "."

    def preparer(self) -> torch.nn.Module:
        """What does what `describe` says."""
        from toolkit_drone.preparation import SignalPreparation

        return SignalPreparation(self.windows, self.hop, self.embedding, self.ridge, self.scale)

    @property
    def windows(self) -> tuple[int, ...]:
        """The lengths of windows, one or several."""
        return (self.window,) if isinstance(self.window, int) else self.window

    @property
    def min_samples(self) -> int:
        """The fewest samples of a signal: two windows of the longest kind."""
        return max(self.windows) + self.hop


class DroneRadarOptions(ClassificationOptions):
    """Simulated signals by default, recorded ones where `data` names them."""

    data: DataPath | None = Field(
        None,
        description="recorded signals instead: a folder of '*_<label>.npy', or an .npz with"
        " 'signals', 'y' and optionally 'groups' or 'split'",
    )
    test_groups: tuple[Name, ...] = Field(
        (), description="groups of recorded signals to test on; the last one by default"
    )
    split_ratio: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (2, 1, 1), description="training : validation : test"
    )
    signals_per_class: int = Field(1000, ge=3, description="simulated signals for the search")
    test_signals: NonNegativeInt = Field(
        7500,
        description="further simulated signals, of all classes together, for the final test;"
        " 0: test on the test part of the search signals",
    )
    radar: RadarParameters = Field(default_factory=RadarParameters, description="simulated radar")
    covariance: CovarianceOptions = Field(
        default_factory=CovarianceOptions, description="from signals to matrices"
    )


class DroneRadarTask(ClassificationTask):
    """Covariance matrices of radar signals, labelled by aircraft."""

    Options = DroneRadarOptions
    preparations: ClassVar[Mapping[str, Any]] = {
        "covariance": {
            "window": {"choice": [10, 20, 40]},
            "embedding": {"choice": ["real_part", "real_embedding"]},
            "scale": {"choice": ["trace", "power"]},
        }
    }
    options: DroneRadarOptions

    def info(self) -> TaskInfo:
        """Describe the data from the options, or from the labels of the recorded signals."""
        samples, needed = self.options.radar.samples, self.options.covariance.min_samples
        if self.options.data is None and samples < needed:
            raise DataError(
                f"task.radar: simulated signals have {samples} samples; the covariance windows need"
                f" at least {needed}.",
                hint="Set a shorter covariance.window, or more radar.samples.",
            )
        index = self._index()
        size = sum(self.options.covariance.windows)
        if self.options.covariance.embedding == "real_embedding":
            size *= 2
        train_size = len(self._split(index, seed=0).train)
        classes = len(index.class_names)
        return TaskInfo("spd", (1, size, size), classes, train_size, index.class_names)

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read or simulate the signals; simulated ones are kept in `data_dir`."""
        return self.pool(data_dir, seed).own()

    def pool(self, data_dir: Path, seed: int) -> Pool:
        """All signals of the search; fresh ones to test on are simulated beside them."""
        index = self._index()
        split = self._split(index, seed)
        signals = cache(lambda: self._signals(data_dir, seed, len(index.labels)))
        fresh = self.options.data is None and self.options.test_signals > 0

        def make(part: NDArray[Any]) -> TensorDataset:
            return self._dataset(signals()[part], index.labels[part])

        def divide(
            train: NDArray[Any], val: NDArray[Any], test: NDArray[Any] | None = None
        ) -> Splits:
            def load_test() -> TensorDataset:
                if test is None and fresh:
                    return self._dataset(*self._fresh(data_dir, seed))
                return make(split.test if test is None else test)

            how = self.options.covariance
            return Splits(
                make(train), make(val), load_test, how.describe(), make_preparer=how.preparer
            )

        return Pool(index.labels, index.class_names, index.groups, *split, divide)

    def new_inputs(self, fitted: Mapping[str, Any]) -> NewInputs | None:
        """Covariances of recorded signals."""
        import numpy as np

        from toolkit_drone.readers import read_new_signals

        if self.options.data is None:
            return None
        needed = self.options.covariance.min_samples
        signals, names = read_new_signals(self.options.data, needed)
        return NewInputs(self._dataset(signals, np.zeros(len(signals))).tensors[0], names)

    def survey(self, seed: int) -> Survey:
        """Count the signals of each part, and look for groups that no option uses."""
        from toolkit.datasets.groups import count_classes, held_out_groups
        from toolkit_drone.readers import warnings

        index = self._index()
        split = self._split(index, seed)
        counts = count_classes(index.labels, index.class_names, split)
        if self.options.data is None and self.options.test_signals:
            counts["test"] = dict(zip(index.class_names, self._fresh_counts(), strict=True))
        groups = index.groups if index.split is None else None
        return Survey(
            counts,
            {} if groups is None else held_out_groups(groups, split),
            []
            if self.options.data is None
            else [*warnings(self.options.data, index, split), *self._doubts(self.options.data)],
        )

    def _doubts(self, data: Path) -> list[str]:
        """Warnings of recorded signals that are few samples long, or small."""
        import numpy as np

        from toolkit.datasets.matrices import how_many, warn_of_rank, warn_of_scale
        from toolkit_drone.covariance import window_covariances
        from toolkit_drone.readers import some_signals

        how = self.options.covariance
        signals = some_signals(data, how_many(sum(how.windows)))
        if signals.ndim != 2 or signals.dtype.kind != "c":
            return []  # `load` refuses them, and those below.
        signals = signals[np.isfinite(signals).all(axis=1)]
        if not len(signals) or signals.shape[1] < how.min_samples:
            return []
        some = window_covariances(signals, how.window, how.hop, how.embedding, 0.0, how.scale)
        return [
            *warn_of_rank(some[:, None], "covariances", how.ridge),
            *warn_of_scale(some, how.scale),
        ]

    def _index(self) -> Index:
        import numpy as np

        from toolkit_drone.readers import Index, read_index

        if self.options.data is not None:
            return read_index(self.options.data)
        names = tuple(target.name for target in self.options.radar.classes)
        return Index(np.repeat(np.arange(len(names)), self.options.signals_per_class), names)

    def _split(self, index: Index, seed: int) -> Split:
        from toolkit.datasets.arrays import make_split

        return make_split(
            index.labels,
            index.class_names,
            self.options.split_ratio,
            seed,
            declared=index.split,
            groups=index.groups,
            test_groups=self.options.test_groups,
        )

    def _signals(self, data_dir: Path, seed: int, count: int) -> NDArray[Any]:
        """All signals of the search, in the order of `_index`."""
        from toolkit_drone.cache import cached_signals
        from toolkit_drone.readers import read_signals

        if self.options.data is not None:
            needed = self.options.covariance.min_samples
            return read_signals(self.options.data, count, needed)
        radar = self.options.radar
        counts = [self.options.signals_per_class] * len(radar.classes)
        return cached_signals(radar, counts, seed, _SEARCH, data_dir / "drone_radar")[0]

    def _fresh(self, data_dir: Path, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Signals that no search has seen, as equally divided among the classes as can be."""
        from toolkit_drone.cache import cached_signals

        counts = self._fresh_counts()
        return cached_signals(self.options.radar, counts, seed, _FRESH, data_dir / "drone_radar")

    def _fresh_counts(self) -> list[int]:
        classes = len(self.options.radar.classes)
        each, left = divmod(self.options.test_signals, classes)
        return [each + (number < left) for number in range(classes)]

    def _dataset(self, signals: NDArray[Any], labels: NDArray[Any]) -> TensorDataset:
        """Matrices (N, 1, n, n) float64 and class indices (N,) int64."""
        import torch
        from torch.utils.data import TensorDataset

        from toolkit_drone.covariance import window_covariances

        how = self.options.covariance
        matrices = window_covariances(
            signals, how.window, how.hop, how.embedding, how.ridge, how.scale
        )
        return TensorDataset(
            torch.from_numpy(matrices).unsqueeze(1), torch.from_numpy(labels.astype("int64"))
        )
