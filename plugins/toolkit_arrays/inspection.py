"""What a person is told of an archive before anything runs: parts, groups, and doubts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.contracts import Survey
from toolkit.datasets.arrays import Split
from toolkit.datasets.groups import count_classes, held_out_groups, warn_of_unused
from toolkit.datasets.matrices import mean_eigenvalue
from toolkit_arrays.archive import Index, headers, notes, read, read_index
from toolkit_arrays.options import ArchiveOptions, SeriesOptions

SMALLEST_SCALE = 1e-2
"""Mean eigenvalue below which thresholds of networks (1e-4 for ReEig) are no longer small."""
_OPERATIONS = 2e8
"""Bound on the eigendecompositions of a look at some matrices, in cubes of their size."""


def survey(options: ArchiveOptions, seed: int, doubts: Sequence[str]) -> Survey:
    """What is in which part, and what may be meant otherwise."""
    index = read_index(options)
    split = index.split(options, seed)
    groups = index.groups if index.declared is None else None
    return Survey(
        count_classes(index.labels, index.class_names, split),
        {} if groups is None else held_out_groups(groups, split),
        [*notes(options), *_unused(options, index, split), *doubts],
    )


def _unused(options: ArchiveOptions, index: Index, split: Split) -> list[str]:
    """Warnings of arrays that say who a sample is from, and that no option uses."""
    if options.test_x is not None:
        return []  # They are of `x` alone.
    by_group = index.groups is not None and index.declared is None
    advice = "To test on others, add `groups: {0}` to the task; test_groups says which of them."
    if index.declared is not None:
        advice = "Give a split that keeps them whole, or none, and `groups: {0}` in the task."
    return warn_of_unused(
        options.data,
        headers(options),
        lambda name: read(options, [name])[name][index.keep],
        [options.x, options.y, options.split, *([options.groups] if by_group else [])],
        split,
        advice,
        by_group=by_group,
    )


def how_many(size: int) -> int:
    """How many matrices of a size a look may decompose."""
    return int(np.clip(_OPERATIONS / size**3, 4, 64))


def doubts_of_rank(
    matrices: NDArray[np.float64], what: str, ridge: float, tolerance: float, why: str = ""
) -> list[str]:
    """Whether a ridge hides that matrices have not full rank.

    Parameters
    ----------
    matrices : (N, C, n, n), before the ridge
    what : what they are, in an error
    ridge : the ridge, as a fraction of the mean eigenvalue
    tolerance : relative error of an entry
    why : usual reason, as the end of a sentence
    """
    values = np.linalg.eigvalsh(matrices)
    size = matrices.shape[-1]
    floor = size * tolerance * np.abs(values).max(axis=-1, keepdims=True)
    ranks = (values > floor).sum(axis=-1).min(axis=-1)
    short = ranks[ranks < size]
    if not ridge or not len(short):
        return []
    span = f"{short.min()}" if short.min() == short.max() else f"{short.min()} to {short.max()}"
    return [
        f"{len(short)} of the {len(ranks)} {what} looked at have rank {span} of {size}{why}. The"
        f" ridge ({ridge:g}) fills the rest, which the data say nothing of."
    ]


def doubts_of_scale(matrices: NDArray[np.float64], scale: str) -> list[str]:
    """Whether matrices are too small, as they come, for thresholds of networks."""
    mean = float(mean_eigenvalue(matrices).mean())
    if scale != "none" or mean >= SMALLEST_SCALE:
        return []
    return [
        f"scale: none leaves the matrices a mean eigenvalue of {mean:.2g}, and networks raise"
        " eigenvalues to thresholds such as 1e-4: little or nothing of the data may be left."
        " Give scale: dataset, or the data in a larger unit."
    ]


def doubts_of_length(lengths: NDArray[Any], channels: int, options: SeriesOptions) -> list[str]:
    """Whether series are too short for covariances of full rank, as with exchanged axes."""
    short = lengths[lengths <= channels]
    if not len(short):
        return []
    which = (
        f"All {len(lengths)} series"
        if len(short) == len(lengths)
        else f"{len(short)} of {len(lengths)} series"
    )
    span = f"{short.min()}" if short.min() == short.max() else f"{short.min()} to {short.max()}"
    return [
        f"{which} of {options.x!r} have more channels than samples, or as many: {channels} channels"
        f" of {span} samples. Such a covariance has at most rank {short.max() - 1} of {channels};"
        f" the ridge ({options.ridge:g}) and the estimator ({options.estimator}) fill the rest."
        " Series are read as (N, channels, time): if the axes are swapped, save"
        f" {options.x}.transpose(0, 2, 1)."
    ]
