"""The scheduler: deadlines, verdicts, stops, losses and ends, without a process and in no time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.clock import ManualClock
from toolkit.base.secrets import hide
from toolkit.contracts import (
    Ended,
    Event,
    ExecutorContext,
    Fault,
    Noted,
    Outcome,
    Reported,
    Slot,
    SmokeJob,
    Started,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.constraints import parse_all
from toolkit.engine.failures import job_failure
from toolkit.engine.scheduler import (
    LOSSES,
    START_S,
    STEP_S,
    STOP_S,
    Interrupted,
    Scheduler,
)
from toolkit.errors import ExitCode, PluginError, ToolkitError
from toolkit.executors.inline import InlineExecutor
from toolkit.run.events import EventLog
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

Script = Callable[[TrialSpec], Iterator[Any]]
DONE = Outcome(TrialState.DONE, {"accuracy": 0.5}, parameters=10)


class Desk:
    """A scheduler, what it works with, and what it says."""

    def __init__(
        self, folder: Path, script: Script, executor: type[InlineExecutor], **options: Any
    ):
        self.clock = ManualClock()
        self.ledger = Ledger.open(folder / "ledger.sqlite")
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        context = ExecutorContext({}, (), folder, options.pop("workers", 1))
        start_s = options.pop("start_s", 0.0)
        self.executor = executor(context, script, clock=self.clock, start_s=start_s)
        self.scheduler = Scheduler(
            folder,
            self.ledger,
            self.executor,
            EventLog(folder / "events.jsonl", lambda name, body: self.said.append((name, body))),
            {"accuracy": "maximize"},
            options.pop("timeout_s", None),
            clock=self.clock,
            **options,
        )

    def start(self, number: int = 1, **fields: Any) -> TrialRecord:
        """Start a trial of the search."""
        point = {"architecture": {"width": number}}
        record = TrialRecord(
            number, "search", "train", TrialState.QUEUED, point, f"print{number}", seed=number
        )
        record = replace(record, folder=f"trials/{number}", **fields)
        self.scheduler.start(record)
        return record

    def finish(self) -> list[TrialRecord]:
        """Wait until nothing runs: the trials that ended, in the order of their ends."""
        ended = []
        while self.scheduler.running:
            ended += self.scheduler.wait()
        return ended

    def messages(self, name: str) -> list[str]:
        return [body["message"] for told, body in self.said if told == name]


MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[MakeDesk]:
    made: list[Desk] = []

    def make(
        script: Script, *, executor: type[InlineExecutor] = InlineExecutor, **options: Any
    ) -> Desk:
        made.append(Desk(tmp_path, script, executor, **options))
        return made[-1]

    yield make
    for one in made:
        one.executor.close()
        one.ledger.close()


def ends(outcome: Outcome = DONE, after_s: float = 0.0) -> Script:
    def script(spec: TrialSpec) -> Iterator[Any]:
        yield after_s
        yield outcome

    return script


def learns(spec: TrialSpec) -> Iterator[Any]:
    """Ten epochs of ten seconds."""
    for epoch in range(1, 11):
        yield 10.0
        yield Reported(spec.key, epoch, {"accuracy": epoch / 10}, {"edges": [epoch]})
    yield DONE


def test_a_trial_is_in_the_ledger_from_its_start_to_its_end(desk: MakeDesk) -> None:
    one = desk(learns)
    one.start(fidelity={"data": 0.5})
    running = one.ledger.trial(1)
    assert running is not None
    assert (running.state, running.attempts) == (TrialState.RUNNING, 1)
    assert running.started == one.clock.time()
    (ended,) = one.finish()
    assert one.ledger.trial(1) == ended
    assert (ended.state, ended.values, ended.parameters) == (TrialState.DONE, DONE.values, 10)
    assert (ended.duration_s, ended.ended) == (100.0, running.started + 100)
    assert ended.epochs_paid == 5, "ten on half of the data"
    reported = one.ledger.metrics(1)
    assert [metric.step for metric in reported] == list(range(1, 11))
    assert reported[3].values == {"accuracy": 0.4} and reported[3].records == {"edges": [4]}
    assert [name for name, _ in one.said] == ["trial_started"] + ["trial_reported"] * 10


def test_the_job_says_what_its_phase_asks_for(desk: MakeDesk) -> None:
    specs: list[TrialSpec] = []

    def script(spec: TrialSpec) -> Iterator[Any]:
        specs.append(spec)
        yield DONE

    one = desk(script, timeout_s=60.0)
    one.start(1)
    one.finish()
    one.start(2, phase="final", fidelity={"epochs": 3})
    one.finish()
    searched, final = (spec.job for spec in specs)
    assert searched == TrainJob({"architecture": {"width": 1}}, searched=True)
    assert final == TrainJob({"architecture": {"width": 2}}, {"epochs": 3}, keep_weights=True)
    assert (specs[1].key, specs[1].seed, specs[1].timeout_s) == ("trial-2", 2, 60.0)
    assert specs[1].folder.endswith("trials/2")


@pytest.mark.parametrize("start_s", [0.0, START_S - 1])
def test_a_deadline_counts_from_the_jobs_own_beginning(desk: MakeDesk, start_s: float) -> None:
    one = desk(learns, timeout_s=45.0, start_s=start_s)
    one.start()
    (ended,) = one.finish()
    assert ended.state is TrialState.TIMEOUT
    assert one.clock.monotonic() == pytest.approx(start_s + 45, abs=STEP_S)
    assert len(one.ledger.metrics(1)) == 4
    assert ended.error == "It ran longer than resources.trial_timeout."


class Suspended(InlineExecutor):
    """Sleeps for an hour in its second look, as an engine that was stopped by Ctrl-Z does."""

    looks = 0

    def events(self, timeout_s: float) -> Iterator[Event]:
        self.looks += 1
        if self.looks == 2:
            self._clock.sleep(3600.0)
            return
        yield from super().events(timeout_s)


@pytest.mark.faults
def test_an_engine_that_was_stopped_hears_first_what_has_ended(desk: MakeDesk) -> None:
    one = desk(lambda spec: (step for step in [DONE]), executor=Suspended, timeout_s=45.0)
    one.start()
    assert one.finish()[0].state is TrialState.DONE


def test_a_trial_within_its_time_is_left_alone(desk: MakeDesk) -> None:
    one = desk(learns, timeout_s=101.0, start_s=START_S - 1)
    one.start()
    assert one.finish()[0].state is TrialState.DONE


def test_a_worker_that_never_begins_is_given_up(desk: MakeDesk) -> None:
    one = desk(learns, timeout_s=45.0, start_s=1e9)
    one.start()
    assert one.finish()[0].state is TrialState.TIMEOUT
    assert one.clock.monotonic() == pytest.approx(START_S + 45, abs=STEP_S)


def test_without_a_deadline_a_trial_may_take_long(desk: MakeDesk) -> None:
    one = desk(ends(after_s=1000.0))
    one.start()
    assert one.finish()[0].state is TrialState.DONE


@pytest.mark.faults
def test_what_a_job_waits_for_is_said_within_half_a_minute_and_then_seldom(desk: MakeDesk) -> None:
    one = desk(learns, workers=2, start_s=4000.0)
    one.start(1)
    one.start(2)
    while not one.messages("noted"):
        one.scheduler.wait()
    assert 20 < one.clock.monotonic() <= 30
    ended = one.finish()
    assert [record.state for record in ended] == [TrialState.DONE] * 2, "the run goes on"
    told = one.messages("noted")
    assert len(told) == 2, "and once more after ten minutes, of an hour"
    assert told[0].startswith("trial-1 and 1 more: given to InlineExecutor 25 s ago"), told


class Queue(InlineExecutor):
    """Has a queue in front of its slots."""

    why: Any = "It waits for 2 GPUs, and the cluster has 1."

    def waiting(self, key: str) -> str:
        assert key in self.waits()
        return self.why

    def waits(self) -> list[str]:
        return [job.key for job in self._jobs.values() if not job.started]


@pytest.mark.faults
def test_time_in_a_queue_is_none_of_a_trials_time(desk: MakeDesk) -> None:
    one = desk(learns, executor=Queue, timeout_s=101.0, start_s=10 * START_S)
    one.start()
    assert one.finish()[0].state is TrialState.DONE
    assert "It waits for 2 GPUs, and the cluster has 1." in one.messages("noted")[0]
    again = desk(learns, executor=Queue, timeout_s=45.0, start_s=10 * START_S)
    again.start(2)
    assert again.finish()[0].state is TrialState.TIMEOUT


@pytest.mark.faults
@pytest.mark.parametrize("why", [None, 7, "\ud800" * 9, "x" * 10**6])
def test_junk_about_what_is_waited_for_is_told_as_it_is(desk: MakeDesk, why: Any) -> None:
    one = desk(learns, executor=Queue, start_s=60.0)
    one.executor.why = why  # type: ignore[attr-defined]
    one.start()
    assert one.finish()[0].state is TrialState.DONE
    (told,) = one.messages("noted")
    assert len(told.encode()) < 2000


class Deaf(InlineExecutor):
    """Begins nothing and ends nothing."""

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        pass


@pytest.mark.faults
def test_an_executor_that_ends_nothing_holds_up_no_stop(desk: MakeDesk) -> None:
    one = desk(learns, executor=Deaf)
    one.start()
    for _ in range(3):
        one.scheduler.wait()
    one.scheduler.interrupts.append(2)
    before = one.clock.monotonic()
    assert one.finish() == []
    assert one.clock.monotonic() - before <= STOP_S + 2 * STEP_S
    (again,) = one.scheduler.requeued
    assert again.state is TrialState.QUEUED and "Deaf did not end it" in again.error


def test_a_verdict_prunes_a_trial_with_its_last_values(desk: MakeDesk) -> None:
    one = desk(learns, on_report=lambda record, step, values: values["accuracy"] < 0.3)
    one.start()
    (ended,) = one.finish()
    assert (ended.state, ended.values) == (TrialState.PRUNED, {"accuracy": 0.3})
    assert ended.epochs_paid == 3


def test_trials_end_in_the_order_of_their_ends_and_free_their_slots(desk: MakeDesk) -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        yield {"trial-1": 30.0, "trial-2": 10.0, "trial-3": 5.0}[spec.key]
        yield DONE

    one = desk(script, workers=2)
    one.start(1)
    one.start(2)
    assert not one.scheduler.free()
    ended: list[TrialRecord] = []
    while not ended:
        ended += one.scheduler.wait()
    assert one.scheduler.free()
    one.start(3)
    ended += one.finish()
    assert [record.number for record in ended] == [2, 3, 1]
    assert [record.duration_s for record in ended] == [10, 5, 30]


def test_nothing_heard_for_long_gives_the_engine_a_turn(desk: MakeDesk) -> None:
    one = desk(ends(after_s=1000.0))
    one.start()
    assert one.scheduler.wait() == []  # it has begun
    before = one.clock.monotonic()
    assert one.scheduler.wait() == []
    assert 20 < one.clock.monotonic() - before < 40, "the time spent is noted meanwhile"


@pytest.mark.faults
def test_a_lost_trial_runs_again_and_in_the_end_fails(desk: MakeDesk) -> None:
    one = desk(ends(Outcome(TrialState.LOST, error="Its worker ended by SIGSEGV.")))
    one.start()
    for attempt in range(1, LOSSES):
        assert one.finish() == []
        again = one.scheduler.requeued.popleft()
        assert (again.state, again.attempts) == (TrialState.QUEUED, attempt)
        one.scheduler.start(again)
    (ended,) = one.finish()
    assert (ended.state, ended.attempts) == (TrialState.FAILED, LOSSES)
    assert ended.error == f"Its worker died {LOSSES} times. Its worker ended by SIGSEGV."
    assert not one.scheduler.requeued
    requeued = [body["reason"] for name, body in one.said if name == "trial_requeued"]
    assert requeued == ["Its worker ended by SIGSEGV."] * (LOSSES - 1)


@pytest.mark.faults
def test_a_trial_that_is_put_back_unasked_again_and_again_fails(desk: MakeDesk) -> None:
    one = desk(ends(Outcome(TrialState.QUEUED)))
    one.start()
    for _ in range(1, LOSSES):
        assert one.finish() == []
        one.scheduler.start(one.scheduler.requeued.popleft())
    (ended,) = one.finish()
    assert ended.state is TrialState.FAILED
    assert ended.error == f"Its worker put it back, unasked, {LOSSES} times."


def test_the_first_signal_drains_and_the_second_stops(desk: MakeDesk) -> None:
    one = desk(learns, workers=2)
    one.start(1)
    one.start(2)
    while len(one.ledger.metrics(2)) < 2:
        one.scheduler.wait()
    one.scheduler.interrupts.append(2)
    assert not one.scheduler.free()
    assert one.finish() == []
    assert sorted(record.number for record in one.scheduler.requeued) == [1, 2]
    first, second = one.ledger.trials()
    assert first.state is second.state is TrialState.QUEUED
    # The second has just reported its second epoch, the first is in its third.
    assert (first.epochs_paid, second.epochs_paid) == (3, 2)

    again = desk(ends(after_s=1e6))
    again.start(3)
    again.scheduler.interrupts += [2, 2]
    before = again.clock.monotonic()
    assert again.finish() == []
    assert again.clock.monotonic() - before <= STEP_S
    (record,) = again.scheduler.requeued
    assert record.state is TrialState.QUEUED, "a stop is no loss"


def test_jobs_that_are_no_trials_give_their_outcome(desk: MakeDesk) -> None:
    failed = Outcome(TrialState.FAILED, error="no such layer")
    one = desk(ends(failed))
    spec = TrialSpec("smoke", SmokeJob({"architecture": {}}), 0, "")
    assert one.scheduler.run_job(spec) == failed
    one.scheduler.interrupts.append(2)
    with pytest.raises(Interrupted):
        one.scheduler.run_job(spec)
    stopped = desk(ends(after_s=1e6))
    stopped.executor.events = interrupting(stopped)  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        stopped.scheduler.run_job(spec)


def interrupting(one: Desk) -> Callable[[float], Iterator[Event]]:
    """Events during which two signals come."""
    events = one.executor.events

    def iterate(timeout_s: float) -> Iterator[Event]:
        yield from events(timeout_s)
        one.scheduler.interrupts[:] = [15, 15]

    return iterate


@pytest.mark.parametrize(
    ("outcome", "state", "error"),
    [
        (Outcome(TrialState.DONE), "invalid", "accuracy is missing"),
        (Outcome(TrialState.DONE, {"accuracy": float("nan")}), "invalid", "accuracy is nan"),
        (Outcome(TrialState.DONE, {"accuracy": 0.5}), "invalid", "latency_ms is missing"),
        (Outcome(TrialState.OOM, error="no memory"), "oom", "no memory"),
        (Outcome(TrialState.FAILED, error="no such layer"), "failed", "no such layer"),
    ],
)
def test_how_a_trial_is_judged(desk: MakeDesk, outcome: Outcome, state: str, error: str) -> None:
    one = desk(ends(outcome), bounds=parse_all({"latency_ms": "<= 1"}))
    one.start()
    (ended,) = one.finish()
    assert ended.state == state
    assert error in ended.error
    assert one.ledger.trial(1) == ended


class Unread(InlineExecutor):
    """Tells of an end in words that no channel has read."""

    def events(self, timeout_s: float) -> Iterator[Event]:
        yield Ended("trial-1", Outcome(TrialState.FAILED, error="no file caf\udce9.npy"))


@pytest.mark.faults
def test_an_error_that_is_no_utf8_can_be_kept(desk: MakeDesk) -> None:
    one = desk(ends(), executor=Unread)
    one.start()
    assert one.finish()[0].error == "no file caf\\udce9.npy"
    assert one.ledger.trials()[0].state is TrialState.FAILED


def test_a_broken_constraint_is_measured(desk: MakeDesk) -> None:
    values = {"accuracy": 0.5, "latency_ms": 3.0}
    one = desk(ends(Outcome(TrialState.DONE, values)), bounds=parse_all({"latency_ms": "<= 1"}))
    one.start()
    (ended,) = one.finish()
    assert ended.state is TrialState.DONE and not ended.eligible
    assert ended.violations == {"latency_ms <= 1": 2.0}


@pytest.mark.faults
def test_no_part_of_what_a_worker_says_holds_a_hidden_value(desk: MakeDesk) -> None:
    hide('s3cr3t"x', "${env:TOKEN}")

    def script(spec: TrialSpec) -> Iterator[Any]:
        yield Reported(spec.key, 1, {"accuracy": 1.0}, {"from": ['s3cr3t"x'], "n": math.inf})
        yield replace(DONE, warnings=('with s3cr3t"x',))

    one = desk(script)
    one.start()
    one.finish()
    (metric,) = one.ledger.metrics(1)
    assert metric.records["from"] == ["${env:TOKEN}"]
    assert one.messages("warning") == ["with ${env:TOKEN}"]


class Twice(InlineExecutor):
    """Tells of every end twice."""

    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in super().events(timeout_s):
            yield event
            if isinstance(event, Ended):
                yield event


def test_a_second_end_is_noted_and_changes_nothing(desk: MakeDesk) -> None:
    one = desk(ends(), executor=Twice)
    one.start(1)
    assert len(one.finish()) == 1
    one.start(2)
    assert [record.number for record in one.finish()] == [2]
    smoke = TrialSpec("smoke", SmokeJob({"architecture": {}}), 0, "")
    assert one.scheduler.run_job(smoke) == DONE
    one.start(3)  # hears of what followed that end
    assert [record.number for record in one.finish()] == [3]
    assert (
        one.messages("noted")[0] == "The executor told of the end of trial-1, which is not running."
    )


def test_what_concerns_no_running_job_is_passed_over(desk: MakeDesk) -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        yield Noted("the page is at port 8080")
        yield Reported("trial-99", 1, {"accuracy": 1.0})
        yield DONE

    one = desk(script)
    one.start()
    assert len(one.finish()) == 1
    assert one.messages("noted") == ["the page is at port 8080"]
    assert one.ledger.metrics(99) == []


class Raising(InlineExecutor):
    """Fails in the method named by `fault`, or yields what is no event."""

    fault = ""

    def start(self, spec: Any, slot: Any) -> None:
        if self.fault == "start":
            raise ZeroDivisionError
        super().start(spec, slot)

    def events(self, timeout_s: float) -> Iterator[Event]:
        if self.fault == "events":
            raise OSError("the cluster is gone")
        if self.fault == "junk":
            yield {"kind": "ended", "key": "trial-1"}  # type: ignore[misc]
        yield Started("trial-1")

    def stop(self, key: str, reason: Any) -> None:
        raise KeyError(key)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("start", "executor.start failed: ZeroDivisionError"),
        ("events", "executor.events failed: OSError: the cluster is gone"),
        ("stop", "executor.stop failed: KeyError"),
        ("junk", "Raising told of {'kind': 'ended', 'key': 'trial-1'}, which is no event"),
    ],
)
def test_a_fault_of_an_executor_is_its_own(desk: MakeDesk, fault: str, message: str) -> None:
    one = desk(ends(), executor=Raising)
    one.executor.fault = fault  # type: ignore[attr-defined]
    one.scheduler.interrupts += [2] if fault == "stop" else []
    with pytest.raises(PluginError, match=message):
        one.start()
        one.finish()


class Lying(Raising):
    """Tells of one trial what its test says."""

    told: Any = None

    def events(self, timeout_s: float) -> Iterator[Any]:
        yield Started("trial-1")
        yield self.told


JUNK: dict[str, Any] = {
    "a huge step": Reported("trial-1", 10**30, {}),
    "a fractional step": Reported("trial-1", 1.5, {}),  # type: ignore[arg-type]
    "no metrics": Reported("trial-1", 1, None),  # type: ignore[arg-type]
    "a metric that is text": Reported("trial-1", 1, {"accuracy": "high"}),  # type: ignore[dict-item]
    "a record that is no JSON": Reported("trial-1", 1, {}, {"a": object()}),
    "an end without outcome": Ended("trial-1", None),  # type: ignore[arg-type]
    "an unknown state": Ended("trial-1", Outcome("splendid")),  # type: ignore[arg-type]
    "a count beyond counting": Ended("trial-1", Outcome(TrialState.DONE, parameters=10**25)),
    "no duration": Ended("trial-1", Outcome(TrialState.DONE, duration_s=math.nan)),
    "an error in bytes": Ended("trial-1", Outcome(TrialState.FAILED, error=b"x")),  # type: ignore[arg-type]
    "a key that is a list": Ended(["trial-1"], DONE),  # type: ignore[arg-type]
    "a warning that is a number": Ended("trial-1", Outcome(TrialState.DONE, warnings=3)),  # type: ignore[arg-type]
}


@pytest.mark.faults
@pytest.mark.parametrize("told", JUNK.values(), ids=JUNK)
def test_what_an_executor_tells_is_checked_where_it_arrives(desk: MakeDesk, told: Any) -> None:
    one = desk(ends(), executor=Lying)
    one.executor.fault = ""  # type: ignore[attr-defined]
    one.executor.told = told  # type: ignore[attr-defined]
    one.start()
    with pytest.raises(PluginError, match="The executor Lying told of what is no event"):
        one.finish()
    assert one.ledger.trials()[0].state is TrialState.RUNNING, "nothing of it is in the ledger"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("slots", "said"),
    [
        (None, "executor.slots failed: TypeError"),
        ([1, "a"], "expected Slot objects"),
        ([Slot(0), Slot(0)], "two have the same index"),
    ],
)
def test_slots_that_are_none_are_refused(desk: MakeDesk, slots: Any, said: str) -> None:
    class Odd(InlineExecutor):
        def slots(self) -> Any:
            return slots

    with pytest.raises(PluginError, match=said):
        desk(ends(), executor=Odd)


def test_an_executor_without_slots_is_refused(desk: MakeDesk) -> None:
    class Slotless(InlineExecutor):
        def slots(self) -> list[Any]:
            return []

    with pytest.raises(PluginError, match="Slotless has no slots"):
        desk(ends(), executor=Slotless)


def test_a_job_that_failed_is_told_with_what_to_do() -> None:
    crashed = job_failure("The test failed", Outcome(TrialState.LOST, error="dead"), "Try again.")
    assert isinstance(crashed, PluginError)
    assert str(crashed) == "The test failed (lost):\ndead\nTry again."
    fault = Fault("No data.", "Get some.", ExitCode.USAGE)
    users = job_failure("The test failed", Outcome(TrialState.FAILED, fault=fault), "Try again.")
    assert str(users) == "The test failed: No data. Get some."
    assert users.exit_code is ExitCode.USAGE
    fault = Fault("Bad scores.", "Look.", ExitCode.PLUGIN)
    plugins = job_failure("The test failed", Outcome(TrialState.FAILED, fault=fault), "Try again.")
    assert isinstance(plugins, ToolkitError)
    assert str(plugins) == "The test failed: Bad scores. Look. Try again."


def test_a_worker_that_has_not_begun_is_not_waited_for(tmp_path: Path) -> None:
    def script(spec: TrialSpec) -> Iterator[Any]:
        yield 3600.0
        yield DONE

    desk = Desk(tmp_path, script, InlineExecutor, start_s=100.0)
    desk.start()
    desk.scheduler.interrupts.append(2)
    assert desk.finish() == []
    assert [record.state for record in desk.scheduler.requeued] == ["queued"]
    assert desk.clock.monotonic() < 100


def test_a_job_whose_worker_dies_is_run_again(tmp_path: Path) -> None:
    begun: list[str] = []

    def script(spec: TrialSpec) -> Iterator[Any]:
        begun.append(spec.key)
        yield 1.0
        if len(begun) == LOSSES:
            yield Outcome(TrialState.DONE)

    desk = Desk(tmp_path, script, InlineExecutor)
    smoke = TrialSpec("smoke", SmokeJob({"architecture": {}}), 0, str(tmp_path / "smoke"))
    assert desk.scheduler.run_job(smoke).state is TrialState.DONE
    assert begun == ["smoke"] * LOSSES
    assert len(desk.messages("noted")) == LOSSES - 1
