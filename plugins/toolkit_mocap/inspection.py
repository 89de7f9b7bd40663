"""What a person is told of joint sequences before anything runs: parts, subjects, and doubts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.contracts import Survey
from toolkit.datasets.arrays import Split, read_arrays, read_headers
from toolkit.datasets.groups import count_classes, held_out_groups, warn_of_unused
from toolkit.datasets.matrices import span
from toolkit_mocap.archive import Index, pieces
from toolkit_mocap.options import MocapOptions
from toolkit_mocap.sequences import windows
from toolkit_mocap.transform import row_count


def survey(options: MocapOptions, index: Index, split: Split, joints: int) -> Survey:
    """What is in which part, and what may be meant otherwise."""
    cut = pieces(index, options.segment)
    by_subject = index.is_train is None
    subjects = index.subjects if by_subject else None
    return Survey(
        count_classes(
            np.repeat(index.labels, cut),
            index.class_names,
            [np.flatnonzero(np.isin(np.repeat(np.arange(len(cut)), cut), part)) for part in split],
        ),
        {} if subjects is None else held_out_groups(subjects, split),
        [*_unused(options, index, split, by_subject), *_too_short(options, index, joints)],
    )


def _unused(options: MocapOptions, index: Index, split: Split, by_subject: bool) -> list[str]:
    return warn_of_unused(
        options.data,
        read_headers(options.data),
        lambda name: read_arrays(options.data, [name])[name][index.keep],
        [options.labels, options.lengths, options.split, *([options.subjects] * by_subject)],
        split,
        "To test on others, give `subjects: {0}` and test_subjects in the task.",
        by_group=by_subject,
    )


def _too_short(options: MocapOptions, index: Index, joints: int) -> list[str]:
    """Whether covariances have less than full rank for want of frames."""
    rows = options.components or row_count(options, joints)
    lengths: NDArray[np.int64] = index.lengths[index.keep]
    if options.segment is not None:
        lengths = np.full_like(lengths, options.segment)
    frames = np.array([_shortest(int(length), options.windows) for length in lengths])
    short = frames[frames <= rows]
    if not len(short) or not options.ridge:
        return []
    what = "sequences" if max(options.windows) == 1 else "sequences' windows"
    return [
        f"{len(short)} of {len(frames)} {what} have at most as many frames as the covariance has"
        f" rows ({span(short)} frames, {rows} rows), so that its rank is at most"
        f" {short.max() - 1}. The ridge ({options.ridge:g}) fills the rest; `components` would give"
        " smaller matrices."
    ]


def _shortest(length: int, counts: tuple[int, ...]) -> int:
    return min(window.stop - window.start for window in windows(length, counts))
