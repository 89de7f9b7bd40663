"""The executor `nni`: trainings are trials of NNI's experiment manager, other jobs run as ever."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

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
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import MessageError
from toolkit.errors import ToolkitError
from toolkit.executors.channel import Channel
from toolkit.executors.local import LocalExecutor
from toolkit.executors.messages import Run, Setup, Stop
from toolkit.executors.processes import (
    count_oom_kills,
    kill_session,
    open_pidfd,
    outcome_of_death,
    slot_variables,
)
from toolkit_nni.manager.handle import ManagerHandle, wanted_port
from toolkit_nni.manager.messages import (
    VISITOR,
    Assignment,
    Entry,
    ManagerBroken,
    ManagerStarted,
    TrialEnd,
    TrialHello,
    TunerHello,
    Visitor,
    Void,
)

FOLDER = "nni"
"""Of the experiments, within the run folder."""
RESTARTS = 2
"""Managers that may break one after the other, without a trial that ended between them."""
READY_S = 90.0
"""Time NNI's dispatcher has to come up."""
STALL_S = 120.0
"""Time within which one of the entered trials starts where none runs."""
LAST_S = 5.0
"""Time NNI has to notice that its last trials ended."""


@dataclass(eq=False)
class _Ticket:
    """One job under NNI; `over` once the engine has heard of its end."""

    number: int
    spec: TrialSpec
    job: TrainJob
    slot: Slot
    entered: float = 0.0
    link: Channel | None = None
    pid: int = 0
    pidfd: int | None = None
    stopped: StopReason | None = None
    oom_kills: int = 0
    over: bool = False


class NniExecutor(Executor):
    """Trials of NNI's experiment manager, one process each; NNI never chooses what runs in them.

    The engine keeps deciding, so every strategy works, as do resuming, pruning and placement on
    GPUs. A training is entered as a trial of NNI's under a ticket; when NNI's scheduler has started
    the trial's process, that process comes here for the job of its ticket. Supernets and the jobs
    that are no trials (the first batch, test, export) run in local workers.

    A resumed run has a new experiment: NNI's own way to resume would start its unfinished trials
    beside those that the engine queues again.

    Raises:
        RecipeError: the port asked for cannot be used, or no slot can be made of this machine.
    """

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        self._local = LocalExecutor(context)
        self._port = wanted_port()
        self._manager: ManagerHandle | None = None
        self._tuner: Channel | None = None
        self._tickets: dict[int, _Ticket] = {}
        self._waiting: deque[_Ticket] = deque()
        self._links: dict[Channel, _Ticket | None] = {}
        self._unended: set[int] = set()
        self._began = 0.0
        self._broken = 0
        self._closing = False
        self._fault: ToolkitError | None = None

    @classmethod
    def preview(
        cls,
        workers: int | None,
        gpus: float | None,
        threads: int | None,
        busy_gpus: BusyGpus = "share",
    ) -> str:
        return LocalExecutor.preview(workers, gpus, threads, busy_gpus)

    def slots(self) -> Sequence[Slot]:
        return self._local.slots()

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        if not isinstance(spec.job, TrainJob):
            self._local.start(spec, slot)
            return
        ticket = _Ticket(len(self._tickets), spec, spec.job, slot)
        self._tickets[ticket.number] = ticket
        self._waiting.append(ticket)
        if self._manager is None:
            self._begin()
        self._enter()

    def events(self, timeout_s: float) -> Iterator[Event]:
        yield from self._local.events(timeout_s)
        self._look_at_the_clock()
        if self._fault is not None:
            raise self._fault

    def stop(self, key: str, reason: StopReason) -> None:
        ticket = next((t for t in self._tickets.values() if t.spec.key == key and not t.over), None)
        if ticket is None:
            self._local.stop(key, reason)
        elif reason in ("pruned", "drain"):
            ticket.stopped = reason
            if ticket.link is not None:
                ticket.link.send(Stop(key, reason))
            else:  # Its process, once NNI starts it, finds that it has come in vain.
                self._end(ticket, Outcome(TrialState.QUEUED))
        else:
            ticket.stopped = reason
            _kill(ticket)
            if ticket.link is None:
                self._end(ticket, _explain(ticket))

    def close(self) -> None:
        self._closing = True
        if self._manager is not None:
            orderly = self._fault is None and self._tuner is not None
            for ticket in self._tickets.values():
                if not ticket.over:
                    self.stop(ticket.spec.key, "now")
            deadline = time.monotonic() + LAST_S
            while orderly and self._unended and self._tuner and time.monotonic() < deadline:
                list(self._local.events(0.1))
            self._leave(orderly=orderly)
        self._local.close()

    def _begin(self) -> None:
        self._objective, direction = next(iter(self.context.objectives.items()))
        self._manager = ManagerHandle(
            self.context.folder / FOLDER,
            self.context.recipe["name"],
            len(self._local.slots()),
            direction,
            self._port,
        )
        self._began = time.monotonic()
        self._local.watch(self._manager.listener.fileno(), partial(self._accept, self._manager))
        self._local.watch(self._manager.channel.fileno(), partial(self._hear_guard, self._manager))

    def _leave(self, *, orderly: bool) -> None:
        """End the manager, and with it the trials that still run."""
        manager, self._manager = self._manager, None
        assert manager is not None
        self._local.unwatch(manager.listener.fileno())
        self._local.unwatch(manager.channel.fileno())
        manager.end(orderly=orderly)
        for link in list(self._links):
            self._hear(link)
            self._drop(link)
        self._unended.clear()

    def _break(self, error: str) -> None:
        """Put another manager in the place of one that broke, some times."""
        if self._manager is None or self._closing:
            return
        for link, held in list(self._links.items()):
            if held is not None:  # It may have told its end already.
                self._hear(link)
        for ticket in self._tickets.values():
            if ticket.link is not None and not ticket.over:
                _kill(ticket)
                broke = f"NNI's experiment manager broke: {error}."
                self._end(ticket, Outcome(TrialState.LOST, error=broke))
        self._leave(orderly=False)
        again = [t for t in self._tickets.values() if t.entered and not t.over and t.link is None]
        for ticket in again:
            ticket.entered = 0.0
        self._waiting.extendleft(reversed(again))
        self._broken += 1
        log = self.context.folder / FOLDER / "guard.log"
        if self._broken > RESTARTS:
            self._fault = ToolkitError(
                f"NNI's experiment manager broke {self._broken} times: {error}.",
                hint=f"See {log}. The same command goes on, also with --executor local.",
            )
            return
        self._note(f"NNI's experiment manager broke: {error}. It is started again; see {log}")
        self._begin()

    def _enter(self) -> None:
        """Give NNI's scheduler what it does not have yet."""
        while self._waiting and self._tuner is not None:
            ticket = self._waiting.popleft()
            if ticket.over:
                continue
            ticket.entered = time.monotonic()
            self._unended.add(ticket.number)
            self._tuner.send(Entry(ticket.number, shown(ticket.spec.key, ticket.job)))

    def _accept(self, manager: ManagerHandle) -> None:
        if manager is not self._manager:
            return
        link = manager.accept()
        self._links[link] = None
        self._local.watch(link.fileno(), partial(self._hear, link))

    def _hear_guard(self, manager: ManagerHandle) -> None:
        for word in manager.words() if manager is self._manager else ():
            match word:
                case ManagerBroken(error):
                    self._break(error)
                    return
                case ManagerStarted(port, experiment):
                    address = self.context.folder / FOLDER / "address"
                    manager.write_address(address, port)
                    self._note(
                        f"NNI's web page is at http://127.0.0.1:{port}, for this user alone: the"
                        f" address with its token is in {address}; its experiment is {experiment}"
                    )

    def _hear(self, link: Channel) -> None:
        if link not in self._links:
            return
        junk = ""
        try:
            for message in link.receive(VISITOR, wait=False):
                self._take(link, message)
        except MessageError as error:
            junk = f"Its process wrote what is no event, and was ended: {error}."
        if junk or not link.open:
            self._drop(link, junk)

    def _take(self, link: Channel, message: Visitor) -> None:
        match message:
            case TunerHello():
                self._tuner = link
                self._enter()
            case TrialHello(number, pid):
                self._greet(link, number, pid)
            case TrialEnd():
                self._take_end(message)
            case Noted():
                self._local.ready(message)
            case _:
                ticket = self._links[link]
                if ticket is None or ticket.over or message.key != ticket.spec.key:
                    return
                if isinstance(message, Ended):
                    self._broken = 0
                    self._end(ticket, message.outcome)
                else:
                    self._local.ready(message)

    def _greet(self, link: Channel, number: int, pid: int) -> None:
        """Give a trial's process the job of its ticket."""
        ticket = self._tickets.get(number)
        if ticket is None or ticket.over or ticket.link is not None:
            link.send(Void())
            return
        self._links[link], ticket.link, ticket.pid = ticket, link, pid
        ticket.oom_kills = count_oom_kills()
        ticket.pidfd = open_pidfd(pid)
        if ticket.pidfd is not None:
            self._local.watch(ticket.pidfd, partial(self._hear_death, ticket))
        link.send(Assignment(ticket.spec.folder, self._objective, slot_variables(ticket.slot)))
        link.send(Setup.of(self.context, ticket.slot))
        link.send(Run(ticket.spec))

    def _hear_death(self, ticket: _Ticket) -> None:
        """A trial's process ended; a child of its may keep the connection open."""
        if ticket.link is not None:
            self._hear(ticket.link)
        if ticket.link is not None:
            self._drop(ticket.link)

    def _drop(self, link: Channel, junk: str = "") -> None:
        """Forget a connection; its trial, if it has told no end, is lost, or failed for `junk`."""
        if link not in self._links:
            return
        ticket = self._links.pop(link)
        self._local.unwatch(link.fileno())
        link.close()
        if link is self._tuner:
            self._tuner = None
            self._break("its dispatcher ended")
        if ticket is None:
            return
        ticket.link = None
        if ticket.pidfd is not None:
            self._local.unwatch(ticket.pidfd)
            os.close(ticket.pidfd)
            ticket.pidfd = None
        if not ticket.over:
            _kill(ticket)
            failed = Outcome(TrialState.FAILED, error=junk)
            self._end(ticket, failed if junk else _explain(ticket))

    def _take_end(self, end: TrialEnd) -> None:
        """NNI says that a trial's process ended."""
        self._unended.discard(end.ticket)
        ticket = self._tickets.get(end.ticket)
        if ticket is not None and not ticket.over and ticket.link is None:
            error = (
                f"NNI's trial {end.trial} ended as {end.state} before it took up its job; see its"
                f" trial.stderr in {self.context.folder / FOLDER}."
            )
            self._end(ticket, Outcome(TrialState.LOST, error=error))

    def _end(self, ticket: _Ticket, outcome: Outcome) -> None:
        ticket.over = True
        self._local.ready(Ended(ticket.spec.key, outcome))

    def _note(self, message: str) -> None:
        self._local.ready(Noted(message))

    def _look_at_the_clock(self) -> None:
        if self._manager is None:
            return
        now = time.monotonic()
        if self._tuner is None:
            if now - self._began > READY_S:
                self._break("its dispatcher did not come up")
            return
        open_tickets = [t for t in self._tickets.values() if not t.over and t.entered]
        if any(t.link is not None for t in open_tickets):
            return
        if any(now - t.entered > STALL_S for t in open_tickets):
            self._break(f"it started no trial for {STALL_S:g} s")


def shown(key: str, job: TrainJob) -> dict[str, Any]:
    """The parameters that NNI shows of a trial: its number, its point, and its fidelity if any."""
    fidelity = {"fidelity": dict(job.fidelity)} if job.fidelity else {}
    return {"number": int(key.rpartition("-")[2]), **job.point, **fidelity}


def _kill(ticket: _Ticket) -> None:
    if ticket.pid:
        kill_session(ticket.pid)


def _explain(ticket: _Ticket) -> Outcome:
    """The end of a trial whose process died, or was killed, without telling."""
    return outcome_of_death(
        f"Its process under NNI ended without telling why; see {ticket.spec.folder}.",
        stopped=ticket.stopped,
        oom=bool(ticket.pid) and count_oom_kills() > ticket.oom_kills,
    )
