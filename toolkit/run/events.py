"""What happens in a run, told to all who listen: `events.jsonl`, the log, trackers, the console."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.contracts import Tracker
from toolkit.plain import finite
from toolkit.run.records import TrialRecord

logger = logging.getLogger(__name__)

OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's name and its facts."""

EVENTS = (
    "run_started",
    "warm_started",
    "resumed",
    "smoke_passed",
    "trial_started",
    "trial_reported",
    "trial_ended",
    "trial_requeued",
    "warning",
    "search_ended",
    "final_started",
    "final_ended",
    "tested",
    "exported",
    "noted",
    "run_ended",
    "sweep_started",
    "sweep_run_started",
    "sweep_run_ended",
    "sweep_ended",
)


class Journal:
    """Writes events and passes them on; a tracker that fails is logged and left out."""

    def __init__(
        self, path: Path, trackers: Sequence[Tracker] = (), on_event: OnEvent | None = None
    ) -> None:
        cut_short = _is_cut_short(path)
        self._stream = path.open("a", encoding="utf-8", buffering=1)
        if cut_short:
            self._stream.write("\n")
        self._trackers = list(trackers)
        self._on_event = on_event

    def emit(self, name: str, /, **body: Any) -> None:
        """Tell of an event of `EVENTS`; its facts are plain JSON, NaN becomes null."""
        facts = finite(body)
        line = {"time": round(time.time(), 3), "event": name, **facts}
        self._stream.write(json.dumps(line) + "\n")
        if name != "trial_reported":  # the many reports are in events.jsonl and the ledger
            logger.info("%s %s", name, json.dumps(facts))
        for tracker in list(self._trackers):
            try:
                tracker.event(name, facts)
            except Exception:
                logger.exception("The tracker %s failed and is left out.", type(tracker).__name__)
                self._trackers.remove(tracker)
        if self._on_event is not None:
            self._on_event(name, facts)

    def trial_ended(self, record: TrialRecord) -> None:
        """Tell of a trial's end."""
        self.emit(
            "trial_ended",
            number=record.number,
            phase=record.phase,
            label=record.label,
            kind=record.kind,
            state=record.state,
            values=record.values,
            fingerprint=record.fingerprint,
            parameters=record.parameters,
            duration_s=record.duration_s,
            source=record.source,
            error=record.error,
        )

    def close(self) -> None:
        """Close the file and the trackers."""
        for tracker in self._trackers:
            try:
                tracker.close()
            except Exception:
                logger.exception("The tracker %s failed to close.", type(tracker).__name__)
        self._stream.close()


def _is_cut_short(path: Path) -> bool:
    """Whether the last line has no end, because its engine was killed or the disk was full."""
    if not path.exists():
        return False
    with path.open("rb") as stream:
        if not stream.seek(0, os.SEEK_END):
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"
