"""Trials as rows: in full, as `toolkit trials --json` has them, or flat, as tables have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.run.searched import searched
from toolkit.run.selection import take_in as take_in

if TYPE_CHECKING:
    from toolkit.run.records import TrialRecord


def row(record: TrialRecord) -> dict[str, Any]:
    """Returns a trial as plain JSON, without the engine's own notes."""
    return {
        "number": record.number,
        "phase": record.phase,
        "label": record.label,
        "kind": record.kind,
        "state": str(record.state),
        "fingerprint": record.fingerprint,
        "seed": record.seed,
        "fidelity": dict(record.fidelity),
        "values": record.values,
        "duration_s": record.duration_s,
        "parameters": record.parameters,
        "attempts": record.attempts,
        "source": record.source,
        "continues": record.continues,
        "epochs_paid": record.epochs_paid,
        "origin": record.origin,
        "folder": record.folder,
        "error": record.error,
        "violations": dict(record.violations),
        "searched": searched(record),
        "point": record.point,
    }


def flat(record: TrialRecord) -> dict[str, Any]:
    """Returns a trial with a column for each searched value and each metric.

    Searched values are called by their dotted names, as in `train.lr`.
    """
    point = record.point or {}
    return {
        "number": record.number,
        "phase": record.phase,
        "label": record.label or record.kind,
        "state": str(record.state),
        **searched(record),
        **record.values,
        "parameters": record.parameters,
        "seed": record.seed,
        "epochs": record.fidelity.get("epochs"),
        "epochs_paid": record.epochs_paid,
        "duration_s": record.duration_s,
        "source": record.source,
        "continues": record.continues,
        "fingerprint": record.fingerprint,
        "architecture": point.get("architecture"),
        "error": record.error,
    }


def table(rows: list[dict[str, Any]]) -> Any:
    """Returns rows as a pandas DataFrame where pandas is installed, else as they are.

    All rows get the columns of each, in the order in which they come up.
    """
    columns = list(dict.fromkeys(name for one in _longest_first(rows) for name in one))
    try:
        import pandas
    except ImportError:
        return [{name: one.get(name) for name in columns} for one in rows]
    return pandas.DataFrame(rows, columns=columns)


def _longest_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order in which their columns are taken up: those of a whole row stay together."""
    return sorted(rows, key=len, reverse=True)
