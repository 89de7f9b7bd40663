"""What the rows of a ledger may hold: somebody else may have written them.

They are checked once, as they are read; nothing after that asks again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any

from toolkit.contracts import TrialState
from toolkit.contracts.jobs import ENSEMBLE

DEEPEST = 200
"""Levels of nested JSON; whatever copies or writes plain values takes a few frames for each."""
_LARGEST = 2**63 - 2
"""A trial's number, and places in an order: one more must fit into the ledger."""
LAST_S = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: no later moment can be written as a date."""

_INTEGER, _TEXT, _OBJECT, _NOTHING = ({one} for one in (int, str, dict, NoneType))
_NUMBER = {int, float}
_RESULT = _NUMBER | _NOTHING
_TYPES: Mapping[str, set[type]] = {
    "number": _INTEGER,
    "phase": _TEXT,
    "kind": _TEXT,
    "state": _TEXT,
    "point": _OBJECT | _NOTHING,
    "fingerprint": _TEXT,
    "seed": _INTEGER,
    "label": _TEXT,
    "fidelity": _OBJECT,
    "token": _OBJECT | _NUMBER | _TEXT | _NOTHING | {list, bool},
    "values": _OBJECT,
    "derived": {list},
    "parameters": _INTEGER | _NOTHING,
    "duration_s": _NUMBER,
    "attempts": _INTEGER,
    "source": _INTEGER | _NOTHING,
    "folder": _TEXT,
    "error": _TEXT,
    "created": _NUMBER,
    "started": _NUMBER | _NOTHING,
    "ended": _NUMBER | _NOTHING,
    "told": _INTEGER | _NOTHING,
    "continues": _INTEGER | _NOTHING,
    "epochs_paid": _NUMBER,
    "origin": _TEXT,
    "comparable": _INTEGER,
    "violations": _OBJECT,
}
"""Types of a trial's values, JSON parsed, by column."""
_NAMES: Mapping[str, set[str]] = {
    "phase": {"search", "final"},
    "kind": {"train", "supernet"},
    "state": set(TrialState),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "number": (0, _LARGEST),
    "parameters": (0, math.inf),
    "duration_s": (0, LAST_S),
    "attempts": (0, _LARGEST),
    "created": (0, LAST_S),
    "started": (0, LAST_S),
    "ended": (0, LAST_S),
    "told": (0, _LARGEST),
    "epochs_paid": (0, 1e300),
    "comparable": (0, 1),
}
_REPORTED: Mapping[str, set[type]] = {
    "step": _INTEGER,
    "values": _OBJECT,
    "records": _OBJECT,
    "time": _NUMBER,
}

_WORDS = ("task", "space", "strategy", "objectives", "budget", "resources", "train")
"""Words of a recipe that are mappings once it is resolved, whatever version resolved it."""
_LARGE = re.compile(r"[eE]\+?\d{3}|\d{300}")
"""In texts without it no number is beyond all floats."""
_DECODER = json.JSONDecoder(parse_constant=lambda name: _refuse(f"JSON holds {name}"))


def parsed(texts: Iterable[str]) -> list[Any]:
    """JSON texts, parsed all at once: ten thousand calls of the parser cost more than its work.

    Raises:
        ValueError: one is no JSON, nested too deep, or holds NaN.
    """
    texts = list(texts)
    for text in texts:
        if type(text) is not str:
            raise ValueError(f"{text!r:.60} is no text")
        # Most are too short to be deep.
        if len(text) > DEEPEST and text.count("[") + text.count("{") > DEEPEST:
            _check_depth(text)
    try:
        together = f"[{','.join(texts)}]"
        values: list[Any] = _DECODER.decode(together)
    except RecursionError as error:
        raise ValueError("JSON is nested too deep") from error
    if _LARGE.search(together) and not all(map(_is_finite, _numbers(values))):
        raise ValueError("JSON holds a number that is too large")
    if len(values) != len(texts):
        raise ValueError(f"not one value each: {','.join(texts):.100}")
    return values


def parsed_once(texts: Sequence[str]) -> list[Any]:
    """As `parsed`, and equal texts are one value: for what nobody changes.

    Raises:
        ValueError: one is no JSON, nested too deep, or holds NaN.
    """
    different = set(texts) if set(map(type, texts)) <= _TEXT else texts
    return list(map(dict(zip(different, parsed(different), strict=True)).__getitem__, texts))


def check_trials(columns: Mapping[str, Sequence[Any]]) -> None:
    """Checks rows of the table of trials, JSON parsed, by column.

    Raises:
        ValueError: a value is of another type, out of its range, or none of the names there are.
    """
    _check_types("trials", columns, _TYPES)
    for name, known in _NAMES.items():
        for value in set(columns[name]) - known:
            _refuse_in("trials", name, value)
    for name, (low, high) in _RANGES.items():
        for value in columns[name]:
            if value is not None and not low <= value <= high:
                _refuse_in("trials", name, value)
    for name in ("values", "violations"):
        _check_results("trials", name, columns[name])
    for folder in set(columns["folder"]):
        if folder.startswith("/") or ".." in folder.split("/") or "\0" in folder:
            raise ValueError(f"trials.folder holds {folder!r:.60}, which leads out of the run")
    # Whatever a trial names came before it: to follow these ends.
    for name in ("source", "continues"):
        for number, earlier in zip(columns["number"], columns[name], strict=True):
            if earlier is not None and not 0 <= earlier < number:
                _refuse_in("trials", name, earlier)
    for fidelity in filter(None, columns["fidelity"]):
        if not _is_fidelity(fidelity):
            _refuse_in("trials", "fidelity", fidelity)
    for kind, point in zip(columns["kind"], columns["point"], strict=True):
        if kind == "train" and point is None:
            _refuse_in("trials", "point", point)
    for derived in filter(None, columns["derived"]):
        if not all(type(architecture) is dict for architecture in derived):
            _refuse_in("trials", "derived", derived)


def check_reports(columns: Mapping[str, Sequence[Any]]) -> None:
    """Checks rows of the table of reports, JSON parsed, by column; not all columns need be there.

    Raises:
        ValueError: a value is of another type, or no number.
    """
    _check_types("metrics", columns, _REPORTED)
    _check_results("metrics", "values", columns["values"])
    for moment in columns.get("time", ()):
        if not 0 <= moment <= LAST_S:
            _refuse_in("metrics", "time", moment)


def check_recipe(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a resolved recipe whose words have the shapes that readers rely on.

    Raises:
        ValueError: one has another.
    """
    for word in _WORDS:
        if not isinstance(recipe.get(word, {}), Mapping):
            _refuse_in("recipe", word, recipe[word])
    for word in ("task", "space", "strategy"):
        if not isinstance(recipe.get(word, {}).get("name", ""), str):
            _refuse_in("recipe", f"{word}.name", recipe[word]["name"])
    if not isinstance(recipe.get("name", ""), str):
        _refuse_in("recipe", "name", recipe["name"])
    if not isinstance(recipe.get("train", {}).get("final", {}), Mapping):
        _refuse_in("recipe", "train.final", recipe["train"]["final"])
    return recipe


def _check_types(
    table: str, columns: Mapping[str, Sequence[Any]], types: Mapping[str, set[type]]
) -> None:
    for name, values in columns.items():
        allowed = types[name]
        for value in values if not set(map(type, values)) <= allowed else ():
            if type(value) not in allowed:
                _refuse_in(table, name, value)


def _check_results(table: str, name: str, column: Sequence[Mapping[str, Any]]) -> None:
    for result in filter(None, column):
        if not set(map(type, result.values())) <= _RESULT:
            _refuse_in(table, name, result)


def _numbers(value: Any) -> Iterator[float]:
    """Every number in plain JSON."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)
    elif isinstance(value, int | float):
        yield value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond all floats.
        return False


def _is_fidelity(fidelity: Mapping[str, Any]) -> bool:
    epochs = (fidelity.get(name) for name in ("epochs", "of_epochs"))
    if not all(value is None or (type(value) is int and value >= 0) for value in epochs):
        return False
    share = fidelity.get("data", 1)
    return type(share) in _NUMBER and 0 < share <= 1


def is_trainable(point: Mapping[str, Any]) -> bool:
    """Says whether a point has the shape of what is trained: an architecture, or an ensemble.

    Those of a study, and of a sweep of whole runs, may have any.
    """
    if not all(type(point.get(word, {})) is dict for word in ("train", "space", "task")):
        return False
    architecture = point.get("architecture")
    if type(architecture) is not dict:
        return False
    if architecture.keys() != {ENSEMBLE}:
        return True
    members = architecture[ENSEMBLE]
    return type(members) is list and bool(members) and all(map(_is_member, members))


def _is_member(member: Any) -> bool:
    if type(member) is not dict or type(member.get("trial")) not in (int, NoneType):
        return False
    point, sharpness = member.get("point"), member.get("sharpness")
    if not isinstance(sharpness, int | float) or not _is_finite(sharpness):
        return False
    if type(point) is not dict or not is_trainable(point):
        return False
    return bool(point["architecture"].keys() != {ENSEMBLE})


_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


def _check_depth(text: str) -> None:
    depth = 0
    for mark in _marks(text):
        depth += 1 if mark in "[{" else -1
        if depth > DEEPEST:
            raise ValueError("JSON is nested too deep")


def _marks(text: str) -> Iterator[str]:
    """The brackets of a JSON text, without those in strings."""
    return (found[0] for found in _MARKS.finditer(text) if found[0][0] != '"')


def _refuse_in(table: str, column: str, value: Any) -> None:
    raise ValueError(f"{table}.{column} holds {_shown(value)}")


def _refuse(what: str) -> None:
    raise ValueError(what)


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except ValueError:  # An integer of too many digits to be written.
        return f"a very large {type(value).__name__}"
