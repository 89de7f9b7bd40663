"""Jobs in this process: no worker, no waiting, the same order every time. For tests.

What a job does is a script, a generator that yields what happens to it::

    def script(spec):
        yield Reported(spec.key, 1, {"accuracy": 0.5})
        yield 10.0  # seconds pass
        yield Outcome(TrialState.DONE, {"accuracy": 0.6})

    clock = ManualClock()
    executor = InlineExecutor(context, script, clock=clock)

With a `ManualClock`, an hour takes no time. `stepwise` makes a script of code that runs and reports
by itself, such as that of real jobs (`toolkit.worker.inline`).

For plugin authors who test with it: `InlineExecutor` and `stepwise` are stable.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.base.clock import SYSTEM, Clock
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
    StopTrial,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import EVENT, SPEC, decode, encode
from toolkit.contracts.jobs import AskStop, Report
from toolkit.executors.processes import outcome_of_death

Step: TypeAlias = float | Reported | Noted | Outcome
"""What a script yields: seconds that pass, something to tell, or its end."""
Script: TypeAlias = Callable[[TrialSpec], Generator[Step, None, None]]
Run: TypeAlias = Callable[[TrialSpec, Report, AskStop], Outcome]
"""Runs a job to its end by itself, as `toolkit.worker.jobs.JobRunner.run` does."""

_STOPPED = {"pruned": TrialState.PRUNED, "drain": TrialState.QUEUED}


@dataclass(eq=False)
class _Job:
    """A job in its slot; `due` is when it goes on."""

    key: str
    slot: Slot
    script: Generator[Step, None, None]
    due: float
    started: bool = False
    reported: bool = False
    stop: StopReason | None = None


class InlineExecutor(Executor):
    """Runs scripts on as many slots as the context's `workers`, 1 by default.

    Of several jobs the one whose time comes first goes on, the one started first among equals; so
    scripts in which no time passes run one after the other. Between two steps of a job the engine
    has heard of the first, as if workers were infinitely slow. Jobs and events are written as JSON
    and read again, so that nothing is shared that would not be with another process.

    A job asked to end after a report has `StopTrial` raised at that report's `yield`; a script lets
    it pass, or yields an outcome of its own. A script that returns without an outcome stands for a
    worker that died.

    Args:
        context: `workers` and `threads` count.
        script: what a job does.
        clock: passes while scripts say so, and while the engine waits.
        start_s: time from the start of a job until it begins.
    """

    def __init__(
        self,
        context: ExecutorContext,
        script: Script,
        *,
        clock: Clock = SYSTEM,
        start_s: float = 0.0,
    ) -> None:
        super().__init__(context)
        self._script, self._clock, self._start_s = script, clock, start_s
        self._slots = [Slot(n, threads=context.threads or 1) for n in range(context.workers or 1)]
        self._jobs: dict[str, _Job] = {}
        self._ended: list[Ended] = []

    @property
    def idle(self) -> bool:
        """Whether no job runs and nothing is left to tell."""
        return not (self._jobs or self._ended)

    def slots(self) -> Sequence[Slot]:
        return self._slots

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        assert slot not in [job.slot for job in self._jobs.values()], f"slot {slot.index} is busy"
        due = self._clock.monotonic() + self._start_s
        script = self._script(decode(SPEC, encode(spec)))
        self._jobs[spec.key] = _Job(spec.key, slot, script, due)

    def events(self, timeout_s: float) -> Iterator[Event]:
        for event in self._happened(timeout_s):
            yield decode(EVENT, encode(event))

    def stop(self, key: str, reason: StopReason) -> None:
        job = self._jobs.get(key)
        if job is None:
            return
        job.stop = reason
        if reason in ("timeout", "now"):
            self._end(job, outcome_of_death("", stopped=reason))

    def close(self) -> None:
        for job in list(self._jobs.values()):
            self._end(job, outcome_of_death("", stopped="now"))
        self._ended.clear()

    def _happened(self, timeout_s: float) -> Iterator[Event]:
        if not self._ended:
            now = self._clock.monotonic()
            job = min(self._jobs.values(), key=lambda job: job.due, default=None)
            if job is None or job.due > now + timeout_s:
                self._clock.sleep(timeout_s)
            else:
                self._clock.sleep(max(job.due - now, 0.0))
                yield from self._advance(job)
        while self._ended:
            yield self._ended.pop(0)

    def _advance(self, job: _Job) -> Iterator[Event]:
        """Takes a job one step on."""
        if not job.started:
            job.started = True
            yield Started(job.key)
            return
        match self._step(job):
            case Outcome() as outcome:
                self._end(job, outcome)
            case Reported() | Noted() as event:
                job.reported = isinstance(event, Reported)
                yield event
            case seconds:
                job.due += seconds

    def _step(self, job: _Job) -> Step:
        reported, job.reported = job.reported, False
        try:
            if reported and job.stop is not None:
                return job.script.throw(StopTrial(job.stop))
            return next(job.script)
        except StopTrial as request:
            return Outcome(_STOPPED[str(request)])
        except StopIteration:
            return outcome_of_death("Its worker ended.")

    def _end(self, job: _Job, outcome: Outcome) -> None:
        del self._jobs[job.key]
        job.script.close()
        self._ended.append(Ended(job.key, outcome))


def stepwise(run: Run) -> Script:
    """Returns a script of code that runs by itself: it waits at each report until it is heard.

    The code runs in a thread of its own, and this thread meanwhile waits, so that one of the two is
    at work at any time.
    """

    def script(spec: TrialSpec) -> Generator[Step, None, None]:
        job = _Threaded(run, spec)
        try:
            while isinstance(step := job.next_step(), Reported):
                try:
                    yield step
                except StopTrial as request:
                    job.reason = str(request)
            yield step
        finally:
            job.abandon()

    return script


class _Threaded:
    """A job in a thread that goes on only while somebody waits in `next_step`."""

    def __init__(self, run: Run, spec: TrialSpec) -> None:
        self._key = spec.key
        self._steps: queue.SimpleQueue[Reported | Outcome | BaseException] = queue.SimpleQueue()
        self._may_go_on = threading.Semaphore(0)
        self._abandoned = False
        self.reason: str | None = None
        self._thread = threading.Thread(target=self._run, args=(run, spec), daemon=True)
        self._thread.start()

    def next_step(self) -> Reported | Outcome:
        self._may_go_on.release()
        step = self._steps.get()
        if isinstance(step, BaseException):
            raise step
        return step

    def abandon(self) -> None:
        """Ends the thread at the report where it waits."""
        self._abandoned = True
        self._may_go_on.release()
        self._thread.join()

    def _run(self, run: Run, spec: TrialSpec) -> None:
        self._may_go_on.acquire()
        try:
            if not self._abandoned:
                self._steps.put(run(spec, self._report, lambda: self.reason))
        except BaseException as error:
            self._steps.put(error)

    def _report(self, step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
        self._steps.put(Reported(self._key, step, values, records))
        self._may_go_on.acquire()
        if self._abandoned:
            raise StopTrial("now")
