"""The local executor: reused worker processes on this machine, one per slot.

For plugin authors whose executor adds to it: every public name is stable.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from toolkit.base.memory import CAP
from toolkit.contracts import (
    BusyGpus,
    Ended,
    Event,
    Executor,
    ExecutorContext,
    Noted,
    Outcome,
    Slot,
    StopReason,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import EVENT, MessageError
from toolkit.executors.channel import Channel
from toolkit.executors.keeper import OVER_MEMORY
from toolkit.executors.messages import Run, Setup, Stop
from toolkit.executors.processes import (
    MARK,
    count_oom_kills,
    end_kept,
    kill_marked,
    log_for_processes,
    open_pidfd,
    outcome_of_death,
    outcome_over_memory,
    slot_environment,
)
from toolkit.executors.slots import count_cores, describe_slots, find_gpus, make_slots


@dataclass(eq=False)
class _Worker:
    """A worker; `key` is the job it runs, `stopped` why it was killed if it was.

    `process` is its keeper; `mark` stands in the environment of all processes that it starts.
    """

    slot: Slot
    process: subprocess.Popen[bytes]
    mark: str
    channel: Channel
    pidfd: int | None
    key: str | None = None
    stopped: StopReason | None = None
    oom_kills: int = 0


class LocalExecutor(Executor):
    """Runs each job in a worker process of its slot; a worker is started with its first job.

    This is the executor of recipes that name none. As many trials run at once as there are cores or
    GPUs, or as `resources.workers` says.

    Raises:
        RecipeError: not one slot can be made of this machine.
    """

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        self._slots = make_slots(
            count_cores(),
            [] if context.gpus == 0 else find_gpus(),
            workers=context.workers,
            gpus=context.gpus,
            threads=context.threads,
            busy=context.busy_gpus,
        )
        self._workers: dict[int, _Worker] = {}
        self._ready: deque[Event] = deque()
        self._selector = selectors.DefaultSelector()

    @classmethod
    def check(cls, gpus: float | None) -> None:
        if gpus:
            make_slots(count_cores(), find_gpus(), gpus=gpus)

    @classmethod
    def preview(
        cls,
        workers: int | None,
        gpus: float | None,
        threads: int | None,
        busy_gpus: BusyGpus = "share",
    ) -> str:
        found = [] if gpus == 0 else find_gpus()
        slots = make_slots(
            count_cores(), found, workers=workers, gpus=gpus, threads=threads, busy=busy_gpus
        )
        return describe_slots(slots, found)

    def slots(self) -> Sequence[Slot]:
        return self._slots

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        worker = self._workers.get(slot.index)
        if worker is not None and worker.stopped is not None:
            self._bury(worker)  # It was ended while it told that its job had ended by itself.
            worker = None
        worker = worker or self._spawn(slot)
        assert worker.key is None, f"slot {slot.index} is busy with {worker.key}"
        worker.key, worker.oom_kills = spec.key, count_oom_kills()
        worker.channel.send(Run(spec))  # A dead worker is heard of when reading.

    def events(self, timeout_s: float) -> Iterator[Event]:
        if not self._ready:
            for ready, _ in self._selector.select(max(timeout_s, 0)):
                ready.data()
        while self._ready:
            yield self._ready.popleft()

    def watch(self, descriptor: int, take: Callable[[], None]) -> None:
        """Has `events` call `take` whenever a descriptor is readable.

        `take` must bear to be called once more after `unwatch`: several descriptors may have
        become readable at once.
        """
        self._selector.register(descriptor, selectors.EVENT_READ, take)

    def unwatch(self, descriptor: int) -> None:
        """Watches a descriptor no more; to be called before it is closed."""
        self._selector.unregister(descriptor)

    def ready(self, event: Event) -> None:
        """Has `events` yield an event, after those that wait already."""
        self._ready.append(event)

    def stop(self, key: str, reason: StopReason) -> None:
        for worker in self._workers.values():
            if worker.key == key:
                if reason in ("pruned", "drain"):
                    worker.channel.send(Stop(key, reason))
                else:
                    worker.stopped = reason
                    worker.process.terminate()

    def close(self) -> None:
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in list(self._workers.values()):
            self._bury(worker)
        self._selector.close()

    def _spawn(self, slot: Slot) -> _Worker:
        control_read, control_write = os.pipe()
        events_read, events_write = os.pipe()
        command = [sys.executable, "-P", "-m", "toolkit.executors.keeper", str(os.getpid())]
        numbers = [self.context.memory or 0, control_read, events_write]
        mark = uuid.uuid4().hex
        with log_for_processes(self.context.folder) as log:
            process = subprocess.Popen(
                [*command, *map(str, numbers), "toolkit.worker.main"],
                pass_fds=(control_read, events_write),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**slot_environment(slot), **self._cap(), MARK: mark},
                start_new_session=True,
            )
        os.close(control_read)
        os.close(events_write)
        channel = Channel(events_read, control_write)
        worker = _Worker(slot, process, mark, channel, open_pidfd(process.pid))
        self._workers[slot.index] = worker
        self.watch(channel.fileno(), partial(self._hear, worker))
        if worker.pidfd is not None:  # A child of a dead worker may keep the pipe open.
            self.watch(worker.pidfd, partial(self._hear, worker, died=True))
        channel.send(Setup.of(self.context, slot))
        return worker

    def _cap(self) -> dict[str, str]:
        return {} if self.context.memory is None else {CAP: str(self.context.memory)}

    def _hear(self, worker: _Worker, *, died: bool = False) -> None:
        """Takes in what a worker wrote, and takes leave of one that died or wrote no event."""
        if self._workers.get(worker.slot.index) is not worker:
            return
        junk = ""
        try:
            for event in worker.channel.receive(EVENT, wait=False):
                self._take(worker, event)
        except MessageError as error:
            junk = str(error)
        if junk or died or not worker.channel.open:
            self._bury(worker)
            if worker.key is not None:
                self.ready(Ended(worker.key, _explain(worker, junk, self.context.memory)))

    def _take(self, worker: _Worker, event: Event) -> None:
        if isinstance(event, Noted):
            self.ready(event)
        elif event.key == worker.key:
            if isinstance(event, Ended):
                worker.key = None
            self.ready(event)
        elif isinstance(event, Ended):
            self.ready(Noted(f"A worker told of the end of {event.key}, which it does not run."))

    def _bury(self, worker: _Worker) -> None:
        """Ends a worker and what its jobs have left behind."""
        del self._workers[worker.slot.index]
        self.unwatch(worker.channel.fileno())
        worker.channel.close()
        if worker.pidfd is not None:
            self.unwatch(worker.pidfd)
            os.close(worker.pidfd)
        end_kept(worker.process)
        kill_marked(worker.mark)


def _explain(worker: _Worker, junk: str, memory: int | None) -> Outcome:
    """Returns how the job of a worker ended that is dead by now."""
    if junk:
        error = f"Its worker wrote what is no event, and was ended: {junk}."
        return Outcome(TrialState.FAILED, error=error)
    code = worker.process.returncode
    if code == OVER_MEMORY and memory and worker.stopped is None:
        return outcome_over_memory(memory)
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return outcome_of_death(
        f"Its worker ended {how}; see stderr.log and engine.log.",
        stopped=worker.stopped,
        oom=code == -signal.SIGKILL and count_oom_kills() > worker.oom_kills,
    )
