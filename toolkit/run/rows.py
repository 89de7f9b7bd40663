"""Trials and reports as rows of the ledger: written as JSON, and checked when they are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import NoneType
from typing import Any

from toolkit.base.plain import finite
from toolkit.contracts import TrialState
from toolkit.run.checking import check_reports, check_trials, parsed, parsed_once
from toolkit.run.records import MetricRecord, TrialRecord

COLUMNS = tuple(entry.name for entry in fields(TrialRecord))
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_EMPTY: Mapping[type, str] = {NoneType: "null", dict: "{}", list: "[]", tuple: "[]"}
_OWN, _SHARED = ("point", "token", "values", "derived"), ("fidelity", "violations")
_JSON = (*_OWN, *_SHARED)


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
    for name in _OWN:
        columns[name] = parsed(columns[name])
    for name in _SHARED:
        columns[name] = parsed_once(columns[name])
    check_trials(columns)
    # SQLite makes a text anew for each row.
    for name in ("phase", "kind"):
        columns[name] = list(map(sys.intern, columns[name]))
    columns["state"] = [TrialState(state) for state in columns["state"]]
    columns["derived"] = [tuple(derived) for derived in columns["derived"]]
    columns["comparable"] = [bool(value) for value in columns["comparable"]]
    return [TrialRecord(*fields) for fields in zip(*columns.values(), strict=True)]


def reports_of(rows: Sequence[tuple[Any, ...]]) -> list[MetricRecord]:
    """Returns what rows of step, values, records and time say.

    Raises:
        ValueError: somebody else wrote a row, and it is malformed.
    """
    if not rows:
        return []
    steps, values, records, times = zip(*rows, strict=True)
    columns = {"step": steps, "values": parsed(values), "records": parsed(records), "time": times}
    check_reports(columns)
    return [MetricRecord(*fields) for fields in zip(*columns.values(), strict=True)]


def results_of(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, dict[str, float | None]]]:
    """Returns what rows of step and values say.

    Raises:
        ValueError: somebody else wrote a row, and it is malformed.
    """
    if not rows:
        return []
    steps, texts = zip(*rows, strict=True)
    values = parsed(texts)
    check_reports({"step": steps, "values": values})
    return list(zip(steps, values, strict=True))
