"""The inline executor: scripts and real code in this process, in an order that never changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.clock import ManualClock
from toolkit.contracts import (
    Ended,
    Event,
    ExecutorContext,
    Noted,
    Outcome,
    Reported,
    Started,
    StopTrial,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.executors.inline import InlineExecutor, Script, stepwise

DONE = Outcome(TrialState.DONE, {"accuracy": 1.0})


def spec(key: str, folder: Path = Path()) -> TrialSpec:
    return TrialSpec(key, TrainJob({"architecture": {}}), 0, str(folder))


def reports(steps: int, pause_s: float = 0.0) -> Script:
    """A script that reports so often, and so slowly, and ends well."""

    def script(spec: TrialSpec) -> Iterator[Any]:
        for step in range(1, steps + 1):
            yield pause_s
            yield Reported(spec.key, step, {})
        yield DONE

    return script


def executor(script: Script, workers: int = 1, **options: Any) -> InlineExecutor:
    options.setdefault("clock", ManualClock())
    return InlineExecutor(ExecutorContext({}, (), Path(), workers), script, **options)


def drain(made: InlineExecutor, timeout_s: float = 1000.0) -> list[Event]:
    """All that happens until nothing does."""
    events: list[Event] = []
    while not made.idle:
        events += made.events(timeout_s)
    return events


def test_a_script_is_heard_step_by_step() -> None:
    made = executor(reports(2))
    (slot,) = made.slots()
    made.start(spec("a"), slot)
    assert list(made.events(1)) == [Started("a")]
    assert drain(made) == [Reported("a", 1, {}), Reported("a", 2, {}), Ended("a", DONE)]
    made.start(spec("b"), slot)
    assert len(drain(made)) == 4, "the slot is free again"


def test_time_passes_as_scripts_and_waits_say() -> None:
    clock = ManualClock()
    made = executor(reports(2, pause_s=50.0), clock=clock, start_s=7.0)
    made.start(spec("a"), made.slots()[0])
    assert list(made.events(5)) == [] and clock.monotonic() == 5
    assert list(made.events(5)) == [Started("a")] and clock.monotonic() == 7
    drain(made)
    assert clock.monotonic() == 107
    assert list(made.events(3)) == [] and clock.monotonic() == 110, "nothing runs"


def test_jobs_go_on_in_the_order_of_their_times() -> None:
    paces = {"slow": 5.0, "fast": 2.0}

    def script(spec: TrialSpec) -> Iterator[Any]:
        yield from reports(2, paces[spec.key])(spec)

    made = executor(script, workers=2)
    for slot, key in zip(made.slots(), paces, strict=True):
        made.start(spec(key), slot)
    told = [event.key for event in drain(made) if isinstance(event, Reported | Ended)]
    assert told == ["fast", "fast", "fast", "slow", "slow", "slow"]


@pytest.mark.parametrize(("reason", "state"), [("pruned", "pruned"), ("drain", "queued")])
def test_a_job_asked_to_end_does_so_at_its_report(reason: Any, state: str) -> None:
    made = executor(reports(5, pause_s=1.0))
    made.start(spec("a"), made.slots()[0])
    told: list[Event] = []
    while not made.idle:
        for event in made.events(0.5):
            told.append(event)
            if event == Reported("a", 2, {}):
                made.stop("a", reason)
    assert told == [
        Started("a"),
        Reported("a", 1, {}),
        Reported("a", 2, {}),
        Ended("a", Outcome(TrialState(state))),
    ]


@pytest.mark.parametrize(("reason", "state"), [("timeout", "timeout"), ("now", "lost")])
def test_a_job_is_stopped_in_its_tracks(reason: Any, state: str) -> None:
    made = executor(reports(5, pause_s=1.0))
    made.start(spec("a"), made.slots()[0])
    list(made.events(0.1))
    made.stop("a", reason)
    (ended,) = made.events(0.1)
    assert isinstance(ended, Ended) and ended.outcome.state == state
    made.stop("a", "now")  # has ended already, which is no fault
    assert list(made.events(0.1)) == []


def test_a_script_that_ends_without_a_word_is_a_lost_worker() -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        yield Noted("about to die")

    made = executor(script)
    made.start(spec("a"), made.slots()[0])
    *_, note, ended = drain(made)
    assert note == Noted("about to die")
    assert isinstance(ended, Ended) and ended.outcome.state is TrialState.LOST


def test_a_script_may_answer_a_stop_itself() -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        try:
            yield Reported(spec.key, 1, {})
        except StopTrial as request:
            yield Outcome(TrialState.FAILED, error=str(request))

    made = executor(script)
    made.start(spec("a"), made.slots()[0])
    list(made.events(1))
    list(made.events(1))
    made.stop("a", "pruned")
    assert drain(made) == [Ended("a", Outcome(TrialState.FAILED, error="pruned"))]


def test_jobs_share_nothing_with_the_engine() -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        assert isinstance(spec.job, TrainJob)
        spec.job.point["architecture"]["width"] = 99
        yield Outcome(TrialState.DONE, architectures=({"width": (1, 2)},))

    mine = {"architecture": {"width": 1}}
    made = executor(script)
    made.start(TrialSpec("a", TrainJob(mine), 0, ""), made.slots()[0])
    ended = drain(made)[-1]
    assert mine == {"architecture": {"width": 1}}
    assert isinstance(ended, Ended)
    assert ended.outcome.architectures == ({"width": [1, 2]},), "as JSON has it"


class Code:
    """Code that runs by itself, as a worker's does; notes which thread it ran in."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.threads: list[threading.Thread] = []

    def __call__(
        self,
        spec: TrialSpec,
        report: Callable[[int, Mapping[str, float], Mapping[str, Any]], None],
        ask_stop: Callable[[], str | None],
    ) -> Outcome:
        self.threads.append(threading.current_thread())
        for step in (1, 2, 3):
            self.log.append(f"{spec.key}{step}")
            report(step, {"accuracy": step / 3}, {})
            if (reason := ask_stop()) is not None:
                return Outcome(TrialState.PRUNED, error=reason)
        return DONE


def test_code_that_runs_by_itself_waits_until_each_report_was_heard() -> None:
    code = Code()
    made = executor(stepwise(code), workers=2)
    for slot, key in zip(made.slots(), "ab", strict=True):
        made.start(spec(key), slot)
    assert code.log == [], "nothing runs before it is asked for"
    heard: list[str] = []
    while not made.idle:
        for event in made.events(1):
            if isinstance(event, Reported):
                heard.append(f"{event.key}{event.step}")
                assert code.log == heard, "no step ahead of what was heard"
    assert heard == ["a1", "a2", "a3", "b1", "b2", "b3"], "one job after the other"


def test_the_engines_verdict_reaches_code_that_runs_by_itself() -> None:
    code = Code()
    made = executor(stepwise(code))
    made.start(spec("a"), made.slots()[0])
    for event in [e for _ in range(3) for e in made.events(1)]:
        if event == Reported("a", 2, {"accuracy": 2 / 3}):
            made.stop("a", "pruned")
    assert drain(made) == [Ended("a", Outcome(TrialState.PRUNED, error="pruned"))]
    assert code.log == ["a1", "a2"]


def test_stopped_and_closed_code_leaves_no_thread_behind() -> None:
    code = Code()
    made = executor(stepwise(code), workers=2)
    for slot, key in zip(made.slots(), "ab", strict=True):
        made.start(spec(key), slot)
    list(made.events(1))
    list(made.events(1))
    made.stop("a", "now")
    made.close()
    made.close()
    assert [thread.is_alive() for thread in code.threads] == [False]
    assert code.log == ["a1"]


def test_a_fault_in_code_that_runs_by_itself_is_not_swallowed() -> None:
    def broken(*arguments: Any) -> Outcome:
        raise ZeroDivisionError

    made = executor(stepwise(broken))
    made.start(spec("a"), made.slots()[0])
    with pytest.raises(ZeroDivisionError):
        drain(made)
