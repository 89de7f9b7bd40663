"""Who is in which part of the data, and arrays of an archive that say who a sample is from.

For plugin authors: every public name is stable.

Import this inside functions: it imports NumPy, which `import toolkit` must not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.base.errors import DataError
from toolkit.datasets.arrays import Header, Indices, Split
from toolkit.datasets.folders import PARTS
from toolkit.datasets.names import tidied

_PEOPLE = re.compile(r"(subj|subject|patient|participant|person|people)s?(_?ids?)?", re.IGNORECASE)
_OCCASIONS = re.compile(r"(sess|session|run|group|trial|recording)s?(_?ids?)?", re.IGNORECASE)
_ON_BOTH_SIDES = "both trained and tested on"


def count_classes(
    labels: Indices, names: Sequence[str], split: Iterable[Indices]
) -> dict[str, dict[str, int]]:
    """Samples of each class, by its name, in each part.

    Args:
        labels: class indices of all samples, or continuous targets.
        names: the classes' names; none of continuous targets, whose range stands for a name.
        split: indices of the samples in the training, validation and test part.
    """
    if not names:
        return {
            part: {f"from {labels[own].min():.4g} to {labels[own].max():.4g}": len(own)}
            for part, own in zip(PARTS, split, strict=True)
            if len(own)
        }
    return {
        part: dict(zip(names, np.bincount(labels[own], minlength=len(names)).tolist(), strict=True))
        for part, own in zip(PARTS, split, strict=True)
    }


def held_out_groups(groups: NDArray[Any], split: Iterable[Indices]) -> dict[str, list[str]]:
    """Names of the groups in each part, in their order.

    Nothing is said of validation where it shares groups with training, as it does where it is
    drawn from their samples.
    """
    tidy = tidied(groups, "Entry", "the groups")
    train, val, test = (list(map(str, np.unique(tidy[own]).tolist())) for own in split)
    parts = {"train": train, "test": test}
    if not set(val) & set(train):
        parts = {"train": train, "val": val, "test": test}
    return parts


def warn_of_unused(
    archive: Path,
    headers: Mapping[str, Header],
    values: Callable[[str], NDArray[Any]],
    used: Iterable[str],
    split: Split,
    advice: str,
    *,
    by_group: bool = False,
) -> list[str]:
    """Warns of arrays that say who a sample is from, are used by no option, and are on both sides.

    Args:
        archive: what holds them.
        headers: of all its arrays.
        values: reads an array; entries of the samples that `split` indexes.
        used: names of arrays that options use; one of them has as many entries as the arrays
            that are looked for.
        split: of the samples.
        advice: the line to add, with `{0}` for an array's name.
        by_group: whether whole groups are tested on: sessions and the like lie within these.
    """
    kept = set(used) & set(headers)
    lengths = {headers[name].shape[0] for name in kept if len(headers[name].shape) == 1}
    warnings = []
    for name, header in headers.items():
        asked = _PEOPLE.fullmatch(name) or (not by_group and _OCCASIONS.fullmatch(name))
        count = max(header.shape, default=0)
        one_each = count in lengths and math.prod(header.shape) == count
        if not asked or name in kept or not one_each:
            continue
        if header.dtype.hasobject or len(header.shape) > 1:
            how = "astype(str)" if header.dtype.hasobject else "ravel()"
            warnings.append(
                f"{archive} holds the array {name!r}, which no option uses, so those who are"
                " trained on may be tested on, too. It cannot be looked at as it is: save"
                f" {name}.{how}."
            )
            continue
        known, shared = _shared_values(values(name), split)
        if shared and known > 1:
            warnings.append(
                f"{archive} holds the array {name!r}, which no option uses: samples of {shared} of"
                f" its {known} values are {_ON_BOTH_SIDES}, so that results say little about"
                f" others. {advice.format(name)}"
            )
    return warnings


def tell_whose(warnings: Iterable[str]) -> bool:
    """Whether `warn_of_unused` has told, among other warnings, that parts share people or the like.

    The same need not be said of folds again.
    """
    return any(_ON_BOTH_SIDES in text for text in warnings)


_TEST_INPUTS = re.compile(r"(x_?test|test_?x|x_?te|test_?(data|images|inputs))", re.IGNORECASE)
_TEST_LABELS = re.compile(r"(y_?test|test_?y|y_?te|test_?(labels|targets))", re.IGNORECASE)


def warn_of_unused_test(archive: Path, names: Iterable[str], used: Iterable[str]) -> list[str]:
    """Warns of arrays of separate test samples that no option uses.

    Args:
        archive: what holds them.
        names: of all its arrays.
        used: names of arrays that options use.
    """
    free = [name for name in names if name not in set(used)]
    inputs = [name for name in free if _TEST_INPUTS.fullmatch(name)]
    labels = [name for name in free if _TEST_LABELS.fullmatch(name)]
    if not inputs or not labels:
        return []
    return [
        f"{archive} holds the arrays {inputs[0]!r} and {labels[0]!r}, which no option uses: the"
        f" test samples are drawn from the others. To test on them, add `test_x: {inputs[0]}` and"
        f" `test_y: {labels[0]}` to the task."
    ]


def _shared_values(values: NDArray[Any], split: Split) -> tuple[int, int]:
    """How many values an array of all samples has, and how many are on both sides of the test."""
    try:
        text = tidied(values, "Entry", "it").astype(str)
    except DataError:  # Missing entries are nobody in particular, and the array is not used.
        text = values.astype(str)
    seen = set(text[np.concatenate([split.train, split.val])].tolist())
    tested = set(text[split.test].tolist())
    return len(seen | tested), len(seen & tested)
