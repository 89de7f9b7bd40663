"""A full disk pauses a run, which says so and goes on by itself; nothing is lost by it."""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.base import room as disk
from toolkit.base.clock import ManualClock
from toolkit.base.files import write_atomically
from toolkit.contracts import Outcome, TrialSpec, TrialState
from toolkit.engine import room as engine_room
from toolkit.engine.budget import SearchBudget
from toolkit.engine.failures import job_failure
from toolkit.engine.room import Room
from toolkit.errors import ExitCode, LedgerError
from toolkit.executors.inline import Step
from toolkit.recipe.schema import Budget
from toolkit.run.events import EventLog
from toolkit.run.facts import SEARCH_S
from toolkit.run.ledger import Ledger

pytestmark = pytest.mark.faults
FULL = OSError(errno.ENOSPC, "No space left on device")


class Disk:
    """A disk of 10 GB whose free bytes are those of a list, one look after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: list[int]) -> None:
        self.free = free
        monkeypatch.setattr(engine_room, "whole_bytes", lambda folder: 10**10)
        monkeypatch.setattr(
            engine_room,
            "free_bytes",
            lambda folder: self.free.pop(0) if len(self.free) > 1 else self.free[0],
        )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 16 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    path = place / "others"
    for size in (1 << 20, 512):
        try:
            with path.open("ab", buffering=0) as stream:
                while True:
                    stream.write(b"x" * size)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


def test_it_waits_until_there_is_room_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, [5, 5, 5, 10**9])
    clock, said = ManualClock(), []
    room = Room(tmp_path, 10**6, clock)
    room.tell = said.append
    room.wait()
    assert room.take_pause() == clock.monotonic() == 3 * engine_room.LOOK_S
    first, second = said
    assert "resources.disk_reserve keeps 1 MB free" in first
    assert second == "The disk has room again: the run goes on."


def test_a_pause_ends_where_the_run_is_asked_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, [5])

    def stop() -> None:
        raise KeyboardInterrupt

    room = Room(tmp_path, 10**6, ManualClock())
    room.tell, room.stop = lambda text: None, stop
    with pytest.raises(KeyboardInterrupt):
        room.wait()


def test_what_is_written_is_tried_again_and_other_faults_are_raised(tmp_path: Path) -> None:
    faults: list[Exception] = [FULL, FULL, ValueError("junk")]

    def write() -> None:
        raise faults.pop(0)

    room = Room(tmp_path, 0, ManualClock())
    room.tell = lambda text: None
    with pytest.raises(ValueError, match="junk"):
        room.writing(write)
    assert not faults


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (FULL, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("[Errno 28] No space left on device"), True),
        (ValueError("no"), False),
    ],
)
def test_errors_of_full_disks_are_known(error: Exception, full: bool) -> None:
    wrapped = RuntimeError("could not save")
    wrapped.__cause__ = error
    assert disk.tells_of_full_disk(error) is disk.tells_of_full_disk(wrapped) is full


def test_a_trial_that_finds_the_disk_full_goes_on_later(
    inline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def train(spec: TrialSpec) -> Iterator[Step]:
        if len(refused) < 2:
            refused.append(spec.key)
            watched.free = [0, 0, 10**9]
            yield Outcome(TrialState.QUEUED, error="A disk is full.")
        yield Outcome(TrialState.DONE, {"accuracy": 0.5, "loss": 0.5}, parameters=3)

    watched = Disk(monkeypatch, [10**9])
    inline.train = train
    assert inline("budget.trials=3", "resources.disk_reserve=1MB")[0] == 0
    assert [record.state for record in inline.trials()] == ["done"] * 3
    assert inline.fact(SEARCH_S) == 0, "the pause is no time of searching"


def test_a_trial_that_never_finds_enough_room_fails(inline: Any) -> None:
    def train(spec: TrialSpec) -> Iterator[Step]:
        yield Outcome(TrialState.QUEUED, error="A disk is full.")

    inline.train = train
    code, _ = inline("budget.trials=1", "resources.disk_reserve=0")
    (record,) = inline.trials()
    assert (code, record.state, record.error) == (3, "failed", "A disk is full.")


def test_a_commit_that_fails_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    ledger = Ledger.open(small_disk / "ledger.sqlite")
    ledger.put_fact(SEARCH_S, 1.0)
    ledger.commit()
    others = fill(small_disk)
    for number in range(500):
        ledger.add_metrics(number, 1, {"loss": 1.0}, {"text": "x" * 1000})
    with pytest.raises(LedgerError, match="full"):
        ledger.commit(durable=True)
    ledger.on_full = lambda error: others.unlink()
    ledger.commit(durable=True)
    assert len(ledger.reports()) == 500
    ledger.close()


def test_a_file_that_does_not_fit_is_named(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(OSError, match=r"report\.html") as told:
        write_atomically(small_disk / "report.html", "x" * 100_000)
    assert told.value.filename == str(small_disk / "report.html")
    assert [path.name for path in small_disk.iterdir()] == ["others"], "nothing is left half-done"


def test_a_command_that_finds_no_room_is_no_plugins_fault() -> None:
    outcome = Outcome(TrialState.QUEUED, error="A disk is full (no space).")
    error = job_failure("The export failed", outcome, "Give the same command again.")
    assert error.exit_code == ExitCode.ENGINE
    assert (error.message, error.hint) == (
        "The export failed: A disk is full (no space).",
        "Make room. Give the same command again.",
    )


def test_events_wait_for_room(small_disk: Path) -> None:
    said: list[str] = []
    events = EventLog(small_disk / "events.jsonl", lambda name, facts: said.append(name))
    events.emit("noted", message="before")
    others = fill(small_disk)
    for _ in range(50):
        events.emit("noted", message="x" * 1000)
    others.unlink()
    events.emit("noted", message="after")
    events.close()
    lines = (small_disk / "events.jsonl").read_text().splitlines()
    assert said.count("warning") == 1
    assert len(lines) == 53
    assert "after" in lines[-1]


def test_a_run_on_a_full_disk_pauses_and_ends_well(
    run: Any, small_disk: Path, children_of: Callable[[int], list[int]]
) -> None:
    run.folder = small_disk / "run"
    process = run.start("space.pause_s=0.1", "budget.trials=4")
    run.await_event("trial_reported")
    others = fill(small_disk)
    time.sleep(2)
    assert process.poll() is None
    others.unlink()
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert [record.state for record in run.trials()] == ["done"] * 4
    assert {record.epochs_paid for record in run.trials()} == {3.0}


def test_a_pause_from_before_the_search_makes_no_time_of_it_negative() -> None:
    budget = SearchBudget(Budget(trials=1), 1, (), 0.0, ManualClock())
    budget.leave_out(1e-5)
    assert budget.seconds == 0.0, "a ledger with less would be refused as damaged"
