"""The report is there while a run is at work, and after it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from toolkit.engine import reporting
from toolkit.engine.reporting import EVERY_S, Reporter
from toolkit.errors import ToolkitError


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders of which the report was to be written."""
    folders: list[Path] = []
    monkeypatch.setattr(reporting, "write", lambda folder: folders.append(folder) or folder)
    return folders


def test_a_report_is_written_at_most_every_ten_seconds(written: list[Path]) -> None:
    time = [0.0]
    reporter = Reporter(Path("run"), lambda: time[0])
    for _ in range(100):
        time[0] += 1.0
        reporter.event("trial_reported", {})
    assert len(written) == 100 // EVERY_S


def test_a_slow_report_is_written_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    time, count = [0.0], [0]

    def write(folder: Path) -> Path:
        time[0] += 5.0
        count[0] += 1
        return folder

    monkeypatch.setattr(reporting, "write", write)
    reporter = Reporter(Path("run"), lambda: time[0])
    while time[0] < 1000:
        time[0] += 1.0
        reporter.event("trial_ended", {})
    assert 5.0 * count[0] <= 0.06 * time[0]
    assert count[0] > 5


def test_the_end_is_left_to_who_writes_it(written: list[Path]) -> None:
    reporter = Reporter(Path("run"))
    for name in ("tested", "exported", "reported", "run_ended"):
        reporter.event(name, {})
    assert written == []
    fold = Reporter(Path("fold"))
    for name in ("tested", "run_ended"):
        fold.event(name, {"exit_code": 0})
    assert written == []
    stopped = Reporter(Path("stopped"))
    stopped.event("run_ended", {"exit_code": 130})
    assert written == [Path("stopped")]


def test_a_run_that_gives_up_leaves_a_report(inline: Any) -> None:
    code, _ = inline("budget.trials=2", "space={name: tiny_space, fault: raise}")
    assert code == 3
    page = (inline.folder / "report.html").read_text()
    assert "broken on purpose" in page


def test_a_run_that_goes_well_writes_its_report_once_at_its_end(
    inline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "EVERY_S", 1e9)
    with patch("toolkit.report.write_report", side_effect=_count) as write:
        code, said = inline("budget.trials=1", "space.trained=true")
    assert code == 0, said
    assert write.call_count == 1
    assert inline.events()[-2]["event"] == "reported"


def _count(folder: Path, output: Path | None = None) -> Path:
    return folder / "report.html"


def test_a_report_that_cannot_be_written_is_told_and_costs_nothing(inline: Any) -> None:
    with patch("toolkit.report.write_report", side_effect=ToolkitError("no room")):
        assert inline("budget.trials=1", "space.trained=true")[0] == 0
    messages = [event.get("message", "") for event in inline.events()]
    assert any("no room" in message for message in messages)
