"""One task of the job array: it connects back to the engine, and holds the worker of a slot."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.base.files import remove_tree
from toolkit.contracts import Ended
from toolkit.contracts.coding import MessageError
from toolkit.executors.channel import Channel
from toolkit.executors.messages import Run, Stop
from toolkit.executors.remote import RemoteSlot
from toolkit_slurm.messages import GIVEN, SETTING, Given, Hello, Leaving, Told

ANSWER_S = 60.0
"""Longest time to look for the engine."""
DRAIN_S = 80.0
"""Longest time that a job has to come to its next report when the task is pre-empted."""


class SlurmTask:
    """What submitit runs. It holds nothing but plain values.

    Args:
        host, port: of the engine.
        token_file: a file that only the user can read.
        slot: that it is for.
    """

    def __init__(self, host: str, port: int, token_file: str, slot: int) -> None:
        self.host, self.port, self.token_file, self.slot = host, port, token_file, slot

    def __call__(self) -> str:
        """Serves the engine until it has gone; what came of it, for the log."""
        connection = self._connect()
        if connection is None:
            return f"no engine answered at {self.host}:{self.port}"
        channel = Channel.over(connection)
        token = Path(self.token_file).read_text(encoding="ascii")
        channel.send(Hello(token, self.slot, socket.gethostname()))
        place = channel.receive_one(SETTING)
        if place is None:
            return "the engine had no use for this task"
        scratch = Path(tempfile.mkdtemp(prefix="toolkit-slurm-"))
        if not place.shared:
            place = replace(place, scratch=str(scratch))
        session = _sessions[self.slot] = _Session(channel, RemoteSlot(place))
        try:
            session.serve()
        finally:
            remove_tree(scratch, scratch.parent)
        return "the engine has gone"

    def checkpoint(self) -> Any:
        """Called by submitit at a pre-emption: the job ends at its next report, with a checkpoint.

        Returns:
            The same task, to be queued again.
        """
        from submitit.helpers import DelayedSubmission

        session = _sessions.get(self.slot)
        if session is not None:
            session.drain(DRAIN_S)
        return DelayedSubmission(SlurmTask(self.host, self.port, self.token_file, self.slot))

    def _connect(self) -> socket.socket | None:
        until = time.monotonic() + ANSWER_S
        while True:
            with suppress(OSError):
                connection = socket.create_connection((self.host, self.port), timeout=10.0)
                connection.settimeout(None)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return connection
            if time.monotonic() > until:
                return None
            time.sleep(1.0)


class _Session:
    """A slot and its connection; two threads relay, so that the main one can heed signals."""

    def __init__(self, channel: Channel, slot: RemoteSlot) -> None:
        self._channel, self._slot = channel, slot
        self._key = ""
        self._idle, self._over = threading.Event(), threading.Event()
        self._idle.set()

    def serve(self) -> None:
        for work in (self._hear, self._tell):
            threading.Thread(target=work, daemon=True).start()
        self._over.wait()
        self._slot.close()

    def drain(self, wait_s: float) -> None:
        """Has the job at hand end with a checkpoint, and waits until that was told."""
        self._channel.send(Leaving())
        if self._key:
            self._slot.order(Stop(self._key, "drain"))
            self._idle.wait(wait_s)
        self._slot.close()
        self._channel.close()

    def _hear(self) -> None:
        with suppress(MessageError):
            for given in self._channel.receive(GIVEN):
                self._take(given)
        self._over.set()

    def _take(self, given: Given) -> None:
        if isinstance(given.order, Run):
            self._key = given.order.spec.key
            self._idle.clear()
        self._slot.order(given.order, dict.fromkeys(given.files, b""))

    def _tell(self) -> None:
        while not self._over.is_set():
            for parcel in self._slot.take(1.0):
                event = parcel.event
                if not self._channel.send(Told(event, parcel.stored)):
                    self._over.set()
                if isinstance(event, Ended) and event.key == self._key:
                    self._key = ""
                    self._idle.set()


_sessions: dict[int, _Session] = {}
"""Of this process; not an attribute of the task, which submitit writes to a file."""
