"""Trackers that hang, flood or end their thread cost a run nothing but their own entries."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import Tracker
from toolkit.run import tracking
from toolkit.run.events import EventLog
from toolkit.run.tracking import TrackerThread

pytestmark = pytest.mark.faults


class Gate(Tracker):
    """Hears nothing until its gate is opened."""

    def __init__(self) -> None:
        self.gate, self.heard = threading.Event(), 0
        self.closed = threading.Event()

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        self.gate.wait()
        self.heard += 1

    def close(self) -> None:
        self.closed.set()


def test_trackers_that_hang_are_waited_for_together(tmp_path: Path) -> None:
    said: list[str] = []
    hanging = [Gate() for _ in range(5)]
    events = EventLog(
        tmp_path / "events.jsonl",
        lambda name, facts: said.append(str(facts.get("message", name))),
        close_s=0.2,
    )
    for tracker in hanging:
        events.add(tracker)
    events.emit("run_started")
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5 * 0.2, "one bound for all of them"
    assert [text for text in said if "was left behind" in text] == said[1:]
    assert len(said) == 6
    for tracker in hanging:
        tracker.gate.set()


def test_a_slow_tracker_misses_reports_and_no_end_of_a_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "REPORTS", 10)
    monkeypatch.setattr(tracking, "MOST", 20)
    slow = Gate()
    thread = TrackerThread(slow)
    for _ in range(100):
        thread.tell("trial_reported", {})
    for _ in range(5):
        thread.tell("trial_ended", {})
    assert "too slow: events are left out" in thread.fault()
    assert thread.fault() == "", "it is said once"
    for _ in range(100):
        thread.tell("trial_ended", {})
    slow.gate.set()
    thread.end()
    assert thread.close() == ""
    assert slow.closed.is_set()
    assert 15 <= slow.heard <= 22


class Leaving(Tracker):
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        raise SystemExit(3)


def test_a_tracker_that_ends_its_thread_is_left_out(tmp_path: Path) -> None:
    thread = TrackerThread(Leaving())
    thread.tell("run_started", {})
    thread.end()
    assert "failed and is left out: SystemExit: 3" in thread.close(30)
