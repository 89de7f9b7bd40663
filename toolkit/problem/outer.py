"""Outer folds of a task's samples: each is tested on in turn, and the rest is searched on.

Import this inside functions: it imports NumPy, which `import toolkit` must not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.contracts import Pool
from toolkit.contracts.outer import FoldsAsked
from toolkit.datasets.arrays import stratified_parts
from toolkit.datasets.folds import Fold, group_folds, stratified_folds
from toolkit.datasets.names import tidied

_SHARES = (0.1, 0.5)
"""Least and largest share of what a fold leaves that is validated on."""
_MOST_NAMES = 5


def members_of(pool: Pool) -> NDArray[Any]:
    """Returns the indices of the samples that may be trained and validated on."""
    return np.unique(np.concatenate([pool.train, pool.val]))


def outer_folds(pool: Pool, asked: FoldsAsked, seed: int) -> list[Fold]:
    """Returns the folds of all samples of a pool, its test part with them.

    Args:
        pool: the samples with the task's own parts.
        asked: which folds.
        seed: of the order of stratified ones.

    Raises:
        DataError: the samples cannot be divided so.
    """
    everything = np.unique(np.concatenate([pool.train, pool.val, pool.test]))
    what = everything, pool.labels, pool.class_names
    if asked.kind == "groups":
        return group_folds(*what, pool.groups, asked.count)
    assert asked.count is not None
    return stratified_folds(*what, asked.count, asked.rounds, seed)


def within(pool: Pool, fold: Fold, seed: int) -> Pool:
    """Returns the samples of a pool with a fold as the test part.

    What the fold leaves is divided into training and validation by the shares of the pool's own
    parts: into whole groups where these share none, else with the same share of every class.

    Args:
        pool: the samples with the task's own parts.
        fold: of all of them.
        seed: of the draw.

    Raises:
        DataError: a class has too few samples left.
    """
    share = float(np.clip(len(np.unique(pool.val)) / len(members_of(pool)), *_SHARES))
    train, val = _by_group(pool, fold.train, share, seed) or stratified_parts(
        pool.labels, fold.train, pool.class_names, (1 - share, share), seed
    )
    if len(np.intersect1d(pool.train, pool.val)):  # The task trains on its validation part, too.
        train = np.concatenate([train, val])
    return replace(pool, train=train, val=val, test=fold.held_out)


def groups_of(pool: Pool, part: NDArray[Any]) -> list[str]:
    """Returns the names of the groups that some samples are of, in their order."""
    if pool.groups is None:
        return []
    return [str(group) for group in np.unique(tidied(pool.groups[part], "Entry", "the groups"))]


def name_of(pool: Pool, asked: FoldsAsked, number: int, count: int) -> str:
    """Returns what the test part of a fold is called: its groups, or its place among the folds.

    Args:
        pool: with the fold as its test part.
        asked: which folds.
        number: of the fold, from 1.
        count: of all folds.
    """
    if asked.kind == "groups":
        names = groups_of(pool, pool.test)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return ", ".join(names[:_MOST_NAMES]) + more
    if asked.rounds == 1:
        return f"{number} of {count}"
    of = count // asked.rounds
    return f"{(number - 1) % of + 1} of {of}, round {(number - 1) // of + 1}"


def _by_group(
    pool: Pool, members: NDArray[Any], share: float, seed: int
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Training and validation samples of whole groups; None where the pool's own are not, or a
    class would not be trained on."""
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    if pool.groups is None or set(groups_of(pool, pool.train)) & set(groups_of(pool, pool.val)):
        return None
    labels = pool.labels[members]
    of_whom = tidied(pool.groups, "Entry", "the groups")[members]
    count = min(round(1 / share), len(np.unique(of_whom)))
    if count < 2:
        return None
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed % 2**32)
    if not pool.class_names:
        shuffled = GroupShuffleSplit(1, test_size=share, random_state=seed % 2**32)
        train, val = next(shuffled.split(labels, labels, of_whom))
        return members[train], members[val]
    for train, val in splitter.split(labels, labels, of_whom):
        if len(val) and len(np.unique(labels[train])) == len(np.unique(labels)):
            return members[train], members[val]
    return None
