"""Which samples of an archive are taken, under which labels, and which groups go where."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DataError
from toolkit_arrays.options import ArchiveOptions


def chosen_labels(options: ArchiveOptions) -> list[str]:
    """Labels to keep, in words; all if empty."""
    merged = [label for labels in options.merge.values() for label in labels]
    return [str(label) for label in (*options.classes, *merged)]


def kept_samples(raw: NDArray[Any], options: ArchiveOptions) -> NDArray[Any]:
    """Positions of the samples whose labels the options keep."""
    chosen = chosen_labels(options)
    if not chosen:
        return np.arange(len(raw))
    text = _as_text(raw)
    for name in chosen:
        if name not in text:
            raise DataError(
                f"No sample of {options.data} is labelled {name!r} in {options.y!r}.",
                hint=f"The labels are {', '.join(np.unique(text)[:30])}.",
            )
    return np.flatnonzero(np.isin(text, chosen))


def merged_labels(kept: NDArray[Any], options: ArchiveOptions) -> NDArray[Any]:
    """Labels of the kept samples, by the names of the classes they are merged into."""
    if not options.merge:
        return kept
    into = {str(label): name for name, labels in options.merge.items() for label in labels}
    return np.array([into[label] for label in _as_text(kept).tolist()])


def _as_text(labels: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels.astype(str)


def declare_groups(
    groups: NDArray[Any] | None, declared: NDArray[Any] | None, options: ArchiveOptions
) -> NDArray[Any]:
    """A split that gives whole groups to validation, and to test."""
    chosen = [str(group) for group in options.val_groups]
    if groups is None or declared is not None:
        why = "there are no groups" if groups is None else "a given split says what to test on"
        raise DataError(
            f"val_groups are {', '.join(chosen)}, but {why}.",
            hint="Leave val_groups out, or give the data an array of groups and no split.",
        )
    text = groups.astype(str)
    known = [str(group) for group in np.unique(groups)]
    test = [str(group) for group in options.test_groups] or known[-1:]
    for group in (*chosen, *test):
        if group not in known:
            raise DataError(
                f"There is no group {group!r}.", hint=f"The groups are {', '.join(known)}."
            )
        if group in chosen and group in test:
            raise DataError(
                f"Group {group!r} is for validation and for testing.",
                hint="Name each group once; without test_groups the last one is tested on.",
            )
    if set(chosen) | set(test) == set(known):
        raise DataError(
            f"All groups ({', '.join(known)}) are for validation or testing, none for training.",
            hint="Name fewer val_groups or test_groups.",
        )
    parts = np.where(np.isin(text, test), "test", "train")
    parts[np.isin(text, chosen)] = "val"
    return parts
