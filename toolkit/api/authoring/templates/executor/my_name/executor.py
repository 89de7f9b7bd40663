"""Where jobs run: here one worker process, spoken with over a socket.

To run jobs elsewhere, exchange what `_begin` starts: a worker is `python -m toolkit.worker.main` at
the other end of a connection, wherever it is.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

from toolkit import contracts
from toolkit.contracts import Ended, Event, ExecutorContext, Slot, StopReason, TrialSpec
from toolkit.contracts.coding import EVENT
from toolkit.executors.channel import Channel
from toolkit.executors.messages import Run, Setup, Stop
from toolkit.executors.processes import kill_session, outcome_of_death, slot_environment


class MyName(contracts.Executor):
    """Runs one job after the other in a worker process of its own."""

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._running: str | None = None
        self._killed_for: StopReason | None = None

    def slots(self) -> Sequence[Slot]:
        return [Slot(0, threads=self.context.threads or 1)]

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        channel = self._channel or self._begin(slot)
        channel.send(Run(spec))
        self._running, self._killed_for = spec.key, None

    def events(self, timeout_s: float) -> Iterator[Event]:
        channel = self._channel
        if channel is None:
            return
        select.select([channel], [], [], timeout_s)
        for event in channel.receive(EVENT, wait=False):
            if isinstance(event, Ended):
                self._running = None
            yield event
        if not channel.open:  # The worker has died, with its job or between two.
            self._end()
            if self._running is not None:
                key, self._running = self._running, None
                outcome = outcome_of_death("Its worker died.", stopped=self._killed_for)
                yield Ended(key, outcome)

    def stop(self, key: str, reason: StopReason) -> None:
        if self._process is None or self._channel is None or key != self._running:
            return
        if reason in ("pruned", "drain"):
            self._channel.send(Stop(key, reason))
        else:
            self._killed_for = reason
            kill_session(self._process.pid)

    def close(self) -> None:
        self._running = None
        self._end()

    def _begin(self, slot: Slot) -> Channel:
        near, far = socket.socketpair()
        number = str(far.fileno())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "toolkit.worker.main", number, number, str(os.getpid())],
            pass_fds=[far.fileno()],
            env=slot_environment(slot),
            start_new_session=True,
        )
        far.close()
        self._channel = Channel.over(near)
        self._channel.send(Setup.of(self.context, slot))
        return self._channel

    def _end(self) -> None:
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if process is not None:
            kill_session(process.pid)
            process.wait()
        if channel is not None:
            channel.close()
