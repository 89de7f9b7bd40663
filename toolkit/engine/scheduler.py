"""Jobs on slots: starts trials, hears of them, stops them, and keeps the ledger true meanwhile.

The search and the final trainings go through the same scheduler.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from toolkit.base.clock import SYSTEM, Clock
from toolkit.base.errors import PluginError, ToolkitError
from toolkit.base.files import is_there
from toolkit.base.interruption import StopRequest
from toolkit.base.plain import encodable, shortened, shown
from toolkit.base.secrets import masked
from toolkit.contracts import (
    Ended,
    Event,
    Executor,
    Noted,
    Outcome,
    Reported,
    Slot,
    Started,
    StopReason,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.constraints import Bound
from toolkit.engine import signals
from toolkit.engine.checkpoints import Checkpoints
from toolkit.engine.failures import ended_for_room
from toolkit.engine.hearing import events_of, slots_of
from toolkit.engine.judging import judged
from toolkit.engine.placement import choose_slot
from toolkit.engine.room import Room
from toolkit.engine.unbegun import Unbegun
from toolkit.registry import code_at_work, plugin_code
from toolkit.run.events import EventLog
from toolkit.run.folder import TRIAL_PARTS, refuse_links, trial_folder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.worker.jobs import spec_of

logger = logging.getLogger(__name__)

LOSSES = 3
"""Workers a trial may lose in one session before it counts as failed."""
FULL = 3
"""Ends for lack of room while the run's own disk has some before a job counts as failed."""
START_S = 300.0
"""Longest time a worker may take to begin a job: its imports are not the trial's time."""
STOP_S = 30.0
"""Longest time an executor may take to end a job that is to end at once."""
STEP_S = 0.25
"""Longest time to wait in one go: Ctrl-C is heeded between two waits."""
_CLOCK_S = 30.0
"""Longest time between two notes of the time spent."""


@dataclass
class Job:
    """A job in a slot; `record` is None for jobs that are no trials.

    `gone_at` is when it counts as gone, where it was told to end at once.
    """

    slot: Slot
    began: float
    deadline: float | None
    record: TrialRecord | None = None
    reports: int = 0
    timeout_s: float = 0.0
    begun: bool = False
    gone_at: float | None = None


class Interrupted(StopRequest):
    """The engine was asked to stop, and nothing more is to be run."""


OnReport = Callable[[TrialRecord, int, Mapping[str, float]], bool]
EpochsOf = Callable[[TrialRecord], int | None]


class Scheduler:
    """Trials and other jobs on an executor's slots.

    Args:
        folder: the run folder.
        objectives: metrics that a trial must end with to be `done`.
        timeout_s: longest time of one trial.
        on_report: hears intermediate results; False prunes the trial.
        bounds: the recipe's constraints.
        clock: of deadlines and timestamps; the executor's own, where it has one.
        epochs_of: how many epochs a trial will report, where that is known.
        room: on the run folder's disk; by default what it takes to keep the default reserve.

    Raises:
        PluginError: the executor has no slots.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        executor: Executor,
        events: EventLog,
        objectives: Mapping[str, str],
        timeout_s: float | None,
        on_report: OnReport = lambda record, step, values: True,
        bounds: Sequence[Bound] = (),
        clock: Clock = SYSTEM,
        epochs_of: EpochsOf = lambda record: None,
        room: Room | None = None,
    ) -> None:
        self.room = room or Room(folder, clock=clock)
        self._folder, self._ledger, self._executor = folder, ledger, executor
        self._event_log, self._objectives, self._timeout_s = events, objectives, timeout_s
        self.on_report = on_report
        self._bounds = bounds
        self.clock = clock
        self._epochs_of = epochs_of
        self.running: dict[str, Job] = {}
        self.requeued: deque[TrialRecord] = deque()
        self.interrupts: list[int] = []
        self._hung_up, self._gone = False, 0
        self._stopped: Literal["", "drain", "now"] = ""
        self._losses: dict[int, int] = {}
        self._full: dict[str, int] = {}
        self._unbegun = Unbegun(executor, lambda text: events.emit("noted", message=text))
        self._slots = slots_of(executor)
        self.slot_count = len(self._slots)

    def free(self) -> bool:
        """Whether a slot is free, the disk has room, and no stop was asked for.

        Where nothing runs and the disk is full, it waits for room.
        """
        if self.interrupts or len(self.running) >= self.slot_count:
            return False
        if self.running:
            return self.room.enough()
        try:
            self.room.wait()
        except Interrupted:
            return False
        return True

    def start(self, record: TrialRecord, timeout_s: float | None = None) -> None:
        """Start a trial in a free slot.

        Args:
            record: the trial.
            timeout_s: longest time it may take, where that is less than any trial may.
        """
        record = replace(
            record,
            state=TrialState.RUNNING,
            attempts=record.attempts + 1,
            started=self.clock.time(),
        )
        self._ledger.put(record)
        self._ledger.commit()
        slot = self._free_slot()
        self._event_log.emit(
            "trial_started",
            number=record.number,
            phase=record.phase,
            label=record.label,
            kind=record.kind,
            fingerprint=record.fingerprint,
            attempt=record.attempts,
            seed=record.seed,
            point=record.point,
            fidelity=record.fidelity,
            epochs=self._epochs_of(record),
            slot=slot.index,
            device=slot.device,
        )
        folder = trial_folder(self._folder, record)
        refuse_links(self._folder, folder, TRIAL_PARTS)
        known = self._ledger.last_step(record.number) if record.attempts > 1 else 0
        limits = [limit for limit in (timeout_s, self._timeout_s) if limit is not None]
        self._place(spec_of(record, folder, min(limits, default=None), known), record, slot)

    def report_s(self, number: int) -> float:
        """Seconds from one report of a running trial to the next, on average; 0 if unknown."""
        for job in self.running.values():
            if job.record is not None and job.record.number == number and job.reports:
                return (self.clock.monotonic() - job.began) / job.reports
        return 0.0

    def heed(self) -> None:
        """Heeds a request to stop.

        Raises:
            Interrupted: there was one.
        """
        if self.interrupts:
            raise Interrupted

    def run_job(self, spec: TrialSpec) -> Outcome:
        """Run a job that is no trial, alone; how it ended. A lost one is run again, as trials are.

        Raises:
            Interrupted: the engine was asked to stop before it had ended.
        """
        lost = 0
        while True:
            self.heed()
            self.room.wait()
            outcome = self._run_once(spec)
            if outcome.state is TrialState.LOST and lost + 1 < LOSSES:
                lost += 1
                text = f"The {spec.key} job is run again: {outcome.error}"
                self._event_log.emit("noted", message=text)
            elif not ended_for_room(outcome):
                return outcome
            elif not self._may_try_again(spec.key, outcome):
                return replace(outcome, state=TrialState.FAILED)

    def _run_once(self, spec: TrialSpec) -> Outcome:
        self._place(spec, None, self._free_slot())
        while True:
            for _, event in self._listen():
                if isinstance(event, Ended):
                    del self.running[event.key]
                    if self.interrupts and event.outcome.state is TrialState.LOST:
                        raise Interrupted
                    return event.outcome

    def wait(self) -> list[TrialRecord]:
        """Wait until something happens; the trials that ended, already in the ledger.

        Reports are written and passed on; trials whose worker died are put into `requeued`.
        """
        ended = []
        for job, event in self._listen():
            if job.record is None:
                continue
            if isinstance(event, Reported):
                job.reports += 1
                self._ledger.pay(job.record.number, self._paid(job, job.record))
                self._take_report(event, job.record)
                continue
            del self.running[event.key]
            record = self._end(job, job.record, event.outcome)
            self._ledger.put(record)
            if record.state.ended:
                ended.append(record)
        self._ledger.commit(durable=bool(ended))
        for record in ended:
            if record.phase == "final":  # A search trial's may be continued yet.
                self._tidy(record)
        return ended

    def _free_slot(self) -> Slot:
        busy = [job.slot for job in self.running.values()]
        taken = {slot.index for slot in busy}
        return choose_slot([slot for slot in self._slots if slot.index not in taken], busy)

    def _place(self, spec: TrialSpec, record: TrialRecord | None, slot: Slot) -> None:
        now = self.clock.monotonic()
        # Counted from the job's own beginning as soon as that is heard of.
        deadline = None if spec.timeout_s is None else now + spec.timeout_s + START_S
        self.running[spec.key] = Job(slot, now, deadline, record, timeout_s=spec.timeout_s or 0.0)
        with plugin_code("executor.start"):
            self._executor.start(spec, slot)

    def _listen(self) -> Iterator[tuple[Job, Reported | Ended]]:
        """Yields what the running jobs tell next, and nothing where they are silent for long."""
        until = self.clock.monotonic() + _CLOCK_S
        heard = False
        while not heard and (now := self.clock.monotonic()) < until:
            self._require_folder()
            self._tell_of_hang_up()
            self._stop_as_asked()
            deadlines = [job.deadline for job in self.running.values() if job.deadline is not None]
            for event in events_of(
                self._executor, min([STEP_S, *(max(d - now, 0) for d in deadlines)])
            ):
                heard = True
                yield from self._take(event)
            for job, event in self._given_up():
                heard = True
                yield job, event
            self._look_at_unbegun()
            self._stop_overdue(now)

    def _take(self, event: Event) -> Iterator[tuple[Job, Reported | Ended]]:
        """Yields an event with its job, unless it is none that the run's course depends on."""
        match event:
            case Noted(message):
                self._event_log.emit("noted", message=message)
            case Started(key) if key in self.running:
                job = self.running[key]
                job.begun = True
                if job.deadline is not None:
                    job.deadline = min(job.deadline, self.clock.monotonic() + job.timeout_s)
            case Started():
                pass
            case Reported(key) | Ended(key):
                if key in self.running:
                    self.running[key].begun = True
                    yield self.running[key], event
                elif isinstance(event, Ended):
                    text = f"The executor told of the end of {key}, which is not running."
                    self._event_log.emit("noted", message=text)
            case junk:
                raise PluginError(
                    f"The executor {type(self._executor).__name__} told of {shown(junk)}, which is"
                    " no event of toolkit.contracts."
                )

    def _stop(self, key: str, reason: StopReason) -> None:
        with plugin_code("executor.stop"):
            self._executor.stop(key, reason)

    def _given_up(self) -> Iterator[tuple[Job, Ended]]:
        """Yields the ends of jobs that the executor does not end on the way out."""
        now = self.clock.monotonic()
        for key, job in list(self.running.items()):
            if job.gone_at is not None and job.gone_at <= now:
                name = type(self._executor).__name__
                error = f"The executor {name} did not end it in {STOP_S:.0f} s."
                yield job, Ended(key, Outcome(TrialState.LOST, error=error))

    def _look_at_unbegun(self) -> None:
        """Tells of jobs that take long to begin; those in a queue lose none of their time."""
        now = self.clock.monotonic()
        silent = {key: now - job.began for key, job in self.running.items() if not job.begun}
        for key in self._unbegun.look(silent, now):
            job = self.running[key]
            if job.deadline is not None:
                job.deadline = now + job.timeout_s + START_S

    def _stop_overdue(self, now: float) -> None:
        """Stops jobs whose time was over before the executor was last listened to.

        An engine that was stopped itself (Ctrl-Z) hears first how they have ended meanwhile.
        """
        for key, job in self.running.items():
            if job.deadline is not None and job.deadline <= now:
                self._stop(key, "timeout")
                job.deadline = None

    def _require_folder(self) -> None:
        """Ends the run where its folder was moved away: what is written now would lie elsewhere."""
        self._gone = 0 if is_there(self._ledger.path) else self._gone + 1
        if self._gone > 1:  # Not for the one answer of a file system that is out of sorts.
            raise ToolkitError(
                f"{self._folder} was moved or deleted while the run was at work.",
                hint="Move it back, without what has been written in its place meanwhile, and give"
                " the same command again; or give it with -o and the folder's new place.",
            )

    def _tell_of_hang_up(self) -> None:
        if self._hung_up:
            self._hung_up = False
            text = f"The terminal was closed. The run goes on: `kill {os.getpid()}` ends it."
            self._event_log.emit("noted", message=text)

    def _stop_as_asked(self) -> None:
        wanted: Literal["", "drain", "now"] = ("", "drain", "now")[min(len(self.interrupts), 2)]
        if wanted and wanted != self._stopped:
            self._stopped = wanted
            self._event_log.emit("stopping", how=wanted, jobs=len(self.running))
            for key, job in self.running.items():
                # A worker that still imports torch has nothing to lose.
                how: StopReason = wanted if job.begun else "now"
                if how == "now":
                    job.gone_at = self.clock.monotonic() + STOP_S
                self._stop(key, how)

    def _take_report(self, event: Reported, record: TrialRecord) -> None:
        self._ledger.add_metrics(record.number, event.step, event.values, event.records)
        epochs = event.records.get("epochs")
        self._event_log.emit(
            "trial_reported",
            number=record.number,
            phase=record.phase,
            label=record.label,
            step=event.step,
            values=event.values,
            **({"epochs": epochs} if isinstance(epochs, int) else {}),
        )
        if not self.on_report(record, event.step, event.values):
            self._stop(event.key, "pruned")

    def _end(self, job: Job, record: TrialRecord, outcome: Outcome) -> TrialRecord:
        """The record of a trial whose job ended; one to be run again goes to `requeued`."""
        duration = outcome.duration_s
        if duration is None:
            duration = self.clock.monotonic() - job.began
        record = replace(
            record,
            duration_s=record.duration_s + duration,
            error=masked(shortened(encodable(outcome.error))),
            epochs_paid=self._paid(job, record),
        )
        state = outcome.state
        unasked = state is TrialState.QUEUED and not outcome.error
        if (state is TrialState.LOST or unasked) and not self.interrupts:
            losses = self._losses[record.number] = self._losses.get(record.number, 0) + 1
            if losses >= LOSSES:
                how = "put it back, unasked," if unasked else "died"
                error = f"Its worker {how} {losses} times. {record.error}".rstrip()
                ended = self.clock.time()
                return replace(record, state=TrialState.FAILED, error=error, ended=ended)
        if ended_for_room(outcome) and not self._may_try_again(str(record.number), outcome):
            return replace(record, state=TrialState.FAILED, ended=self.clock.time())
        if state in (TrialState.LOST, TrialState.QUEUED):
            return self._requeue(record)
        record = replace(
            record,
            state=state,
            ended=self.clock.time(),
            parameters=outcome.parameters,
            derived=outcome.architectures,
        )
        if state is TrialState.PRUNED:
            return replace(record, values=self._last_values(record.number))
        if state is TrialState.INVALID:
            return replace(record, values=outcome.values, violations=outcome.violations)
        if state is TrialState.DONE:
            record = judged(record, outcome.values, self._objectives, self._bounds)
        for text in outcome.warnings:
            self._event_log.emit("warning", number=record.number, message=text)
        return record

    def _may_try_again(self, key: str, outcome: Outcome) -> bool:
        """Whether a job that a full disk has ended may be started once there is room."""
        if self.interrupts:
            return True
        if self.room.enough():  # It needs more than there is, or another disk is full.
            self._full[key] = self._full.get(key, 0) + 1
        else:
            self._full.pop(key, None)
        return self._full.get(key, 0) < FULL

    @staticmethod
    def _paid(job: Job, record: TrialRecord) -> float:
        """Epochs paid up to the last report of a job, those of earlier attempts included."""
        return record.epochs_paid + job.reports * float(record.fidelity.get("data", 1))

    def _requeue(self, record: TrialRecord) -> TrialRecord:
        record = replace(record, state=TrialState.QUEUED)
        self.requeued.append(record)
        reason = record.error or "The engine is stopping."
        self._event_log.emit("trial_requeued", number=record.number, reason=reason)
        return record

    def _last_values(self, number: int) -> dict[str, float]:
        self._ledger.commit()
        metrics = self._ledger.metrics(number)
        last = metrics[-1].values if metrics else {}
        return {name: value for name, value in last.items() if value is not None}

    def _tidy(self, record: TrialRecord) -> None:
        """Drop the checkpoint of an ended training; its result is safe in the ledger by now."""
        if record.kind == "train" and record.folder:
            Checkpoints(self._folder).delete(record.folder)

    def signals(self) -> AbstractContextManager[None]:
        """Heed Ctrl-C and SIGTERM: the first drains, the second stops now, the third kills.

        The second one ends a strategy's code that is at work, too. A closed terminal ends nothing.
        """
        return signals.watching(
            self._hear, lambda: self._stopped == "now", self._executor.close, self._hear_hang_up
        )

    def _hear_hang_up(self) -> None:
        self._hung_up = True

    def _hear(self, number: int) -> None:
        self.interrupts.append(number)
        if len(self.interrupts) > 2:
            signals.end_now(self.interrupts[0], self._executor.close)
        if len(self.interrupts) == 2 and code_at_work().startswith("strategy"):
            raise Interrupted
