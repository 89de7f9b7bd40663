"""Trials as rows of the ledger's table: written as JSON, and checked when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from types import NoneType
from typing import Any

from toolkit.base.plain import finite
from toolkit.contracts import TrialState
from toolkit.run.records import TrialRecord

COLUMNS = tuple(entry.name for entry in fields(TrialRecord))
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_EMPTY: Mapping[type, str] = {NoneType: "null", dict: "{}", list: "[]", tuple: "[]"}
_JSON = ("point", "fidelity", "token", "values", "derived", "violations")

_INTEGER, _TEXT, _OBJECT, _NOTHING = ({one} for one in (int, str, dict, NoneType))
_NUMBER = {int, float}
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
"""Types of a row's values, JSON parsed, by column."""
_NAMES: Mapping[str, set[str]] = {
    "phase": {"search", "final"},
    "kind": {"train", "supernet"},
    "state": set(TrialState),
}


def row_of(record: TrialRecord) -> list[Any]:
    """Returns a trial's values in the order of `COLUMNS`."""
    fields = vars(record)
    return [dump(fields[name]) if name in _JSON else fields[name] for name in COLUMNS]


def dump(value: Any) -> str:
    """Returns a value as JSON; what is not finite is null."""
    if not value and (empty := _EMPTY.get(type(value))):
        return empty
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(finite(value))


def records_of(rows: Sequence[tuple[Any, ...]]) -> list[TrialRecord]:
    """Returns the trials of rows in the order of `COLUMNS`.

    Raises:
        ValueError: somebody else wrote a row, and it is malformed.
    """
    if not rows:
        return []
    columns: dict[str, Sequence[Any]] = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    for name in _JSON:
        columns[name] = parsed(columns[name])
    _check_columns(columns)
    columns["state"] = [TrialState(state) for state in columns["state"]]
    columns["derived"] = [tuple(derived) for derived in columns["derived"]]
    columns["comparable"] = [bool(value) for value in columns["comparable"]]
    return [TrialRecord(*fields) for fields in zip(*columns.values(), strict=True)]


def _check_columns(columns: Mapping[str, Sequence[Any]]) -> None:
    """Checks rows that somebody else may have written.

    Raises:
        ValueError: a value is of another type, or a name is none of those there are.
    """
    for name, values in columns.items():
        allowed = _TYPES[name]
        for value in values if not set(map(type, values)) <= allowed else ():
            if type(value) not in allowed:
                raise ValueError(f"trials.{name} holds {value!r:.60}")
    for name, known in _NAMES.items():
        for value in set(columns[name]) - known:
            raise ValueError(f"trials.{name} holds {value!r:.60}")
    for name in ("values", "violations"):
        for result in filter(None, columns[name]):
            if not set(map(type, result.values())) <= {int, float, NoneType}:
                raise ValueError(f"trials.{name} holds {result!r:.60}")
    for folder in set(columns["folder"]):
        if folder.startswith("/") or ".." in folder.split("/") or "\0" in folder:
            raise ValueError(f"trials.folder holds {folder!r:.60}, which leads out of the run")


def parsed(texts: Iterable[str]) -> list[Any]:
    """JSON texts, parsed all at once: ten thousand calls of the parser cost more than its work."""
    texts = list(texts)
    values: list[Any] = json.loads(f"[{','.join(texts)}]")
    if len(values) != len(texts):
        raise json.JSONDecodeError("not one value each", ",".join(texts)[:100], 0)
    return values
