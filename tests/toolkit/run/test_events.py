"""Events: one flat JSON object a line, and trackers that cannot stop a run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.contracts import Tracker
from toolkit.run.events import EventLog


class Broken(Tracker):
    heard = closed = 0

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        self.heard += 1
        raise ValueError

    def close(self) -> None:
        self.closed += 1
        raise ValueError


def test_events_are_lines_of_json_and_a_broken_tracker_is_left_out(tmp_path: Path) -> None:
    seen: list[tuple[str, Mapping[str, Any]]] = []
    events = EventLog(tmp_path / "events.jsonl", lambda *event: seen.append(event))
    broken = Broken()
    events.add(broken)
    events.emit("warning", name="x", values={"loss": math.nan, "accuracy": 0.5})
    events.emit("run_ended", exit_code=0)
    events.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    told = [line for line in lines if "failed and is left out" not in line.get("message", "")]
    assert [line["event"] for line in told] == ["warning", "run_ended"]
    assert len(lines) == 3, "a warning says that the tracker is left out"
    assert told[0]["values"] == {"loss": None, "accuracy": 0.5}
    assert ("run_ended", {"exit_code": 0}) in seen
    assert (broken.heard, broken.closed) == (1, 1)


def test_a_line_cut_short_spoils_no_later_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "run_started"}\n{"event": "tri')
    for code in (0, 1):
        events = EventLog(path)
        events.emit("run_ended", exit_code=code)
        events.close()
    first, cut, *rest = path.read_text().splitlines()
    assert (first, cut) == ('{"event": "run_started"}', '{"event": "tri')
    assert [json.loads(line)["exit_code"] for line in rest] == [0, 1]
