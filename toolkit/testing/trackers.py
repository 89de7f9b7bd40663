"""What every tracker must do, on the events of a run that is stopped and goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.contracts import Tracker
from toolkit.testing.promises import Promise, keep, promise

MakeTracker: TypeAlias = Callable[[], Tracker]
_TRIAL = {"number": 1, "phase": "search", "label": "", "kind": "train", "fingerprint": "abcd"}
_LONG_S = 120.0


def check_tracker(make: MakeTracker, folder: Path) -> None:
    """Checks that a tracker does what its contract promises.

    Args:
        make: makes one, as an engine that starts does.
        folder: an empty one, that stands for a run folder.

    Raises:
        AssertionError: a promise is broken; the text says which one.
    """
    keep(tracker_promises(make, folder))


def tracker_promises(make: MakeTracker, folder: Path) -> Iterator[Promise]:
    """Yields what a tracker promises; see `check_tracker`."""
    yield promise(making_one_writes_nothing, make, folder)
    yield promise(one_that_heard_nothing_closes, make)
    yield promise(every_event_is_heard_in_another_thread, make, folder)
    yield promise(a_resumed_run_is_heard, make, folder)


def making_one_writes_nothing(make: MakeTracker, folder: Path) -> None:
    """An engine makes trackers before it knows whether it can start."""
    make()
    assert not any(folder.iterdir()), "making a tracker wrote into the run folder"


def one_that_heard_nothing_closes(make: MakeTracker) -> None:
    """A run that cannot start closes its trackers all the same."""
    _elsewhere(make().close)


def every_event_is_heard_in_another_thread(make: MakeTracker, folder: Path) -> None:
    """Events of later releases, values that are not finite, and ends of every kind among them."""
    _elsewhere(lambda: _hear(make(), folder, resumed=False))
    strange = {path.name for path in folder.iterdir()} - {"track"}
    assert not strange, f"a tracker keeps what it needs below track/, and this one wrote {strange}"


def a_resumed_run_is_heard(make: MakeTracker, folder: Path) -> None:
    """A new tracker hears the rest of what an earlier one began to hear."""
    _elsewhere(lambda: _hear(make(), folder, resumed=False))
    _elsewhere(lambda: _hear(make(), folder, resumed=True))


def _hear(tracker: Tracker, folder: Path, *, resumed: bool) -> None:
    try:
        for name, facts in _events(folder, resumed):
            tracker.event(name, facts)
    finally:
        tracker.close()


def _events(folder: Path, resumed: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield (
        "run_started",
        {
            "name": "checked",
            "folder": str(folder),
            "resumed": resumed,
            "trials": 2,
            "time_s": None,
            "slots": 1,
            "device": "cpu",
            "objectives": {"accuracy": "maximize"},
        },
    )
    yield "noted", {"message": "an executor's word"}
    for state in ("done", "pruned", "failed"):
        point = {"architecture": {"width": 3, "cells": [1, {"op": None}]}, "train": {"lr": 0.1}}
        started = {"attempt": 1 + resumed, "seed": 7, "point": point, "fidelity": {"epochs": 2}}
        yield "trial_started", {**_TRIAL, **started}
        for step in (1, 2):
            values = {"accuracy": 0.5, "loss": None}
            yield "trial_reported", {**_TRIAL, "step": step, "values": values}
        values = {} if state == "failed" else {"accuracy": 0.5, "loss": None}
        ended = {"state": state, "values": values, "parameters": None, "duration_s": 1.5}
        yield "trial_ended", {**_TRIAL, **ended, "source": None, "error": "café 😀\nsecond line"}
    yield "warning", {"message": "of no trial"}
    yield "an_event_of_a_later_release", {"anything": [1, None, {"a": True}]}
    yield "run_ended", {"exit_code": 0, "folder": str(folder)}


def _elsewhere(act: Callable[[], None]) -> None:
    """Does something in a thread of its own, as the engine has trackers called."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LONG_S)
    assert not thread.is_alive(), f"it takes longer than {_LONG_S:g} s"
    if raised:
        raise AssertionError(f"a tracker raised {raised[0]!r}") from raised[0]
