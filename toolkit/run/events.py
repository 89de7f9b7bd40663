"""The events of a run: written to `events.jsonl` and the log, passed on to trackers and console."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolkit.base.plain import finite
from toolkit.base.secrets import masked
from toolkit.contracts import Tracker
from toolkit.run.lines import LineFile
from toolkit.run.records import TrialRecord
from toolkit.run.tracking import CLOSE_S, TrackerThread

logger = logging.getLogger(__name__)

OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's name and its facts."""

EVENTS = (
    "run_started",
    "warm_started",
    "resumed",
    "prepare_started",
    "prepared",
    "smoke_passed",
    "trial_started",
    "trial_reported",
    "trial_ended",
    "trial_requeued",
    "stopping",
    "warning",
    "pilot_ended",
    "search_ended",
    "final_started",
    "final_ended",
    "tested",
    "exported",
    "reported",
    "noted",
    "run_ended",
    "sweep_started",
    "sweep_run_started",
    "sweep_run_ended",
    "sweep_ended",
    "evaluation_started",
    "fold_started",
    "fold_ended",
    "evaluation_ended",
)
"""Names of events, each told with facts of its own; metrics are a mapping under `values`.

Those that begin with `sweep` are what listeners to a sweep of whole runs hear in place of its own
`run_started`, `trial_started`, `trial_ended` and `run_ended`, for they hear those of its runs, too;
so do those with `evaluation` and `fold` of an evaluation on folds.
"""


_SAID = {"message", "error", "reason"}
"""Facts that are prose, of whatever plugins say."""


class EventLog:
    """Writes events and passes them on; a tracker that fails is told of and left out.

    Args:
        path: of `events.jsonl`; what is there stays.
        on_event: called after the trackers, with the event's name and facts.
        close_s: longest time that `close` waits for all trackers together, in seconds.
    """

    def __init__(
        self, path: Path, on_event: OnEvent | None = None, *, close_s: float = CLOSE_S
    ) -> None:
        self._close_s = close_s
        self._lines = LineFile(path)
        self._fault = ""
        self._trackers: list[TrackerThread] = []
        self._on_event = on_event

    def add(self, tracker: Tracker) -> None:
        """Passes events on to a tracker from now on, and closes it with the log."""
        self._trackers.append(TrackerThread(tracker))

    def emit(self, name: str, /, **facts: Any) -> None:
        """Tells of an event of `EVENTS`; its facts are plain JSON, NaN becomes null."""
        plain = finite(facts)
        for said in _SAID & plain.keys():
            plain[said] = masked(str(plain[said]))
        text = json.dumps(plain)
        begin = json.dumps({"time": round(time.time(), 3), "event": name})
        fault = self._lines.write(f"{begin[:-1]}, {text[1:]}" if plain else begin)
        if name != "trial_reported":  # the many reports are in events.jsonl and the ledger
            logger.disabled = False  # As by a library that sets its own logging up.
            logger.info("%s %s", name, text)
        for tracker in self._trackers:
            tracker.tell(name, plain)
        if self._on_event is not None:
            self._on_event(name, plain)
        for tracker in self._trackers:
            if text := tracker.fault():
                self.emit("warning", message=text)
        told, self._fault = self._fault, fault
        if fault and not told:
            self.emit("warning", message=f"{fault}. The run goes on, and tries again.")

    def trial_ended(self, record: TrialRecord) -> None:
        """Tells of a trial's end."""
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
        """Closes the file and every tracker, those that failed too; in `close_s` at the most."""
        trackers, self._trackers = self._trackers, []
        for tracker in trackers:
            tracker.end()
        until = time.monotonic() + self._close_s
        for fault in [tracker.close(until - time.monotonic()) for tracker in trackers]:
            if fault:
                self.emit("warning", message=fault)
        self._lines.close()
