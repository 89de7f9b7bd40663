"""A search tells each event in one line, or as JSON, or live on a terminal, or hardly anything."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from toolkit.base.lines import describe
from toolkit.cli.console import JsonLines, Manner, PlainLines, make_display
from toolkit.cli.live import LiveDisplay, spark
from toolkit.errors import RecipeError

POINT = {"architecture": {"cells": [{"op": "conv"}]}, "train": {"lr": 0.012345, "schedule": None}}
EVENTS = [
    ("run_started", {"name": "x", "trials": 4, "objectives": {"accuracy": "maximize"}}),
    ("smoke_passed", {"duration_s": 1.25}),
    (
        "trial_started",
        {"number": 1, "phase": "search", "kind": "train", "label": "", "point": POINT, "epochs": 9},
    ),
    (
        "trial_reported",
        {"number": 1, "step": 2, "epochs": 9, "values": {"accuracy": 0.91234, "loss": None}},
    ),
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
    ("trial_started", {"number": 2, "phase": "search", "slot": 1, "device": "cuda"}),
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
    (
        "tested",
        {
            "test": {
                "accuracy": {"mean": 0.95, "std": 0.01, "seeds": [0.94, 0.96]},
                "macro_f1": {"mean": 0.93, "std": 0.02, "seeds": [0.91, 0.95]},
            },
            "baselines": {"plain": {"accuracy": {"mean": 0.9, "std": 0.02}, "parameters": 12}},
            "handed_over": "plain",
        },
    ),
    ("something_new", {"a": {"b": [1, 2.5]}, "t_s": 3.0}),
    ("run_ended", {"exit_code": 0}),
]


def told_in_lines(*, verbose: bool) -> list[str]:
    stream = io.StringIO()
    display = make_display(Manner(verbose=verbose), stream)
    assert isinstance(display, PlainLines)
    for name, body in EVENTS:
        display.event(name, body)
    display.close()
    return stream.getvalue().splitlines()


def test_elsewhere_each_event_is_one_line_and_epochs_are_told_to_those_who_ask() -> None:
    told = told_in_lines(verbose=True)
    names = [name if name != "smoke_passed" else "one" for name, _ in EVENTS]
    assert [line.split()[0] for line in told] == names
    assert told[1] == "one batch works 1.2 s"
    assert told[2] == "trial_started   #1  epochs=9  train.lr=0.01235  train.schedule=None"
    assert told[3] == "trial_reported  #1  epoch 2 of 9  accuracy 0.9123"
    assert told[4] == "trial_ended     #1  done  accuracy 0.9123  3.2 s"
    assert told[7].endswith("failed  ValueError: x")
    assert told[11] == (
        "tested          plain={accuracy:0.900±0.020}"
        "  found={accuracy:0.950±0.010 macro_f1:0.930±0.020}  handed_over=plain"
    )
    assert told[12] == "something_new   a.b=1,2.5  t 3.0 s"
    assert not any(mark in line for line in told for mark in "[]'\"")
    assert not any(mark in line for line in told if line != told[11] for mark in "{}")
    assert told_in_lines(verbose=False) == [x for x in told if not x.startswith("trial_reported")]


def test_a_text_of_several_lines_is_indented_below_its_event() -> None:
    assert describe("warning", {"number": 1, "message": "first\n\n  second\n"}) == (
        "warning         #1\n    first\n\n      second"
    )


def test_json_lines_are_the_events_with_a_version() -> None:
    stream = io.StringIO()
    display = make_display(Manner(as_json=True), stream)
    assert isinstance(display, JsonLines)
    for name, body in EVENTS:
        display.event(name, body)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.pop("time") > 0 for line in told] == [True] * len(EVENTS)
    assert told == [{"version": 1, "event": name, **body} for name, body in EVENTS]


def test_quiet_leaves_warnings() -> None:
    stream = io.StringIO()
    display = make_display(Manner(quiet=True), stream)
    for name, body in (*EVENTS, ("warning", {"message": "look here"})):
        display.event(name, body)
    assert stream.getvalue() == "warning         look here\n"


@pytest.mark.parametrize("other", ["as_json", "verbose"])
def test_quiet_and_its_contraries_are_refused_together(other: str) -> None:
    with pytest.raises(RecipeError, match="contradict"):
        make_display(Manner(quiet=True, **{other: True}), io.StringIO())


def shown(width: int, events: list[tuple[str, dict]], height: int = 30) -> str:  # type: ignore[type-arg]
    """What a terminal of a width shows after some events, in colour."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height)
    display = LiveDisplay(console)
    for name, body in events:
        display.event(name, body)
    stream.truncate(0)
    display._live.refresh()
    display.close()
    return stream.getvalue()


def test_a_terminal_shows_where_each_trial_is_and_what_was_reached() -> None:
    running = [*EVENTS[:4], ("trial_reported", {**EVENTS[3][1], "step": 3})]
    wide, narrow = shown(160, running), shown(60, running)
    for said in ("searching 0 of 4", "#1", "epoch 3 of 9", "accuracy 0.9123", "Ctrl-C"):
        assert said in wide and said in narrow, said
    assert "train.lr=0.01235" in wide and "train.lr" not in narrow
    assert "best accuracy 0.9123 (#1)" in shown(160, EVENTS[:5])
    on_gpu = shown(100, EVENTS[:6])
    assert "worker 2 cuda" in on_gpu
    later = shown(160, EVENTS[:11])
    assert "training 1 of 9" in later
    stopped = shown(160, [*running, ("stopping", {"how": "drain", "jobs": 1})])
    assert "finishing 1 epoch, Ctrl-C again to stop now" in stopped


def test_more_trials_than_lines_are_counted() -> None:
    many = [("trial_started", {"number": n, "phase": "search"}) for n in range(1, 31)]
    assert "and 27 more" in shown(100, [EVENTS[0], *many], height=10)


def test_a_spark_line_follows_the_last_values() -> None:
    assert spark([0.0, 0.5, 1.0], 10) == "▁▅█"
    assert spark([5.0, 0.0, 1.0], 2) == "▁█"
    assert spark([1.0, 1.0], 9) == "▁▁"
    assert spark([1.0], 9) == ""


def test_a_full_disk_below_the_output_does_not_end_a_search() -> None:
    with Path("/dev/full").open("w") as full:
        display = make_display(Manner(as_json=True), full)
        for _ in range(2):
            display.event("warning", {"message": "x"})
        full.flush()


def test_a_value_that_has_no_room_is_left_out_whole() -> None:
    values = {"accuracy": 0.91234, "balanced_accuracy": 0.81234, "loss": 0.123}
    reported = ("trial_reported", {"number": 1, "step": 2, "epochs": 9, "values": values})
    screen = shown(100, [*EVENTS[:3], reported])
    assert "accuracy 0.9123" in screen
    assert "balanced_accuracy" not in screen and "loss" not in screen
    assert "loss 0.123" in shown(200, [*EVENTS[:3], reported])


DRAWN_ON = """
import os, signal
from rich.console import Console
from toolkit.base.interruption import heed
from toolkit.cli.live import LiveDisplay
signal.signal(signal.SIGINT, signal.default_int_handler)
heed()
LiveDisplay(Console(force_terminal=True))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_an_end_at_once_gives_the_terminal_its_cursor_back() -> None:
    ended = subprocess.run([sys.executable, "-c", DRAWN_ON], capture_output=True, timeout=60)
    assert ended.returncode == 130
    assert b"\x1b[?25l" in ended.stdout
    assert ended.stderr == b"\x1b[?25h\r\nerror: Interrupted.\n"
