"""Samples that are there more than once: in training and test alike, or as two classes.

For plugin authors: every public name is stable.

Import this inside functions: it imports NumPy, which `import toolkit` must not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.arrays import Split

MOST_BYTES = 1 << 28
"""Of samples that are looked at; nothing is said of more."""


def marks_of_rows(arrays: Iterable[NDArray[Any]]) -> list[Hashable]:
    """What tells the samples of arrays (N, ...) apart: equal for equal content."""
    return [
        hashlib.blake2b(np.asarray(row).tobytes(), digest_size=16).digest()
        for rows in arrays
        for row in rows
    ]


def marks_of_files(paths: Sequence[Path]) -> list[Hashable]:
    """What tells files apart: their sizes, and the content of those of one size.

    A file that cannot be read is like no other: whoever loads it says so.
    """
    sizes = [_size(path) for path in paths]
    often = Counter(sizes)
    left = MOST_BYTES
    found: list[Hashable] = []
    for path, size in zip(paths, sizes, strict=True):
        mark: Hashable = path
        if often[size] > 1 and 0 <= size <= left:
            left -= size
            with suppress(OSError):
                mark = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
        found.append(mark)
    return found


def warn_of_copies(marks: Sequence[Hashable], labels: NDArray[Any], split: Split) -> list[str]:
    """Warns of samples that are trained and tested on, and of equal ones with unequal labels.

    Args:
        marks: of all samples, see `marks_of_rows` and `marks_of_files`.
        labels: of all samples, (N,).
        split: of the samples.
    """
    trained = [*split.train.tolist(), *split.val.tolist()]
    tested = split.test.tolist()
    first: dict[Hashable, int] = {}
    for index in [*trained, *tested]:
        first.setdefault(marks[index], index)
    seen = {marks[index] for index in trained}
    shared = [index for index in tested if marks[index] in seen]
    warnings = []
    if shared:
        one = shared[0]
        warnings.append(
            f"{len(shared)} of the {len(tested)} test samples equal a sample that is trained or"
            f" validated on (number {one}, from 0, equals number {first[marks[one]]}), so the test"
            " says too much. Leave one of each out, or keep them in one part by groups or a split."
        )
    unlike = [
        index
        for index in [*trained, *tested]
        if labels.dtype.kind in "iu" and labels[index] != labels[first[marks[index]]]
    ]
    if unlike:
        one = unlike[0]
        warnings.append(
            f"{len(unlike)} samples equal another one that has another label (number {one}, from 0,"
            f" and number {first[marks[one]]}): at least one of the two labels is wrong."
        )
    return warnings


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
