"""Which samples of an archive are taken, under which labels, and which groups go where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.names import find_label, find_names, tidied
from toolkit.errors import DataError
from toolkit_arrays.options import ArchiveOptions


def kept_samples(
    raw: NDArray[Any], names: Mapping[str, str], options: ArchiveOptions
) -> NDArray[Any]:
    """Positions of the samples whose labels the options keep.

    Args:
        raw: labels of all samples, tidied.
        names: the classes' names by their labels.
        options: the labels, or the classes' names, that are kept; all if they name none.
    """
    merged = [label for labels in options.merge.values() for label in labels]
    chosen = [_label(name, names, options) for name in (*options.classes, *merged)]
    if not chosen:
        return np.arange(len(raw))
    return np.flatnonzero(np.isin(raw.astype(str), chosen))


def check_classes(raw: NDArray[Any], keep: NDArray[Any], options: ArchiveOptions) -> None:
    """Checks that the option `classes` leaves classes to tell apart.

    Raises:
        DataError: it leaves one.
    """
    own = np.unique(raw[keep])
    if options.classes and len(own) == 1:
        raise DataError(
            f"classes keeps the class {str(own[0])!r} alone; at least two are needed.",
            hint="Name the classes to tell apart; a name that YAML reads as a number, such as 1e3,"
            " goes in quotes.",
        )


def merged_labels(
    kept: NDArray[Any], names: Mapping[str, str], options: ArchiveOptions
) -> NDArray[Any]:
    """Labels of the kept samples, by the names of the classes they are merged into."""
    if not options.merge:
        return kept
    into = {
        _label(label, names, options): name
        for name, labels in options.merge.items()
        for label in labels
    }
    return np.array([into[label] for label in kept.astype(str).tolist()])


def _label(wanted: int | str, names: Mapping[str, str], options: ArchiveOptions) -> str:
    """The label that a recipe means by a label or by a class's name."""
    label = find_label(wanted, names)
    if label is None:
        raise DataError(
            f"No sample of {options.data} is labelled {str(wanted)!r} in {options.y!r}.",
            hint=_there_are(names),
        )
    return label


def _there_are(names: Mapping[str, str]) -> str:
    """Labels and, where they differ, the classes' names."""
    labels = f"The labels are {', '.join(list(names)[:30])}"
    if list(names) == list(names.values()):
        return f"{labels}."
    return f"{labels}, and the classes are {', '.join(list(names.values())[:30])}."


def declare_groups(
    groups: NDArray[Any] | None, declared: NDArray[Any] | None, options: ArchiveOptions
) -> NDArray[Any]:
    """A split that gives whole groups to validation, and to test."""
    if groups is None or declared is not None:
        why = "there are no groups" if groups is None else "a given split says what to test on"
        raise DataError(
            f"val_groups are {', '.join(map(str, options.val_groups))}, but {why}.",
            hint="Leave val_groups out, or give the data an array of groups and no split.",
        )
    groups = tidied(groups, "Entry", repr(options.groups))
    text = groups.astype(str)
    known = [str(group) for group in np.unique(groups)]
    chosen = find_names(options.val_groups, known, "group")
    test = find_names(options.test_groups, known, "group") or known[-1:]
    for group in chosen:
        if group in test:
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
