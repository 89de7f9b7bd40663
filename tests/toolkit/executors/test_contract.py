"""An executor as a stranger writes it, with public names alone, keeps what executors promise.

The toolkit's own pass the suite of executors (`tests/test_plugin_contracts.py`).
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest

from light_workers import without_torch
from tiny import PLUGIN
from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Reported,
    Slot,
    Started,
    StopReason,
    TrainJob,
    TrialSpec,
)
from toolkit.contracts.coding import EVENT
from toolkit.executors.channel import Channel
from toolkit.executors.messages import Run, Setup, Stop
from toolkit.executors.processes import kill_session, outcome_of_death, slot_environment
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

RECIPE = """
version: 1
name: contract
task: tiny_task
space: {name: tiny_space, epochs: 3, pause_s: {choice: [0.0, 0.3]}}
strategy: draw
"""


class Stranger(Executor):
    """One worker process, spoken with over a socket."""

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        self._worker: tuple[subprocess.Popen[bytes], Channel] | None = None
        self._key: str | None = None
        self._stopped: StopReason | None = None

    def slots(self) -> Sequence[Slot]:
        return [Slot(0)]

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        if self._worker is None:
            near, far = socket.socketpair()
            number = str(far.fileno())
            process = subprocess.Popen(
                [sys.executable, "-m", "toolkit.worker.main", number, number, str(os.getpid())],
                pass_fds=[far.fileno()],
                env=slot_environment(slot),
                start_new_session=True,
            )
            far.close()
            self._worker = process, Channel.over(near)
            self._worker[1].send(Setup.of(self.context, slot))
        self._worker[1].send(Run(spec))
        self._key, self._stopped = spec.key, None

    def events(self, timeout_s: float) -> Iterator[Event]:
        if self._worker is None:
            return
        _, channel = self._worker
        select.select([channel], [], [], timeout_s)
        for event in channel.receive(EVENT, wait=False):
            if isinstance(event, Ended):
                self._key = None
            yield event
        if not channel.open:
            self.close()
            if self._key is not None:
                yield Ended(self._key, outcome_of_death("It died.", stopped=self._stopped))

    def stop(self, key: str, reason: StopReason) -> None:
        if self._worker is not None and key == self._key:
            process, channel = self._worker
            if reason in ("pruned", "drain"):
                channel.send(Stop(key, reason))
            else:
                self._stopped = reason
                kill_session(process.pid)

    def close(self) -> None:
        if self._worker is not None:
            process, channel = self._worker
            self._worker = None
            kill_session(process.pid)
            process.wait()
            channel.close()


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch)


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    home = tmp_path_factory.mktemp("stranger")
    (home / "recipe.yaml").write_text(RECIPE)
    recipe = load_recipe(home / "recipe.yaml", [], Registry([PLUGIN])).resolved()
    made = Stranger(ExecutorContext(recipe, (str(PLUGIN),), home, 1, 0, 1))
    yield made
    made.close()
    made.close()


def start(executor: Executor, key: str, pause_s: float = 0.0) -> str:
    point = {"architecture": {"width": 3, "depth": 1}, "space": {"pause_s": pause_s}}
    folder = executor.context.folder / key
    folder.mkdir()
    (slot,) = executor.slots()
    executor.start(TrialSpec(key, TrainJob(point), 0, str(folder)), slot)
    return key


def tell(executor: Executor, reason: StopReason | None = None, at: int = 2) -> list[Event]:
    """All events of the job at hand, which is stopped at a report if there is a reason."""
    told: list[Event] = []
    deadline = time.monotonic() + 120
    while not any(isinstance(event, Ended) for event in told):
        assert time.monotonic() < deadline, told
        for event in executor.events(0.25):
            told.append(event)
            if isinstance(event, Reported) and event.step == at and reason is not None:
                executor.stop(event.key, reason)
    return told


def test_a_job_begins_reports_and_ends_once(executor: Executor) -> None:
    key = start(executor, "whole")
    first, *reports, last = tell(executor)
    assert first == Started(key)
    assert [event.step for event in reports if isinstance(event, Reported)] == [1, 2, 3]
    assert isinstance(last, Ended) and last.key == key
    assert (last.outcome.state, last.outcome.values["accuracy"]) == ("done", 0.03)
    executor.stop(key, "timeout")
    executor.stop("never heard of", "drain")
    assert list(executor.events(0.1)) == []


@pytest.mark.parametrize(
    ("reason", "state"),
    [("pruned", "pruned"), ("drain", "queued"), ("timeout", "timeout")],
)
def test_a_job_stops_as_it_is_asked_and_frees_its_slot(
    executor: Executor, reason: StopReason, state: str
) -> None:
    start(executor, reason, pause_s=0.3)
    told = tell(executor, reason, at=1)
    assert len([event for event in told if isinstance(event, Reported)]) <= 2
    last = told[-1]
    assert isinstance(last, Ended) and last.outcome.state == state
    start(executor, f"after {reason}")
    last = tell(executor)[-1]
    assert isinstance(last, Ended) and last.outcome.state == "done"
