"""From joint positions to the rows whose covariance is taken: NumPy, one sequence at a time.

A sequence is (frames, joints, 3), and rows of it are (frames, d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def body_size(sequence: Array, bones: Sequence[tuple[int, int]]) -> float:
    """Sum of the bones' mean lengths over a sequence."""
    ends = np.asarray(bones)
    gaps = sequence[:, ends[:, 0]] - sequence[:, ends[:, 1]]
    return float(np.linalg.norm(gaps, axis=-1).mean(axis=0).sum())


def relative_positions(sequence: Array, hip: int, joints: NDArray[Any]) -> Array:
    """Positions of `joints` less that of the hip, in every frame, as rows (frames, 3 joints)."""
    return (sequence[:, joints] - sequence[:, hip : hip + 1]).reshape(len(sequence), -1)


def velocities(rows: Array) -> Array:
    """Central differences per frame (frames, d); one-sided at both ends."""
    return np.asarray(np.gradient(rows, axis=0))


def cosines_of_time(length: int, count: int) -> Array:
    r"""Rows of time alone, of unit mean square (length, count).

    .. math:: \sqrt 2 \cos(\pi k (t + 1/2) / T), \quad k = 1, \dots, count

    The basis of the discrete cosine transform: the covariance of a position with row k is that
    coefficient of its trajectory, so that the matrix also tells a movement from its reverse.
    """
    time = (np.arange(length) + 0.5) / length
    return np.sqrt(2) * np.cos(np.pi * time[:, None] * np.arange(1, count + 1))


def segments(length: int, size: int | None) -> list[slice]:
    """Consecutive pieces of `size` frames, what is left over dropped; the whole without `size`."""
    if size is None:
        return [slice(0, length)]
    return [slice(start, start + size) for start in range(0, length - size + 1, size)]


def with_neighbours(rows: Array, piece: slice) -> Array:
    """A piece of a sequence with the frame before and the frame behind it.

    Beyond the sequence's ends these lie on the line through its last two frames, so that central
    differences within the piece are always `velocities` of the whole sequence.
    """
    before = rows[piece.start - 1] if piece.start else 2 * rows[0] - rows[1]
    behind = rows[piece.stop] if piece.stop < len(rows) else 2 * rows[-1] - rows[-2]
    return np.concatenate([before[None], rows[piece], behind[None]])


def windows(length: int, counts: Sequence[int]) -> Iterator[slice]:
    """For each count k, k windows of 2 / (k + 1) of the length, each half over the next.

    Short sequences have windows of two frames, and windows may then coincide.
    """
    for count in counts:
        for number in range(count):
            if count == 1:
                yield slice(0, length)
                continue
            start = min(round(number * length / (count + 1)), length - 2)
            end = max(round((number + 2) * length / (count + 1)), start + 2)
            yield slice(start, min(end, length))
