"""The executor `nni`: trainings are trials of NNI's experiment manager, other jobs run as ever."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.contracts import Event, ExecutorContext, Slot, StopReason, TrialSpec
from toolkit.errors import ToolkitError
from toolkit.executors.local import (
    LocalExecutor,
    count_oom_kills,
    open_pidfd,
    slot_environment,
)
from toolkit.problem import Problem
from toolkit.recipe import from_checked
from toolkit.registry import Registry
from toolkit_nni.manager.handle import ManagerHandle, wanted_port
from toolkit_nni.manager.lines import Lines

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
_TICK_S = 1.0
_SLOT_WORDS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


@dataclass(eq=False)
class _Ticket:
    """One job under NNI; `over` once the engine has heard of its end."""

    number: int
    spec: TrialSpec
    slot: Slot
    entered: float = 0.0
    link: Lines | None = None
    pid: int = 0
    pidfd: int | None = None
    stopped: StopReason | None = None
    oom_kills: int = 0
    over: bool = False


class NniExecutor(LocalExecutor):
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
        self._port = wanted_port()
        self._manager: ManagerHandle | None = None
        self._tuner: Lines | None = None
        self._tickets: dict[int, _Ticket] = {}
        self._waiting: deque[_Ticket] = deque()
        self._links: dict[Lines, _Ticket | None] = {}
        self._unended: set[int] = set()
        self._began = 0.0
        self._broken = 0
        self._closing = False
        self._fault: ToolkitError | None = None

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        if spec.kind != "train":
            super().start(spec, slot)
            return
        ticket = _Ticket(len(self._tickets), spec, slot)
        self._tickets[ticket.number] = ticket
        self._waiting.append(ticket)
        if self._manager is None:
            self._begin()
        self._enter()

    def events(self, timeout_s: float) -> Iterator[Event]:
        yield from super().events(timeout_s if self._manager is None else min(timeout_s, _TICK_S))
        self._look_at_the_clock()
        if self._fault is not None:
            raise self._fault

    def stop(self, key: str, reason: StopReason) -> None:
        ticket = next((t for t in self._tickets.values() if t.spec.key == key and not t.over), None)
        if ticket is None:
            super().stop(key, reason)
        elif reason in ("pruned", "drain"):
            ticket.stopped = reason
            if ticket.link is not None:
                ticket.link.send({"stop": key, "reason": reason})
            else:  # Its process, once NNI starts it, finds that it has come in vain.
                self._end(ticket, {"state": "queued"})
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
                list(super().events(0.1))
            self._leave(orderly=orderly)
        super().close()

    @property
    def _problem(self) -> Problem:
        registry = Registry([Path(path) for path in self.context.plugin_paths])
        return Problem(from_checked(self.context.recipe), registry)

    def _begin(self) -> None:
        self._objective, direction = next(iter(self._problem.objectives.items()))
        self._manager = ManagerHandle(
            self.context.folder / FOLDER,
            self.context.recipe["name"],
            len(self.slots()),
            direction,
            self._port,
        )
        self._began = time.monotonic()
        self.watch(self._manager.listener.fileno(), partial(self._accept, self._manager))
        self.watch(self._manager.events, partial(self._hear_guard, self._manager))

    def _leave(self, *, orderly: bool) -> None:
        """End the manager, and with it the trials that still run."""
        manager, self._manager = self._manager, None
        assert manager is not None
        self.unwatch(manager.listener.fileno())
        self.unwatch(manager.events)
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
                self._end(ticket, {"state": "lost", "error": broke})
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
            self._tuner.send({"ticket": ticket.number, "parameters": shown(ticket.spec)})

    def _accept(self, manager: ManagerHandle) -> None:
        if manager is not self._manager:
            return
        link = Lines(manager.accept(), wait=False)
        self._links[link] = None
        self.watch(link.fileno(), partial(self._hear, link))

    def _hear_guard(self, manager: ManagerHandle) -> None:
        for message in manager.messages() if manager is self._manager else ():
            if message["kind"] == "broken":
                self._break(message["error"])
                return
            self._note(
                f"NNI's web page is at http://127.0.0.1:{message['port']}, reached from this"
                f" machine alone and without a login; its experiment is {message['id']} in"
                f" {self.context.folder / FOLDER}"
            )

    def _hear(self, link: Lines) -> None:
        if link not in self._links:
            return
        try:
            for message in link.receive():
                self._take(link, message)
        except (ValueError, KeyError, TypeError):  # It died in the middle of a message.
            link.open = False
        if not link.open:
            self._drop(link)

    def _take(self, link: Lines, message: Mapping[str, Any]) -> None:
        if message.get("hello") == "tuner":
            self._tuner = link
            self._enter()
        elif message.get("hello") == "trial":
            self._greet(link, message)
        elif "ended" in message:
            self._take_end(message)
        else:
            ticket = self._links[link]
            if ticket is None or ticket.over:
                return
            if message["kind"] == "ended":
                self._broken = 0
                self._end(ticket, message["body"])
            else:
                self.ready(Event(ticket.spec.key, message["kind"], message["body"]))

    def _greet(self, link: Lines, message: Mapping[str, Any]) -> None:
        """Give a trial's process the job of its ticket."""
        ticket = self._tickets.get(message["ticket"])
        if ticket is None or ticket.over or ticket.link is not None:
            link.send({"void": True})
            return
        self._links[link], ticket.link, ticket.pid = ticket, link, message["pid"]
        ticket.oom_kills = count_oom_kills()
        ticket.pidfd = open_pidfd(ticket.pid)
        if ticket.pidfd is not None:
            self.watch(ticket.pidfd, partial(self._hear_death, ticket))
        environment = slot_environment(ticket.slot)
        link.send(
            {
                "run": True,
                "folder": ticket.spec.folder,
                "objective": self._objective,
                "environment": {name: environment[name] for name in _SLOT_WORDS},
            }
        )
        link.send(
            {
                "recipe": self.context.recipe,
                "plugin_paths": self.context.plugin_paths,
                "device": ticket.slot.device,
                "threads": ticket.slot.threads,
            }
        )
        link.send({"run": asdict(ticket.spec)})

    def _hear_death(self, ticket: _Ticket) -> None:
        """A trial's process ended; a child of its may keep the connection open."""
        if ticket.link is not None:
            self._hear(ticket.link)
        if ticket.link is not None:
            self._drop(ticket.link)

    def _drop(self, link: Lines) -> None:
        """Forget a connection; its trial, if it has told no end, is lost."""
        if link not in self._links:
            return
        ticket = self._links.pop(link)
        self.unwatch(link.fileno())
        link.close()
        if link is self._tuner:
            self._tuner = None
            self._break("its dispatcher ended")
        if ticket is None:
            return
        ticket.link = None
        if ticket.pidfd is not None:
            self.unwatch(ticket.pidfd)
            os.close(ticket.pidfd)
            ticket.pidfd = None
        if not ticket.over:
            _kill(ticket)
            self._end(ticket, _explain(ticket))

    def _take_end(self, message: Mapping[str, Any]) -> None:
        """NNI says that a trial's process ended."""
        self._unended.discard(message["ended"])
        ticket = self._tickets.get(message["ended"])
        if ticket is not None and not ticket.over and ticket.link is None:
            trial, state = message["trial"], message["event"]
            self._end(
                ticket,
                {
                    "state": "lost",
                    "error": f"NNI's trial {trial} ended as {state} before it took up its job; see"
                    f" its trial.stderr in {self.context.folder / FOLDER}.",
                },
            )

    def _end(self, ticket: _Ticket, body: Mapping[str, Any]) -> None:
        ticket.over = True
        self.ready(Event(ticket.spec.key, "ended", body))

    def _note(self, message: str) -> None:
        self.ready(Event("", "noted", {"message": message}))

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


def shown(spec: TrialSpec) -> dict[str, Any]:
    """The parameters that NNI shows of a trial: its number, its point, and its fidelity if any."""
    number = int(spec.key.rpartition("-")[2])
    fidelity = dict(spec.payload.get("fidelity") or {})
    return {
        "number": number,
        **(spec.payload["point"] or {}),
        **({"fidelity": fidelity} if fidelity else {}),
    }


def _kill(ticket: _Ticket) -> None:
    """Kill a trial's process and what it started: it leads a session of its own."""
    if ticket.pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(ticket.pid, signal.SIGKILL)


def _explain(ticket: _Ticket) -> dict[str, Any]:
    """The end of a trial whose process died, or was killed, without telling."""
    if ticket.stopped == "timeout":
        return {"state": "timeout", "error": "It ran longer than resources.trial_timeout."}
    if ticket.stopped == "now":
        return {"state": "lost", "error": "The engine was stopped."}
    if count_oom_kills() > ticket.oom_kills and ticket.pid:
        return {"state": "oom", "error": "The kernel killed it for lack of memory."}
    return {
        "state": "lost",
        "error": f"Its process under NNI ended without telling why; see {ticket.spec.folder}.",
    }
