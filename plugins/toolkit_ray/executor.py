"""The executor `ray`, as the engine sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

from toolkit.contracts import (
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
from toolkit.contracts.coding import MessageError
from toolkit.errors import PluginError, RecipeError, ToolkitError, ToolkitWarning
from toolkit.executors.channel import Channel
from toolkit.executors.local import LocalExecutor
from toolkit.executors.messages import Stop
from toolkit.executors.processes import log_for_processes, slot_environment
from toolkit.executors.remote import Place
from toolkit_ray.messages import WORD, Begin, Connect, Connected, Refused, Waiting, Word

PATIENCE_S = 90.0
"""Time for a cluster to answer at the start, and again after it broke."""
BREAKS = 4
"""Times that the connection may break, without a job that ended between them."""
TOLD_S = 20.0
"""Time without an answer at the start after which the user is told."""
_END_S = 15.0


class RayExecutor(Executor):
    """Each slot is an actor on a Ray cluster; trainings and supernets run there.

    The cluster is that of `RAY_ADDRESS`, or one started on this machine. The first batch, the test
    and the export run in a worker beside the engine, as everywhere. The engine's ledger stays the
    only truth: of an actor, a machine or a head that is gone, the jobs end `lost`, and the engine
    queues them again from their checkpoints, which come back with every report.

    Raises:
        PluginError: Ray is not installed.
        RecipeError: no machine of the cluster has what a trial asks for.
        ToolkitError: no cluster answers.
    """

    def __init__(self, context: ExecutorContext) -> None:
        super().__init__(context)
        if find_spec("ray") is None:
            raise PluginError(
                "resources.executor: ray needs Ray, which is not installed.",
                hint="pip install 'nas-toolkit[ray]'",
            )
        self._local = LocalExecutor(replace(context, workers=1, gpus=0))
        self._place = Place.of(context, scratch="ray")
        self._running: dict[str, TrialSpec] = {}
        self._waiting = Waiting((), "")
        self._slots: list[Slot] = []
        self._breaks = 0
        self._began = 0.0
        self._connected: Connected | None = None
        self._fault: ToolkitError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._launch()
        try:
            self._await_cluster()
        except BaseException:
            self.close()
            raise
        known = self._connected
        assert known is not None
        device = "cuda" if known.gpus else "cpu"
        self._slots = [Slot(n, device, None, known.threads) for n in range(known.slots)]

    @classmethod
    def check(cls, gpus: float | None) -> None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise RecipeError(
                f"resources.gpus: {gpus:g} GPUs a trial is neither a whole number nor below 1.",
                hint="Set it to a fraction such as 0.5, or to 1, 2, ...",
            )

    def slots(self) -> Sequence[Slot]:
        return self._slots

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        if not spec.trains:
            self._local.start(spec, self._local.slots()[0])
            return
        if self._channel is None:
            self._launch()
        assert self._channel is not None
        self._running[spec.key] = spec
        self._channel.send(Begin(slot.index, spec))

    def events(self, timeout_s: float) -> Iterator[Event]:
        yield from self._local.events(timeout_s)
        connecting = self._connected is None and self._channel is not None
        if connecting and time.monotonic() - self._began > PATIENCE_S + _END_S:
            self._break("the cluster did not answer")
        if self._fault is not None:
            raise self._fault

    def waiting(self, key: str) -> str:
        if key not in self._running:
            return ""
        if self._connected is None:
            return f"The Ray cluster{_at()} does not answer; it is tried again."
        return self._waiting.why if key in self._waiting.keys else ""

    def stop(self, key: str, reason: StopReason) -> None:
        if key not in self._running:
            self._local.stop(key, reason)
        elif self._channel is not None:
            self._channel.send(Stop(key, reason))

    def close(self) -> None:
        self._leave()
        self._local.close()

    def _launch(self) -> None:
        """Starts a bridge; what it is told before it is connected waits in the pipe."""
        control_read, control_write = os.pipe()
        events_read, events_write = os.pipe()
        environment = {**slot_environment(Slot(0)), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            del environment["CUDA_VISIBLE_DEVICES"]
        numbers = map(str, (control_read, events_write, os.getpid()))
        with log_for_processes(self.context.folder) as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "toolkit_ray.bridge", *numbers],
                pass_fds=(control_read, events_write),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        os.close(control_read)
        os.close(events_write)
        self._channel, self._connected = Channel(events_read, control_write), None
        self._began = time.monotonic()
        self._local.watch(self._channel.fileno(), self._hear)
        self._channel.send(Connect(self._place, self.context.workers, PATIENCE_S))

    def _await_cluster(self) -> None:
        told = False
        while self._connected is None:
            list(self._local.events(0.2))
            if not told and time.monotonic() - self._began > TOLD_S:
                told = True
                warnings.warn(
                    ToolkitWarning(
                        f"The Ray cluster{_at()} has not answered for {TOLD_S:.0f} s. It is waited"
                        f" for {PATIENCE_S:.0f} s."
                    ),
                    stacklevel=2,
                )
            if self._fault is not None:
                raise self._fault
            if time.monotonic() - self._began > PATIENCE_S + _END_S:
                raise ToolkitError("No Ray cluster answers.", hint="See engine.log.")

    def _hear(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            for word in channel.receive(WORD, wait=False):
                self._take(word)
                if self._channel is not channel:
                    return
        except MessageError as error:
            self._break(f"it wrote what is no event: {error}")
            return
        if not channel.open:
            self._break("its process ended")

    def _take(self, word: Word) -> None:
        match word:
            case Connected():
                self._connected = word
            case Refused(message, hint):
                self._fault = RecipeError(message, hint=hint)
                if not message.startswith("resources"):
                    self._fault = ToolkitError(message, hint=hint)
            case Noted():
                self._local.ready(word)
            case Waiting():
                self._waiting = word
            case _ if word.key in self._running:
                if isinstance(word, Ended):
                    del self._running[word.key]
                    if word.outcome.state is not TrialState.LOST:
                        self._breaks = 0
                self._local.ready(word)

    def _break(self, why: str) -> None:
        """Takes leave of a bridge; its jobs are lost, and the next one makes another."""
        first = self._connected is None and not self._running
        self._leave()
        self._breaks += 1
        self._waiting = Waiting((), "")
        for key in list(self._running):
            del self._running[key]
            error = f"The connection to the Ray cluster broke: {why}."
            self._local.ready(Ended(key, Outcome(TrialState.LOST, error=error)))
        if first or self._breaks > BREAKS:
            self._fault = ToolkitError(
                f"The connection to the Ray cluster broke {self._breaks} times: {why}.",
                hint=f"See {self.context.folder / 'engine.log'}. The same command goes on, also"
                " with --executor local.",
            )
        else:
            self._local.ready(Noted(f"The connection to Ray broke ({why}); it is tried again."))

    def _leave(self) -> None:
        """Ends the bridge, and with it all actors."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if channel is not None:
            self._local.unwatch(channel.fileno())
            channel.close()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            process.kill()
            process.wait()


def _at() -> str:
    address = os.environ.get("RAY_ADDRESS")
    return f" at {address}" if address else " that is started on this machine"
