"""The local executor with real workers: what a job's code may do to its process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tiny import PLUGIN
from toolkit.contracts import (
    Ended,
    Event,
    ExecutorContext,
    Noted,
    Outcome,
    Reported,
    Started,
    TrainJob,
    TrialSpec,
)
from toolkit.executors.local import LocalExecutor
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

FAULTS = ["", "closed", "surrogate", "fork", "junk", "die", "exit", "memory", "cuda"]
RECIPE = f"""
version: 1
name: faults
task: tiny_task
space: {{name: tiny_space, fault: {{choice: {FAULTS}}}}}
strategy: draw
resources: {{workers: 1, threads: 1}}
"""


class Local:
    """A local executor with one slot; each job has a fault of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.jobs = home, 0
        recipe = home / "recipe.yaml"
        recipe.write_text(RECIPE)
        registry = Registry([PLUGIN])
        resolved = load_recipe(recipe, [], registry).resolved()
        self.executor = LocalExecutor(ExecutorContext(resolved, (str(PLUGIN),), home, 1, 0, 1))

    def start(self, fault: str) -> TrialSpec:
        self.jobs += 1
        point = {"architecture": {"width": 3, "depth": 1}, "space": {"fault": fault}}
        folder = self.home / f"job{self.jobs}"
        spec = TrialSpec(f"trial-{self.jobs}", TrainJob(point), 0, str(folder))
        self.executor.start(spec, self.executor.slots()[0])
        return spec

    def events(self, until: type[Event] | type = Ended) -> list[Event]:
        """All events up to the first of a kind."""
        told: list[Event] = []
        deadline = time.monotonic() + 120
        while not any(isinstance(event, until) for event in told):
            assert time.monotonic() < deadline, told
            told += self.executor.events(1.0)
        return told

    def outcome(self, fault: str) -> Outcome:
        """How a job ends, after which its worker says no more."""
        self.start(fault)
        *_, ended = self.events()
        assert isinstance(ended, Ended)
        assert list(self.executor.events(0.2)) == []
        return ended.outcome

    def workers(self) -> set[int]:
        """The processes of workers."""
        below = psutil.Process().children()
        return {process.pid for process in below if "toolkit.worker.main" in process.cmdline()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    made = Local(tmp_path_factory.mktemp("local"))
    made.executor.events(0)
    yield made
    made.executor.close()


def steps(events: Sequence[Event]) -> list[int]:
    return [event.step for event in events if isinstance(event, Reported)]


def test_a_job_is_heard_from_its_beginning_to_its_end(local: Local) -> None:
    spec = local.start("")
    first, *told = local.events()
    assert first == Started(spec.key)
    assert steps(told) == [1, 2, 3]
    ended = told[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome.state, ended.outcome.values["accuracy"]) == ("done", 0.03)


def test_closed_output_costs_neither_its_job_nor_the_next_one(local: Local) -> None:
    assert local.outcome("closed").state == "done"
    assert local.outcome("").state == "done"


@pytest.mark.parametrize(
    ("fault", "state", "says"),
    [
        ("exit", "failed", ""),
        ("memory", "oom", "The host's memory "),
        ("cuda", "oom", "The GPU's memory "),
    ],
)
def test_a_job_that_exits_or_needs_too_much_leaves_its_worker(
    local: Local, fault: str, state: str, says: str
) -> None:
    assert local.outcome("").state == "done"
    workers = local.workers()
    assert workers
    outcome = local.outcome(fault)
    assert outcome.state == state and outcome.error.startswith(says)
    assert local.outcome("").state == "done"
    assert local.workers() == workers


@pytest.mark.faults
def test_an_error_that_is_no_utf8_reaches_the_engine_as_text(local: Local) -> None:
    outcome = local.outcome("surrogate")
    assert outcome.state == "failed"
    assert outcome.error.endswith("RuntimeError: cannot read caf\\udce9.npy")
    outcome.error.encode()
    errors = (local.home / f"job{local.jobs}" / "stderr.log").read_text()
    assert "RuntimeError: cannot read" in errors


@pytest.mark.faults
def test_a_child_that_comes_back_from_a_jobs_code_says_nothing(local: Local) -> None:
    local.start("fork")
    told = local.events()
    assert steps(told) == [1, 2, 3]
    assert [event for event in told if isinstance(event, Noted)] == []
    assert local.outcome("").state == "done"


@pytest.mark.faults
def test_a_worker_that_writes_junk_is_ended_and_its_job_fails(local: Local) -> None:
    outcome = local.outcome("junk")
    assert outcome.state == "failed"
    assert outcome.error.startswith("Its worker wrote what is no event, and was ended:")
    assert "'not json at all'" in outcome.error


def test_a_killed_worker_loses_its_job_and_another_takes_the_next(local: Local) -> None:
    outcome = local.outcome("die")
    assert outcome.state == "lost"
    assert "SIGKILL" in outcome.error
    assert local.outcome("").state == "done"


def test_a_stop_that_comes_after_a_jobs_end_costs_the_next_job_nothing(local: Local) -> None:
    assert local.outcome("").state == "done"  # A worker is there.
    key = local.start("").key
    time.sleep(1.0)  # The job has ended by now, and nobody has heard of it.
    local.executor.stop(key, "timeout")
    *_, ended = local.events()
    assert isinstance(ended, Ended)
    assert local.outcome("").state == "done", "the worker was asked to end for another's time"


def test_descriptors_of_others_are_watched_beside_the_workers(local: Local) -> None:
    near, far = os.pipe()
    local.executor.watch(near, lambda: local.executor.ready(Noted(os.read(near, 9).decode())))
    os.write(far, b"hello")
    assert list(local.executor.events(5)) == [Noted("hello")]
    local.executor.unwatch(near)
    os.write(far, b"again")
    assert list(local.executor.events(0)) == []
    os.close(near)
    os.close(far)
