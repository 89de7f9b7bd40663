"""A search tells each event in one line, or as JSON, or live on a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from toolkit.cli.console import JsonLines, LiveDisplay, PlainLines, Progress, describe, make_display

EVENTS = [
    ("run_started", {"name": "x", "trials": 4, "objectives": {"accuracy": "maximize"}}),
    ("smoke_passed", {"duration_s": 1.25}),
    ("trial_started", {"number": 1, "phase": "search", "kind": "train", "label": ""}),
    ("trial_reported", {"number": 1, "step": 2, "values": {"accuracy": 0.91234, "loss": None}}),
    (
        "trial_ended",
        {
            "number": 1,
            "phase": "search",
            "state": "done",
            "values": {"accuracy": 0.91234},
            "duration_s": 3.21,
            "error": "",
        },
    ),
    ("trial_started", {"number": 2, "phase": "search"}),
    ("trial_requeued", {"number": 2, "reason": "Its worker died."}),
    (
        "trial_ended",
        {
            "number": 2,
            "phase": "search",
            "state": "failed",
            "values": {},
            "error": "Traceback\n  line\nValueError: x",
        },
    ),
    ("search_ended", {"reason": "trials", "trials": 2}),
    ("final_started", {"trainings": 9}),
    (
        "trial_ended",
        {
            "number": 3,
            "phase": "final",
            "label": "found",
            "state": "done",
            "values": {"accuracy": 1.0},
        },
    ),
    ("something_new", {"a": {"b": [1, 2.5]}, "t_s": 3.0}),
    ("run_ended", {"exit_code": 0}),
]


def test_elsewhere_each_event_is_one_line() -> None:
    stream = io.StringIO()
    display = make_display(False, stream)
    assert isinstance(display, PlainLines)
    for name, body in EVENTS:
        display.event(name, body)
    display.close()
    told = stream.getvalue().splitlines()
    assert [line.split()[0] for line in told] == [name for name, _ in EVENTS]
    assert told[3] == "trial_reported  #1  epoch 2  accuracy 0.9123  loss None"
    assert told[4] == "trial_ended     #1  phase=search  done  accuracy 0.9123  3.2 s"
    assert told[7].endswith("failed  ValueError: x")
    assert told[11] == "something_new   a={b:[1 2.5]}  t 3.0 s"


def test_a_text_of_several_lines_is_indented_below_its_event() -> None:
    assert describe("warning", {"number": 1, "message": "first\n\n  second\n"}) == (
        "warning         #1\n    first\n\n      second"
    )


def test_json_lines_are_the_events() -> None:
    stream = io.StringIO()
    display = make_display(True, stream)
    assert isinstance(display, JsonLines)
    for name, body in EVENTS:
        display.event(name, body)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.pop("time") > 0 for line in told] == [True] * len(EVENTS)
    assert told == [{"event": name, **body} for name, body in EVENTS]


def test_a_terminal_shows_ends_and_progress() -> None:
    stream = io.StringIO()
    display = LiveDisplay(Console(file=stream, force_terminal=True, width=160))
    for name, body in EVENTS:
        display.event(name, body)
    display.close()
    told = stream.getvalue()
    assert "trial_ended" in told
    assert "trial_reported" not in told
    assert "best accuracy 0.9123 (#1)" in told


def test_progress_keeps_the_best_in_the_direction_of_the_objective() -> None:
    progress = Progress()
    progress.take("run_started", {"trials": 3, "objectives": {"loss": "minimize"}})
    for number, loss in ((1, 0.5), (2, 0.25), (3, 0.75)):
        progress.take("trial_started", {"number": number})
        assert len(progress.running_rows()) == 1
        progress.take("trial_ended", {"number": number, "state": "done", "values": {"loss": loss}})
    assert progress.best == (2, 0.25)
    assert progress.running_rows() == []
    assert "3 of 3 trials ended" in progress.summary()


def test_a_full_disk_below_the_output_does_not_end_a_search() -> None:
    with Path("/dev/full").open("w") as full:
        display = make_display(True, full)
        for _ in range(2):
            display.event("warning", {"message": "x"})
        full.flush()
