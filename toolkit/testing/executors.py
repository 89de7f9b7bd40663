"""What every executor promises, tried with jobs that report, hang, fail and die."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Noted,
    Outcome,
    Reported,
    Slot,
    Started,
    StopReason,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.testing.promises import Promise, keep, promise

MakeExecutor: TypeAlias = Callable[[ExecutorContext], Executor]
"""Makes an executor, as the engine does: mostly the class itself."""

RECIPE = {
    "version": 1,
    "name": "probe",
    "task": "probe_task",
    "space": "probe_space",
    "strategy": "probe_strategy",
}
PROBE = Path(__file__).with_name("probe.py")
PATIENCE_S = 120.0
"""Longest time in which something has to happen: workers take seconds to start."""
LONG = 100_000
"""Steps of a job that is stopped before it comes to its end."""
_QUIET_S = 0.3
"""Time in which nothing more is to be heard of what has ended."""


class Jobs:
    """An executor and what was started on it.

    Args:
        make: makes the executor.
        folder: to work in.
        workers: jobs at once.
    """

    def __init__(self, make: MakeExecutor, folder: Path, workers: int = 2) -> None:
        context = ExecutorContext(
            RECIPE,
            (str(PROBE),),
            folder,
            workers=workers,
            gpus=0,
            threads=1,
            objectives={"value": "maximize"},
        )
        self.executor = make(context)
        self._folder, self._count = folder, 0
        self.slots = list(self.executor.slots())

    def start(
        self, *, steps: int = 3, pause_ms: int = 0, ending: str = "well", slot: Slot | None = None
    ) -> str:
        """Starts a job, in the first slot unless another is given; its key."""
        self._count += 1
        key = f"trial-{self._count}"
        point = {"architecture": {"steps": steps, "pause_ms": pause_ms, "ending": ending}}
        spec = TrialSpec(key, TrainJob(point), 0, str(self._folder / key))
        self.executor.start(spec, slot or self.slots[0])
        return key

    def stop(self, key: str, reason: StopReason) -> None:
        """Asks a job to end."""
        self.executor.stop(key, reason)

    def hear(self, key: str, kind: type[Event] = Ended) -> list[Event]:
        """Listens until an event of a kind is heard of a job; all events of jobs up to it."""
        told: list[Event] = []
        deadline = time.monotonic() + PATIENCE_S
        while not any(isinstance(event, kind) and event.key == key for event in told):  # type: ignore[union-attr]
            assert time.monotonic() < deadline, (
                f"no {kind.__name__} of {key} within {PATIENCE_S:g} s, only {told}"
            )
            told += [e for e in self.executor.events(0.5) if not isinstance(e, Noted)]
        return told

    def quiet(self) -> list[Event]:
        """Listens for a moment to what should be nothing."""
        heard = self.executor.events(_QUIET_S)
        return [event for event in heard if not isinstance(event, Noted)]

    def outcome(self, key: str) -> Outcome:
        """How a job ends, after which nothing more may be heard of it."""
        ended = [event for event in self.hear(key) if isinstance(event, Ended)]
        more = [*ended[1:], *self.quiet()]
        assert not more, f"after the end of {key} there is still {more}"
        return ended[0].outcome


def check_executor(make: MakeExecutor, folder: Path, *, isolated: bool = True) -> None:
    """Checks an executor.

    Args:
        make: makes the executor.
        folder: an empty folder to work in.
        isolated: jobs run in processes of their own, which may hang and die.

    Raises:
        AssertionError: a promise of `toolkit.contracts.Executor` is broken.
    """
    jobs = Jobs(make, folder)
    try:
        keep(executor_promises(jobs, isolated=isolated))
    finally:
        closing_ends_what_runs(jobs)


def executor_promises(jobs: Jobs, *, isolated: bool = True) -> Iterator[Promise]:
    """Yields what an executor promises, but for `closing_ends_what_runs`; see `check_executor`."""
    yield promise(the_slots_stay_the_same, jobs)
    yield promise(waiting_for_nothing_ends, jobs)
    yield promise(a_job_is_heard_from_its_beginning_to_its_end, jobs)
    yield promise(every_slot_takes_a_job, jobs)
    yield promise(a_job_that_fails_says_why, jobs)
    yield promise(a_job_is_ended_after_its_next_report, jobs, "pruned", TrialState.PRUNED)
    yield promise(a_job_is_ended_after_its_next_report, jobs, "drain", TrialState.QUEUED)
    yield promise(a_job_that_has_ended_may_be_stopped, jobs)
    if isolated:
        yield promise(a_job_is_ended_at_once, jobs, "timeout", TrialState.TIMEOUT)
        yield promise(a_job_is_ended_at_once, jobs, "now", TrialState.LOST)
        yield promise(a_job_whose_worker_dies_is_lost, jobs)


def the_slots_stay_the_same(jobs: Jobs) -> None:
    """Checks that there are slots, not more than workers were asked for, and always the same."""
    first, second = list(jobs.executor.slots()), list(jobs.executor.slots())
    assert first, "there is no slot"
    assert first == second == jobs.slots, f"the slots are {jobs.slots}, and then {second}"
    most = jobs.executor.context.workers
    assert most is None or len(first) <= most, f"{len(first)} slots for {most} workers"
    indices = [slot.index for slot in first]
    assert indices == list(range(len(first))), f"the slots' indices are {indices}"


def waiting_for_nothing_ends(jobs: Jobs) -> None:
    """Checks that `events` returns after its time where nothing happens."""
    began = time.monotonic()
    heard = jobs.quiet()
    waited = time.monotonic() - began
    assert not heard, f"nothing was started, and yet there is {heard}"
    assert waited < 10, f"`events` took {waited:.0f} s instead of {_QUIET_S:g}"


def a_job_is_heard_from_its_beginning_to_its_end(jobs: Jobs) -> None:
    """Checks that a job tells `Started`, its reports in order, and `Ended`, once each.

    What it waits for until it begins is said in a sentence, and of one that has ended nothing is.
    """
    key = jobs.start(steps=3)
    why = jobs.executor.waiting(key)
    assert isinstance(why, str), f"`waiting` says {why!r} of {key}, expected a sentence or ''"
    told = jobs.hear(key)
    why = jobs.executor.waiting(key)
    assert why == "", f"{key} has ended, and `waiting` says {why!r}"
    assert told[0] == Started(key), f"the first that is heard of {key} is {told[0]}"
    steps = [event.step for event in told if isinstance(event, Reported)]
    assert steps == [1, 2, 3], f"reports of the steps 1, 2 and 3 arrive as {steps}"
    kinds = [type(event).__name__ for event in told]
    assert kinds.count("Started") == kinds.count("Ended") == 1, f"{key} tells {kinds}"
    ended = told[-1]
    assert isinstance(ended, Ended) and ended.outcome.state is TrialState.DONE, f"{key}: {ended}"
    assert ended.outcome.values["value"] == 1.0, f"the job returned 1.0: {ended.outcome.values}"
    assert not (more := jobs.quiet()), f"after the end of {key} there is still {more}"


def every_slot_takes_a_job(jobs: Jobs) -> None:
    """Checks that jobs in all slots are heard of by their keys, and leave their slots free."""
    for _ in range(2):
        keys = {jobs.start(slot=slot) for slot in jobs.slots}
        ended: set[str] = set()
        while ended < keys:
            told = jobs.hear(min(keys - ended))
            ended |= {event.key for event in told if isinstance(event, Ended)}
        assert ended == keys, f"{sorted(keys)} were started, and {sorted(ended)} ended"


def a_job_that_fails_says_why(jobs: Jobs) -> None:
    """Checks that an error of the job's code is its outcome, and its slot serves again."""
    outcome = jobs.outcome(jobs.start(ending="fails"))
    assert outcome.state is TrialState.FAILED, f"a job whose code raises ends {outcome.state}"
    assert "broken on purpose" in outcome.error, f"its error does not say why: {outcome.error!r}"
    after = jobs.outcome(jobs.start())
    assert after.state is TrialState.DONE, f"the next job in its slot ends {after.state}"


def a_job_is_ended_after_its_next_report(
    jobs: Jobs, reason: StopReason, expected: TrialState
) -> None:
    """Checks that `stop` ends a job that goes on reporting."""
    key = jobs.start(steps=LONG, pause_ms=20)
    jobs.hear(key, Reported)
    jobs.stop(key, reason)
    state = jobs.outcome(key).state
    assert state is expected, f"stopped for {reason!r} it ends {state}, expected {expected}"


def a_job_that_has_ended_may_be_stopped(jobs: Jobs) -> None:
    """Checks that `stop` comes too late without harm to the next job."""
    key = jobs.start()
    jobs.hear(key)
    jobs.stop(key, "pruned")
    jobs.stop(key, "timeout")
    after = jobs.outcome(jobs.start())
    assert after.state is TrialState.DONE, f"the job after it ends {after.state}"


def a_job_is_ended_at_once(jobs: Jobs, reason: StopReason, expected: TrialState) -> None:
    """Checks that `stop` ends a job that hangs."""
    key = jobs.start(steps=1, ending="hangs")
    jobs.hear(key, Reported)
    jobs.stop(key, reason)
    state = jobs.outcome(key).state
    assert state is expected, f"stopped for {reason!r} it ends {state}, expected {expected}"


def a_job_whose_worker_dies_is_lost(jobs: Jobs) -> None:
    """Checks that the death of a worker is told, and its slot serves again."""
    outcome = jobs.outcome(jobs.start(steps=1, ending="dies"))
    assert outcome.state is TrialState.LOST, f"a job whose worker is killed ends {outcome.state}"
    assert outcome.error, "its error does not say what happened"
    after = jobs.outcome(jobs.start())
    assert after.state is TrialState.DONE, f"the next job in its slot ends {after.state}"


def closing_ends_what_runs(jobs: Jobs) -> None:
    """Checks that `close` returns while a job begins or runs, and may be called twice."""
    jobs.start(steps=LONG, pause_ms=20)
    began = time.monotonic()
    jobs.executor.close()
    jobs.executor.close()
    took = time.monotonic() - began
    assert took < PATIENCE_S, f"`close` took {took:.0f} s"
