"""Folds of the samples that may be trained and validated on, by scikit-learn's splitters.

Import this inside functions: it imports NumPy and scikit-learn, which `import toolkit` must not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.base.errors import DataError
from toolkit.datasets.names import tidied


class Fold(NamedTuple):
    """Indices of the samples to train on, and of those held out."""

    train: NDArray[Any]
    held_out: NDArray[Any]


def stratified_folds(
    members: NDArray[Any],
    labels: NDArray[Any],
    names: Sequence[str],
    count: int,
    repeats: int,
    seed: int,
) -> list[Fold]:
    """Returns folds that each hold the same share of every class.

    Args:
        members: indices of the samples to divide.
        labels: class indices of all samples (N,), or continuous targets.
        names: the classes' names; none of continuous targets, whose folds are random parts.
        count: folds in one round.
        repeats: rounds, each with an order of its own.
        seed: of the orders.

    Raises:
        DataError: a class has fewer samples than there are folds.
    """
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    own, seed = labels[members], seed % 2**32
    if not names:
        if len(members) < 2 * count:
            raise DataError(
                f"There are {len(members)} samples to train and validate on, fewer than two for"
                f" each of the {count} folds asked for.",
                hint=f"Ask for at most {max(len(members) // 2, 2)} folds.",
            )
        random = RepeatedKFold(n_splits=count, n_repeats=repeats, random_state=seed)
        return [Fold(members[a], members[b]) for a, b in random.split(own)]
    counts = np.bincount(own, minlength=len(names))
    fewest = int(counts.argmin())
    if counts[fewest] < count:
        raise DataError(
            f"Class {names[fewest]!r} has {counts[fewest]} samples to train and validate on, fewer"
            f" than the {count} folds asked for.",
            hint=f"Ask for at most {max(counts[fewest], 2)} folds, or leave the class out.",
        )
    splitter = RepeatedStratifiedKFold(n_splits=count, n_repeats=repeats, random_state=seed)
    return [Fold(members[a], members[b]) for a, b in splitter.split(own, own)]


def group_folds(
    members: NDArray[Any],
    labels: NDArray[Any],
    names: Sequence[str],
    groups: NDArray[Any] | None,
    count: int | None,
) -> list[Fold]:
    """Returns folds of whole groups.

    Args:
        members, labels, names: see `stratified_folds`.
        groups: of all samples (N,), or None.
        count: folds, of several groups each; one group at a time if None.

    Raises:
        DataError: there are no groups, too few of them, or a class is in the groups of one fold
            alone.
    """
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

    if groups is None:
        raise DataError(
            "The data have no groups, and folds of whole groups are asked for.",
            hint="Name the array that says who or what a sample is from as the task's groups, or"
            " ask for stratified folds.",
        )
    own, of_whom = labels[members], tidied(groups, "Entry", "the groups")[members]
    known = len(np.unique(of_whom))
    least = 2 if count is None else count
    if known < least:
        raise DataError(
            f"The samples to divide are of {known} groups, and {least} folds of whole groups are"
            " asked for.",
            hint="Ask for fewer folds, or for stratified ones.",
        )
    splitter = LeaveOneGroupOut() if count is None else GroupKFold(n_splits=count)
    folds = [Fold(members[a], members[b]) for a, b in splitter.split(own, own, of_whom)]
    for train, held_out in folds if names else ():
        missing = sorted(set(own.tolist()) - set(labels[train].tolist()))
        if missing:
            left = ", ".join(map(str, np.unique(tidied(groups[held_out], "Entry", "the groups"))))
            raise DataError(
                f"Class {names[missing[0]]!r} is in the group {left} alone, and would not be"
                " trained on where that is held out.",
                hint="Ask for stratified folds, or leave the class out.",
            )
    return folds
