"""Which images are for training, validation and test, and which classes are left out of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.arrays import Indices, Split, check_parts, make_split
from toolkit.errors import DataError


class Parts(NamedTuple):
    """Indices of the images of each part, disjoint, in seeded random order.

    Attributes:
        train: of the classes that are learned; so are `val` and `test`.
        novel: of the classes left out, to be told from those of `val`.
        novel_test: of the classes left out, to be told from those of `test`.
        labels: of all images, numbered from 0 among the classes that are learned; -1 elsewhere.
        names: of the classes that are learned; none where labels are continuous targets.
    """

    train: Indices
    val: Indices
    test: Indices
    novel: Indices
    novel_test: Indices
    labels: NDArray[Any]
    names: tuple[str, ...]

    @property
    def split(self) -> Split:
        """The parts of the classes that are learned."""
        return Split(self.train, self.val, self.test)

    @property
    def leaves_out(self) -> bool:
        """Whether there are images of classes that are left out."""
        return len(self.novel) > 0


def divide_values(
    targets: NDArray[np.float64],
    seed: int,
    ratio: Sequence[float],
    declared: NDArray[Any] | None = None,
) -> Parts:
    """The one division of images with continuous targets (N,) under a seed, see `divide`."""
    split = make_split(targets, (), ratio, seed, declared=declared)
    none = np.empty(0, np.int64)
    return Parts(split.train, split.val, split.test, none, none, targets, ())


def divide(
    labels: Indices,
    names: tuple[str, ...],
    seed: int,
    ratio: Sequence[float],
    *,
    declared: NDArray[Any] | None = None,
    per_class: int | None = None,
    novel_classes: Sequence[int | str] = (),
) -> Parts:
    """The one division under a seed.

    Args:
        labels: class indices (N,).
        names: the classes' names.
        seed: of the draw.
        ratio: see `toolkit.datasets.arrays.make_split`, as for `declared`.
        declared: the given split, or None.
        per_class: training images to keep of each class; all if None.
        novel_classes: classes to leave out, by name or by number from 0.

    Raises:
        DataError: a class has too few images; or `declared` or `novel_classes` do not fit.
    """
    split = make_split(labels, names, ratio, seed, declared=declared)
    out = _left_out(novel_classes, names)
    learned = [index for index in range(len(names)) if index not in out]
    if len(learned) < 2:
        raise DataError(
            f"novel_classes leaves {len(learned)} of {len(names)} classes to learn; at least two"
            " are needed.",
            hint="Leave fewer classes out.",
        )
    numbers = np.full(len(names), -1, np.int64)
    numbers[learned] = np.arange(len(learned))
    renumbered = numbers[labels]
    known = [part[renumbered[part] >= 0] for part in split]
    novel, novel_test = (part[renumbered[part] < 0] for part in (split.val, split.test))
    if out and not (len(novel) and len(novel_test)):
        raise DataError(
            "No image of the classes left out by novel_classes is in the"
            f" {'test' if len(novel) else 'validation'} part.",
            hint="Leave other classes out, or give the split images of these.",
        )
    check_parts(Split(*known), renumbered, [names[index] for index in learned])
    train = known[0]
    if per_class is not None:
        kept = [train[renumbered[train] == label][:per_class] for label in range(len(learned))]
        train = np.random.default_rng([seed, 0x9E4]).permutation(np.concatenate(kept))
    return Parts(
        train, known[1], known[2], novel, novel_test, renumbered, tuple(names[i] for i in learned)
    )


def _left_out(wanted: Sequence[int | str], names: Sequence[str]) -> set[int]:
    """Indices of the classes named; a number stands for itself where it is no class's name."""
    found = set()
    for name in wanted:
        text = str(name)
        if text in names:
            found.add(names.index(text))
        elif text.isdigit() and int(text) < len(names):
            found.add(int(text))
        else:
            shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
            raise DataError(
                f"novel_classes: there is no class {text!r}.", hint=f"The classes are {shown}."
            )
    return found
