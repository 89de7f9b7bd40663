"""The task `series_arrays`: a user's own multichannel series, as covariance matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.contracts import Survey, TaskInfo
from toolkit_arrays.archive import (
    HINT,
    ArchiveTask,
    Index,
    describe_steps,
    read_index,
)
from toolkit_arrays.options import SeriesOptions

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


class SeriesArraysTask(ArchiveTask):
    """Labelled multichannel series of equal or unequal length."""

    Options = SeriesOptions
    series = True
    options: SeriesOptions
    arrays: ClassVar[Mapping[str, str]] = {
        **ArchiveTask.arrays,
        "lengths": "lengths",
        "test_lengths": "test_lengths",
    }

    def info(self) -> TaskInfo:
        """Describe the data from the archive's headers and labels."""
        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit.errors import DataError

        headers = read_headers(self.options.data, hint=HINT)
        if self.options.x not in headers:
            read_arrays(self.options.data, [self.options.x])
        shape = headers[self.options.x].shape
        if len(shape) not in (2, 3) or shape[1] < 2:
            raise DataError(
                f"{self.options.x!r} has shape {shape}.",
                hint="Series of at least two channels are read as (N, channels, time), or as"
                " (total time, channels) and lengths.",
            )
        size = shape[1]
        if self.options.root_joint is not None:
            _check_joint(size, self.options.root_joint, self.options.x)
            size -= 3
        index = read_index(self.options)
        train_size = len(index.split(self.options, seed=0).train)
        names = index.class_names
        grouped = self.groups_of(index) is not None
        kind = "grouped_" if grouped else ""
        if self.options.output == "series":
            lengths = self._lengths()
            return TaskInfo(
                f"{kind}series",
                (size + grouped, int(lengths.max())),
                len(names),
                train_size,
                names,
                outputs=self.outputs,
                rate=self.options.rate,
                shortest=int(lengths.min()),
            )
        size += self.options.mean > 0
        channels = max(1, len(self.options.bands)) * len(self.options.windows)
        shape = (channels + grouped, size, size)
        return TaskInfo(f"{kind}spd", shape, len(names), train_size, names, outputs=self.outputs)

    def _lengths(self) -> NDArray[Any]:
        """Samples of every series, of all arrays."""
        import numpy as np

        from toolkit.datasets.arrays import read_headers

        options, known = self.options, read_headers(self.options.data)
        named = {options.x: options.lengths, options.test_x: options.test_lengths}
        return np.concatenate(
            [self._lengths_of(own, known[x].shape) for x, own in named.items() if x is not None]
        )

    def _lengths_of(self, lengths: str | None, shape: tuple[int, ...]) -> NDArray[Any]:
        """Samples of every series of an array, or of any of them where all have as many."""
        import numpy as np

        from toolkit.datasets.arrays import read_arrays

        own = read_arrays(self.options.data, [], [lengths] if lengths else []).get(lengths or "")
        if own is None or own.ndim != 1 or own.dtype.kind not in "iu" or not len(own):
            own = np.array([shape[-1]])
        return own.astype(np.int64)

    def fitted_scale(self, inputs: NDArray[Any], train: NDArray[Any]) -> float:
        """What matrices are divided by; series are handed over as they come."""
        return 1.0 if self.options.output == "series" else super().fitted_scale(inputs, train)

    def scaled(self, inputs: NDArray[Any], mean: float) -> NDArray[Any]:
        """Matrices scaled, series as they come."""
        return inputs if self.options.output == "series" else super().scaled(inputs, mean)

    def scale_in_words(self, mean: float) -> str:
        """What `scaled` does."""
        return "" if self.options.output == "series" else super().scale_in_words(mean)

    def fitted_facts(self, index: Index, train: NDArray[Any]) -> dict[str, Any]:
        """The lengths of the training series, the least and the largest."""
        found = self._lengths()
        if len(found) == index.count:
            found = found[index.keep][train]
        known = super().fitted_facts(index, train)
        return {**known, "lengths": [int(found.min()), int(found.max())]}

    def check_new(self, fitted: Mapping[str, Any]) -> list[str]:
        """Whether new series are of another length, as at another sampling rate."""
        from toolkit.datasets.arrays import read_headers
        from toolkit_arrays.inspection import warn_of_new_lengths

        x, lengths = self.options.x, self.options.lengths
        found = self._lengths_of(lengths, read_headers(self.options.data)[x].shape)
        lengths_told = warn_of_new_lengths(found, fitted.get("lengths"), self.options)
        return [*super().check_new(fitted), *lengths_told]

    def inputs(self, index: Index) -> NDArray[Any]:
        """Read and check all series; their covariances."""
        import numpy as np

        options = self.options
        parts = [self._matrices(options.x, options.y, options.lengths)]
        if options.test_x and options.test_y:
            parts.append(self._matrices(options.test_x, options.test_y, options.test_lengths))
            _check_same_channels(parts, options)
            if options.output == "series":
                parts = _same_length(parts)
        kept: NDArray[Any] = np.concatenate(parts)[index.keep]
        return kept

    def survey(self, seed: int) -> Survey:
        """Count the samples of each part, and look at labels, groups and some inputs."""
        from toolkit_arrays.inspection import survey

        return replace(survey(self.options, seed, self._doubts()), likely=0.3)

    def _doubts(self) -> list[str]:
        """Warnings of series that are short, depend on each other, or are small."""
        import numpy as np

        from toolkit.datasets.arrays import read_arrays, read_headers
        from toolkit.datasets.matrices import how_many, warn_of_rank, warn_of_scale
        from toolkit_arrays.inspection import moving_channels, warn_of_constant, warn_of_length

        options = self.options
        header = read_headers(options.data)[options.x]
        lengths = read_arrays(options.data, [], [options.lengths]).get(options.lengths)
        if lengths is None and len(header.shape) == 3:
            lengths = np.full(header.shape[0], header.shape[-1])
        if lengths is None or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
            return []  # `load` refuses them.
        channels = header.shape[1] - (0 if options.root_joint is None else 3)
        some = self._some_covariances(lengths[: how_many(channels)], len(header.shape))
        rounding = float(np.finfo(header.dtype).eps) ** 2 if header.dtype.kind == "f" else 0.0
        what, why = (
            f"covariances of {options.x!r}",
            ", as where channels are referred to their average",
        )
        still, some = moving_channels(some)
        return [
            *warn_of_constant(still, len(some), options),
            *(
                warn_of_length(lengths, channels, options)
                or warn_of_rank(some, what, options.ridge, rounding, why)
            ),
            *warn_of_scale(some, options.scale),
        ]

    def _some_covariances(self, lengths: NDArray[Any], axes: int) -> NDArray[Any]:
        """Covariances of the first series (N, 1, n, n), without filter and ridge."""
        from toolkit.datasets.arrays import read_first
        from toolkit_arrays.estimators import covariances, cut_series, relative_to_joint

        x = self.options.x
        rows = len(lengths) if axes == 3 else int(lengths.sum())
        series = cut_series(read_first(self.options.data, x, rows), lengths, len(lengths), x)
        if self.options.root_joint is not None:
            series = [relative_to_joint(one, self.options.root_joint) for one in series]
        return covariances(series, "sample", 0.0)[:, None]

    def preparation(self, scaling: str) -> str:
        """The channels, the estimator, the ridge and the scale, in words."""
        from toolkit_arrays.matrices import describe_ridge

        joint = self.options.root_joint
        relative = "" if joint is None else f" relative to joint {joint}, which is left out"
        if self.options.output == "series":
            return describe_steps(f"a series{relative}, filled up by NaN behind its end")
        if bands := self.options.bands:
            spans = " and ".join(f"from {low:g} to {high:g} Hz" for low, high in bands)
            each = ", one channel a band" if len(bands) > 1 else ""
            relative += (
                f", band-passed {spans} at {self.options.rate:g} samples a second (Butterworth of"
                f" order 4, forth and back){each}"
            )
        if (windows := self.options.windows) != ((0.0, 1.0),):
            parts = " and ".join(f"from {begin:g} to {end:g}" for begin, end in windows)
            relative += f", {parts} of its length" + (
                ", a channel each" if len(windows) > 1 else ""
            )
        if (weight := self.options.mean) > 0:
            relative += f", with its mean m in [[C + {weight:g}^2 mm', {weight:g} m], [., 1]]"
        what = f"the covariance ({self.options.estimator}) of a series{relative}"
        return describe_steps(what, describe_ridge(self.options.ridge), scaling)

    def preparer(self, scale: float, shape: tuple[int, ...], grouped: bool) -> torch.nn.Module:
        """The channels, the filters, the estimator, the ridge and the scale."""
        import torch

        from toolkit.datasets.arrays import read_headers
        from toolkit_arrays.filters import sections
        from toolkit_arrays.preparation import PaddedSeries, SeriesPreparation

        options, header = self.options, read_headers(self.options.data)[self.options.x]
        if options.output == "series":
            return PaddedSeries(header.shape[1], options.root_joint, grouped)
        bank = [sections(band, options.rate) for band in options.bands if options.rate is not None]
        return SeriesPreparation(
            header.shape[1],
            options.root_joint,
            options.windows,
            options.estimator,
            options.ridge,
            options.mean,
            options.scale,
            (len(bank), len(bank[0]) if bank else 0),
            torch.tensor(bank, dtype=torch.float64) if bank else None,
            scale,
            grouped,
        )

    def _matrices(self, x: str, y: str, lengths: str | None) -> NDArray[Any]:
        """Covariances of one array of series, checked, (N, channels, n, n)."""
        from toolkit.datasets.arrays import read_arrays

        names = [lengths] if lengths else []
        # Where the recipe names them itself, padding would be taken for signal without them.
        required = (
            [x, y] if lengths == SeriesOptions.model_fields["lengths"].default else [x, y, *names]
        )
        arrays = read_arrays(self.options.data, required, names, hint=HINT)
        return self._covariances(arrays[x], arrays.get(lengths or ""), len(arrays[y]))

    def new_matrices(self) -> NDArray[Any]:
        """Read and check all series, without labels; their covariances."""
        from toolkit.datasets.arrays import read_arrays

        x, lengths = self.options.x, self.options.lengths
        arrays = read_arrays(self.options.data, [x], [lengths], hint=HINT)
        cuts = arrays.get(lengths)
        return self._covariances(arrays[x], cuts, len(arrays[x] if cuts is None else cuts))

    def _covariances(
        self, values: NDArray[Any], lengths: NDArray[Any] | None, count: int
    ) -> NDArray[Any]:
        import numpy as np

        from toolkit.errors import DataError
        from toolkit_arrays.estimators import (
            covariances,
            cut_series,
            cut_window,
            relative_to_joint,
        )
        from toolkit_arrays.filters import band_pass
        from toolkit_arrays.matrices import check_positive_definite

        x = self.options.x
        series = cut_series(values, lengths, count, x)
        if not series:
            raise DataError(f"{x!r} holds no series.", hint="Give data with one at least.")
        if self.options.root_joint is not None:
            _check_joint(series[0].shape[1], self.options.root_joint, x)
            series = [relative_to_joint(one, self.options.root_joint) for one in series]
        options = self.options
        if options.output == "series":
            from toolkit.datasets.parts import padded

            return padded(series)
        bank = [series]
        if options.bands and options.rate is not None:
            bank = [band_pass(series, band, options.rate) for band in options.bands]
        of_bands = [
            covariances(cut, options.estimator, options.ridge, options.mean)
            for each in bank
            for cut in (cut_window(each, window, x) for window in options.windows)
        ]
        matrices: NDArray[Any] = np.stack(of_bands, axis=1)
        check_positive_definite(matrices, f"covariances of {x}")
        return matrices


def _check_joint(channels: int, joint: int, name: str) -> None:
    from toolkit.errors import DataError

    if channels % 3 or 3 * joint >= channels or channels < 9:
        raise DataError(
            f"{name!r} has {channels} channels, in which there is no joint {joint} of three"
            " coordinates beside two others.",
            hint="Joints are counted from 0, channels are x0 y0 z0 x1 y1 z1 ...; leave root_joint"
            " out where the channels are something else.",
        )


def _check_same_channels(parts: list[NDArray[Any]], options: SeriesOptions) -> None:
    from toolkit.errors import DataError

    if parts[0].shape[1:-1] != parts[1].shape[1:-1]:
        axis = 1 if options.output == "series" else -1
        raise DataError(
            f"{options.test_x!r} has {parts[1].shape[axis]} channels, but {options.x!r} has"
            f" {parts[0].shape[axis]}."
        )


def _same_length(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Series (N, channels, time) filled up by NaN to the longest of all."""
    import numpy as np

    longest = max(part.shape[-1] for part in parts)
    gaps = [((0, 0), (0, 0), (0, longest - part.shape[-1])) for part in parts]
    return [np.pad(p, gap, constant_values=np.nan) for p, gap in zip(parts, gaps, strict=True)]
