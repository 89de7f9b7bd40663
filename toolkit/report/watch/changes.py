"""What has changed in a run since one who watches it was told the last time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from toolkit.report.formats import last_line
from toolkit.run.facts import FRONT, OBJECTIVES, OUTCOME, TIMES
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.run.searched import decided, searched
from toolkit.run.state import state_of

MOST_CURVES = 30
"""Trials whose curves are read at once."""
FIRST_PART, PART = 300, 2500
"""Trials that are told at first, so that a page shows something at once, and in each part after."""


class Changes:
    """The changes of one run, for one who watches it.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "ledger.sqlite"
        self._last, self._open = 0, set[int]()
        self._older: int | None = None
        """Trials up to this number are still to be told; None before the first telling."""
        self._seen: tuple[Any, ...] = ()

    def next(self) -> dict[str, Any] | None:
        """Returns what is new; None where nothing has happened.

        At first that is all there is, in parts, the last trials first: `more` says that another
        part follows.

        Raises:
            LedgerError: there is no ledger, or it is damaged.
        """
        state = state_of(self._folder)
        seen = (state, *stamp(self._path), *stamp(self._path.with_name("ledger.sqlite-wal")))
        if seen == self._seen and not self._older:
            return None
        with closing(Ledger.open(self._path, read_only=True)) as ledger:
            records = self._part(ledger)
            front, objectives = ledger.get(FRONT), ledger.get(OBJECTIVES)
            outcome = ledger.get(OUTCOME)
            used = sum(ledger.get(fact) for fact in TIMES.values())
        self._seen = seen
        self._note(records)
        return {
            "state": state,
            "objectives": objectives,
            "front": list(front.trials) if front is not None else [],
            "handed_over": "" if outcome is None else outcome.handed_over,
            "used_s": used,
            "rows": [row(record) for record in records],
            "more": bool(self._older),
        }

    def _part(self, ledger: Ledger) -> list[TrialRecord]:
        if self._older is None:
            self._older = max(ledger.last_number() - FIRST_PART, 0)
            return ledger.trials_after(self._older)
        if self._older:
            before, self._older = self._older, max(self._older - PART, 0)
            return ledger.trials_after(self._older, before)
        return ledger.trials_after(self._last, others=self._open)

    def _note(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self._last = max(self._last, record.number)
            settled = record.state.ended and (record.told is not None or record.phase == "final")
            (self._open.discard if settled else self._open.add)(record.number)


def row(record: TrialRecord) -> dict[str, Any]:
    """Returns a trial as the page has it."""
    return {
        "number": record.number,
        "state": str(record.state),
        "label": record.label or ("" if record.kind == "train" else record.kind),
        "final": record.phase == "final",
        "best": record.eligible,
        "fingerprint": record.fingerprint[:8],
        "values": dict(record.values),
        "chosen": _plain(searched(record)),
        "decided": decided(record),
        "parameters": record.parameters,
        "duration_s": round(record.duration_s, 3),
        "source": record.source,
        "error": last_line(record.error)[:300],
    }


def curves(folder: Path, numbers: Iterable[int]) -> dict[str, list[tuple[int, Mapping[str, Any]]]]:
    """Returns what some trials reported: by number, steps and values."""
    wanted = sorted(set(numbers))[:MOST_CURVES]
    with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
        reported = ledger.metrics_of(wanted)
    return {str(n): [(one.step, one.values) for one in own] for n, own in reported.items()}


def _plain(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Single values as they are, anything else as text."""
    single = (str, int, float, bool, type(None))
    return {n: value if isinstance(value, single) else str(value) for n, value in chosen.items()}


def stamp(path: Path) -> tuple[int, int]:
    """Returns a file's time and size, which tell whether it has changed; zeros for none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
