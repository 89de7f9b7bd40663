"""What a person is told of an archive before anything runs: parts, groups, and doubts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.contracts import Survey
from toolkit.datasets.arrays import Split
from toolkit.datasets.groups import (
    count_classes,
    held_out_groups,
    warn_of_unused,
    warn_of_unused_test,
)
from toolkit.datasets.matrices import span
from toolkit_arrays.archive import Index, headers, notes, read, read_index
from toolkit_arrays.options import ArchiveOptions, SeriesOptions

OTHER_LENGTH = 1.25
"""Times longer or shorter that new series are told of."""


def survey(options: ArchiveOptions, seed: int, doubts: Sequence[str]) -> Survey:
    """What is in which part, and what may be meant otherwise."""
    index = read_index(options)
    split = index.split(options, seed)
    groups = index.groups if index.declared is None else None
    return Survey(
        count_classes(index.labels, index.class_names, split),
        {} if groups is None else held_out_groups(groups, split),
        [
            *notes(options),
            *_unused(options, index, split),
            *_alike_groups(index),
            *_classes_of_nobody(options),
            *_copies(options, index, split),
            *doubts,
        ],
    )


def _unused(options: ArchiveOptions, index: Index, split: Split) -> list[str]:
    """Warnings of arrays that say who a sample is from, and that no option uses."""
    if options.test_x is not None:
        return []  # They are of `x` alone.
    own = [options.x, options.y, options.split, options.groups]
    separate = warn_of_unused_test(options.data, headers(options), own)
    by_group = index.groups is not None and index.declared is None
    advice = "To test on others, add `groups: {0}` to the task; test_groups says which of them."
    if index.declared is not None:
        advice = "Give a split that keeps them whole, or none, and `groups: {0}` in the task."
    return separate + warn_of_unused(
        options.data,
        headers(options),
        lambda name: read(options, [name])[name][index.keep],
        [options.x, options.y, options.split, *([options.groups] if by_group else [])],
        split,
        advice,
        by_group=by_group,
    )


def _alike_groups(index: Index) -> list[str]:
    """Warns of groups that may be one, and would be on both sides of the test."""
    from toolkit.datasets.names import tidied, warn_of_alike

    if index.groups is None or index.declared is not None:
        return []
    names = np.unique(tidied(index.groups, "Entry", "the groups"))
    return warn_of_alike(list(map(str, names.tolist())), "groups")


def _classes_of_nobody(options: ArchiveOptions) -> list[str]:
    """Warns of names of classes that no sample has."""
    from toolkit.datasets.names import read_labels, warn_of_missing

    if options.continuous or options.test_y:
        return []
    arrays = read(options, [options.y], ["class_names"])
    return warn_of_missing(read_labels(arrays[options.y], options.y), arrays.get("class_names"))


def _copies(options: ArchiveOptions, index: Index, split: Split) -> list[str]:
    """Warns of samples that are there twice; of large archives nothing is said."""
    from toolkit.datasets.copies import MOST_BYTES, marks_of_rows, warn_of_copies

    names = [name for name in (options.x, options.test_x) if name]
    known = headers(options)
    if sum(known[name].size for name in names) > MOST_BYTES:
        return []
    if sum(known[name].shape[0] for name in names) != index.count:
        return []  # `load` refuses them.
    arrays = read(options, names)
    marks = marks_of_rows(arrays[name] for name in names)
    kept = [marks[position] for position in index.keep.tolist()]
    return warn_of_copies(kept, index.labels, split)


def moving_channels(some: NDArray[Any]) -> tuple[list[int], NDArray[Any]]:
    """Numbers of channels that are constant in all covariances (N, 1, n, n), and these without."""
    moves = some.diagonal(axis1=-2, axis2=-1).max((0, 1)) > 0
    still = [int(number) for number in range(len(moves)) if not moves[number]]
    return still, some[..., moves, :][..., moves] if moves.any() else some


def warn_of_constant(still: Sequence[int], looked_at: int, options: SeriesOptions) -> list[str]:
    """Whether channels never change; they are numbered as what is relative to a joint has them."""
    if not still:
        return []
    which = f"Channel {still[0]} of {options.x!r} is"
    if len(still) > 1:
        which = f"Channels {', '.join(map(str, still))} of {options.x!r} are"
    return [
        f"{which} constant in all of the {looked_at} series looked at, and says nothing: leave out"
        " what was not connected, or look whether it was read in."
    ]


def warn_of_new_lengths(
    lengths: NDArray[Any], known: Sequence[int] | None, options: SeriesOptions
) -> list[str]:
    """Whether all new series are longer, or shorter, than any that was trained on.

    Args:
        lengths: of the new ones, in samples.
        known: the least and the largest of the training's; None where that is not known.
    """
    if known is None:
        return []
    if lengths.min() < OTHER_LENGTH * known[1] and lengths.max() * OTHER_LENGTH > known[0]:
        return []
    rate = "" if options.rate is None else f" ({options.rate:g} samples a second)"
    return [
        f"The new series have {span(lengths)} samples, and those of the training"
        f" {span(np.array(known))}. If they were recorded at another sampling rate, resample them"
        f" to that of the training{rate} first."
    ]


def warn_of_length(lengths: NDArray[Any], channels: int, options: SeriesOptions) -> list[str]:
    """Whether series are too short for covariances of full rank, as with exchanged axes."""
    short = lengths[lengths <= channels]
    if not len(short):
        return []
    which = f"{len(short)} of the {len(lengths)} series"
    return [
        f"{which} of {options.x!r} have more channels than samples, or as many: {channels} channels"
        f" of {span(short)} samples. Such a covariance has at most rank {short.max() - 1} of"
        f" {channels}; the ridge ({options.ridge:g}) and the estimator ({options.estimator}) fill"
        " the rest. Series are read as (N, channels, time): if the axes are swapped, save"
        f" {options.x}.transpose(0, 2, 1)."
    ]
