"""Names of classes and groups: as archives store them, as recipes write them, as people read them.

For plugin authors: every public name is stable.

Import this inside functions: it imports NumPy, which `import toolkit` must not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.base.errors import DataError

_MISSING = frozenset({"", "nan", "NaN", "<NA>"})
"""How pandas and NumPy write as text what is missing."""
_OF_OTHER_BASE = re.compile(r"[-+]?0(x[0-9a-fA-F]+|o[0-7]+)")
"""Numbers as YAML has them too, so that a recipe's 0x10 finds the name "0x10"."""
EXACT = 2.0**53
"""Up to here whole floats are exact."""


def tidied(values: NDArray[Any], entry: str, of: str) -> NDArray[Any]:
    """Labels or groups as people name them: whole floats as integers, bytes as text.

    Args:
        values: (N,) or of any shape.
        entry: what to call one of them in an error, "Label".
        of: what to call all of them, "'y'".

    Raises:
        DataError: one is missing (NaN, or what is written for it), or is no text in UTF-8.
    """
    if values.dtype.kind == "S":
        return _without_missing(_decoded(values, entry, of), entry, of)
    if values.dtype.kind == "U":
        return _without_missing(values, entry, of)
    if values.dtype.kind in "mM":
        _refuse(np.isnat(values), values, entry, of)
        return values.astype(str)
    if values.dtype.kind == "f":
        _refuse(~np.isfinite(values), values, entry, of)
        if (values == np.round(values)).all() and (np.abs(values) <= EXACT).all():
            return values.astype(np.int64)
    return values


def read_labels(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Labels, one a sample, tidied.

    Args:
        labels: as they are stored.
        name: what to call them in an error.

    Raises:
        DataError: they are not one label a sample, or neither numbers nor text; or one is missing.
    """
    if labels.ndim != 1:
        raise DataError(
            f"{name!r} must hold one label a sample, but has shape {labels.shape}.",
            hint=_how_to_flatten(labels, name),
        )
    if labels.dtype.kind not in "iubUSf":
        raise DataError(
            f"{name!r} has type {labels.dtype}; labels are whole numbers or strings.",
            hint=f"Save {name}.astype(str).",
        )
    return tidied(labels, "Label", repr(name))


def _how_to_flatten(labels: NDArray[Any], name: str) -> str:
    """What to do about labels that are no row of one a sample."""
    if labels.size == max(labels.shape, default=0):
        return f"Save {name}.ravel()."
    one_hot = labels.ndim == 2 and labels.dtype.kind in "iubf" and (labels.sum(1) == 1).all()
    if one_hot and np.isin(labels, (0, 1)).all():
        return f"It seems to be one-hot: save {name}.argmax(1)."
    return "Save one column, of the labels that are to be told apart."


def joined_labels(labels: NDArray[Any], test: NDArray[Any], test_name: str) -> NDArray[Any]:
    """Labels (tidied) and those of separate test samples, one after the other.

    Where one are numbers and the others text, all are compared as text.

    Raises:
        DataError: those of the test are none, or wrong (see `read_labels`).
    """
    more = read_labels(test, test_name)
    if not len(more):
        raise DataError(f"{test_name!r} holds no label, so there is nothing to test on.")
    if (labels.dtype.kind == "U") != (more.dtype.kind == "U"):
        labels, more = labels.astype(str), more.astype(str)
    return np.concatenate([labels, more])


def find_name(wanted: object, known: Sequence[str]) -> str | None:
    """The name that a recipe means: the same text, or else the one of the same number.

    `1` and `1.0` both name the class "1", and the groups "01" and "1.0" where there is no "1".
    """
    text = str(wanted)
    if text in known:
        return text
    number = _number(text)
    same = [name for name in known if number is not None and _number(name) == number]
    return same[0] if len(same) == 1 else None


def find_names(
    wanted: Sequence[object], known: Sequence[str], what: str, purpose: str = ""
) -> list[str]:
    """The names that a recipe means (see `find_name`).

    Args:
        wanted: as the recipe has them.
        known: those there are.
        what: what they name, "group".
        purpose: end of the sentence that says one is not there, " to test on".

    Raises:
        DataError: there is none of that name.
    """
    found = [(name, find_name(name, known)) for name in wanted]
    for name, meant in found:
        if meant is None:
            raise DataError(
                f"There is no {what} {str(name)!r}{purpose}.",
                hint=f"The {what}s are {', '.join(known[:30])}.",
            )
    return [meant for _, meant in found if meant is not None]


def find_label(wanted: object, names: Mapping[str, str]) -> str | None:
    """The label that a recipe means by a label, or else by a class's name.

    Args:
        wanted: as the recipe has it.
        names: the classes' names by their labels (see `class_names`).
    """
    by_name = {name: label for label, name in names.items()}
    return find_name(wanted, list(names)) or by_name.get(str(wanted))


def class_names(
    labels: NDArray[Any], given: NDArray[Any] | None, name: str = "y"
) -> Mapping[str, str]:
    """The classes' names by their labels, from an archive's array `class_names`.

    Labels that are integers from 0 are positions in `given`. Words name their classes themselves,
    in whatever order `given` lists them.

    Args:
        labels: those of all samples, as `tidied` returns them.
        given: the array `class_names`, or None.
        name: what to call the labels in an error.

    Raises:
        DataError: `given` does not name these labels.
    """
    words = list(map(str, np.unique(labels).tolist()))
    if given is None:
        return {word: word for word in words}
    if given.ndim != 1:
        raise DataError(
            f"'class_names' has shape {given.shape}.", hint="It is a list of one name a class."
        )
    listed = tidied(given, "Name", "'class_names'")
    names = list(map(str, listed.tolist()))
    for repeated in [one for one in names if names.count(one) > 1][:1]:
        raise DataError(f"'class_names' holds {repeated!r} twice.", hint="Each class has a name.")
    by_position = labels.dtype.kind in "iub" and listed.dtype.kind == "U"
    if by_position:
        _check_positions(labels, len(names), name)
        return {word: names[int(value)] for word, value in _by_value(labels)}
    strange = [word for word in words if word not in names]
    if strange:
        raise DataError(
            f"{name!r} holds the label {strange[0]!r}, which is not among 'class_names':"
            f" {', '.join(names[:30])}.",
            hint="Give the same words in both, or leave 'class_names' out.",
        )
    return {word: word for word in words}


def _by_value(labels: NDArray[Any]) -> list[tuple[str, int]]:
    return [(str(value), int(value)) for value in np.unique(labels).tolist()]


def _check_positions(labels: NDArray[Any], count: int, name: str) -> None:
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    for index in np.flatnonzero((labels < 0) | (labels >= count))[:1]:
        raise DataError(
            f"Label {index} of {name!r} is {labels[index]}, but 'class_names' names {count}"
            f" classes, 0 to {count - 1}.",
            hint="Count labels from 0, or give the names themselves as labels.",
        )


def _decoded(values: NDArray[Any], entry: str, of: str) -> NDArray[Any]:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        for index, value in enumerate(values.ravel().tolist()):
            try:
                value.decode("utf-8")
            except UnicodeDecodeError:
                raise DataError(
                    f"{entry} {index} of {of} is {value!r}, which is no text in UTF-8.",
                    hint="Save it as text: numpy.char.decode(array, ENCODING).",
                ) from None
        raise


def _without_missing(values: NDArray[Any], entry: str, of: str) -> NDArray[Any]:
    _refuse(np.isin(np.char.strip(values), list(_MISSING)), values, entry, of)
    return values


def _refuse(missing: NDArray[np.bool_], values: NDArray[Any], entry: str, of: str) -> None:
    for index in np.flatnonzero(missing)[:1]:
        value = values.ravel()[index].item()
        shown = repr(value) if isinstance(value, str) else value
        raise DataError(
            f"{entry} {index} of {of} is {shown}, and {int(missing.sum())} of {values.size} are"
            " missing in this way.",
            hint="Leave these samples out, or give them a name.",
        )


def warn_of_missing(labels: NDArray[Any], given: NDArray[Any] | None) -> list[str]:
    """Warns of names in an archive's `class_names` that no sample has.

    Args:
        labels: those of all samples, as `tidied` returns them.
        given: the array `class_names`, or None.
    """
    if given is None:
        return []
    names = list(map(str, tidied(given, "Name", "'class_names'").tolist()))
    there = set(class_names(labels, given).values())
    missing = [name for name in names if name not in there]
    if not missing:
        return []
    return [
        f"No sample is of {' or '.join(map(repr, missing[:10]))}, which 'class_names' lists: the"
        f" model tells {len(there)} classes apart."
    ]


def _number(text: str) -> float | None:
    try:
        number = float(int(text, 0)) if _OF_OTHER_BASE.fullmatch(text) else float(text)
    except (ValueError, OverflowError):
        return None
    return number if np.isfinite(number) and "_" not in text else None


def warn_of_alike(names: Sequence[str], what: str = "classes") -> list[str]:
    """Warns of names that people take for one, as where it was mistyped.

    Args:
        names: of classes or groups.
        what: they are.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        plain = unicodedata.normalize("NFKC", "".join(name.split())).casefold()
        alike.setdefault(plain, []).append(name)
    return [
        f"{' and '.join(map(repr, own))} are taken for {len(own)} {what}, and differ in case,"
        " spaces or how characters are encoded alone. Where they are one, write them alike."
        for own in alike.values()
        if len(own) > 1
    ]
