"""The local executor: reused worker processes on this machine, one per slot."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.contracts import Event, Executor, ExecutorContext, Slot, StopReason, TrialSpec
from toolkit.executors.slots import count_cores, find_gpus, make_slots

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False)
class _Worker:
    """One process; `key` is the job it runs, `stopped` why it was killed if it was."""

    process: subprocess.Popen[bytes]
    control: int
    events: int
    pidfd: int | None
    key: str | None = None
    stopped: StopReason | None = None
    partial: bytes = b""
    oom_kills: int = 0


class LocalExecutor(Executor):
    """Runs each job in a worker process of its slot; a worker is started with its first job.

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
        )
        self._workers: dict[int, _Worker] = {}
        self._ready: deque[Event] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)

    def slots(self) -> Sequence[Slot]:
        return self._slots

    def start(self, spec: TrialSpec, slot: Slot) -> None:
        worker = self._workers.get(slot.index) or self._spawn(slot)
        assert worker.key is None, f"slot {slot.index} is busy with {worker.key}"
        worker.key = spec.key
        worker.oom_kills = count_oom_kills()
        _send(worker, {"run": asdict(spec)})

    def events(self, timeout_s: float) -> Iterator[Event]:
        if not self._ready:
            for ready, _ in self._selector.select(max(timeout_s, 0)):
                if ready.data is None:
                    with suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                elif callable(ready.data):
                    ready.data()
                elif ready.data in self._workers.values():
                    self._read(ready.data)
        while self._ready:
            yield self._ready.popleft()

    def watch(self, descriptor: int, take: Callable[[], None]) -> None:
        """Have `events` call `take` when a descriptor becomes readable: for those built on this.

        What `take` finds out goes to `ready`; `unwatch` it before it is closed.
        """
        self._selector.register(descriptor, selectors.EVENT_READ, take)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more."""
        self._selector.unregister(descriptor)

    def ready(self, event: Event) -> None:
        """Have `events` yield an event."""
        self._ready.append(event)

    def wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_write, b"!")

    def stop(self, key: str, reason: StopReason) -> None:
        for worker in self._workers.values():
            if worker.key == key:
                if reason in ("pruned", "drain"):
                    _send(worker, {"stop": key, "reason": reason})
                else:
                    worker.stopped = reason
                    _kill(worker)

    def close(self) -> None:
        for slot, worker in list(self._workers.items()):
            _kill(worker)
            self._bury(slot, worker)
        if self._selector.get_map():
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _spawn(self, slot: Slot) -> _Worker:
        control_read, control_write = os.pipe()
        events_read, events_write = os.pipe()
        os.set_blocking(events_read, False)
        command = [sys.executable, "-P", "-m", "toolkit.worker.main"]
        with (self.context.folder / "engine.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, str(control_read), str(events_write), str(os.getpid())],
                pass_fds=(control_read, events_write),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=slot_environment(slot),
                start_new_session=True,
            )
        os.close(control_read)
        os.close(events_write)
        worker = _Worker(process, control_write, events_read, open_pidfd(process.pid))
        self._workers[slot.index] = worker
        for descriptor in (worker.events, worker.pidfd):
            if descriptor is not None:
                self._selector.register(descriptor, selectors.EVENT_READ, worker)
        setup = {
            "recipe": self.context.recipe,
            "plugin_paths": self.context.plugin_paths,
            "device": slot.device,
            "threads": slot.threads,
        }
        _send(worker, setup)
        return worker

    def _read(self, worker: _Worker) -> None:
        """Take in what a worker wrote; if it is dead, that too."""
        alive = worker.process.poll() is None
        while True:
            try:
                data = os.read(worker.events, 1 << 16)
            except BlockingIOError:
                break
            if not data:
                alive = False
                break
            *lines, worker.partial = (worker.partial + data).split(b"\n")
            for line in lines:
                event = Event(**json.loads(line))
                if event.kind == "ended":
                    worker.key = None
                self._ready.append(event)
        if not alive:
            self._take_death(worker)

    def _take_death(self, worker: _Worker) -> None:
        _kill(worker)
        for slot, known in list(self._workers.items()):
            if known is worker:
                self._bury(slot, worker)
        if worker.key is not None:
            self._ready.append(Event(worker.key, "ended", _explain_death(worker)))

    def _bury(self, slot: int, worker: _Worker) -> None:
        worker.process.wait()
        for descriptor in (worker.events, worker.pidfd):
            if descriptor is not None:
                self._selector.unregister(descriptor)
                os.close(descriptor)
        os.close(worker.control)
        del self._workers[slot]


def slot_environment(slot: Slot) -> dict[str, str]:
    """What a worker must find before it imports torch: threads, its GPU, this very toolkit."""
    environment = dict(os.environ)
    environment.update(dict.fromkeys(_THREAD_VARIABLES, str(slot.threads)))
    environment["CUDA_VISIBLE_DEVICES"] = slot.gpu_uuid or ""
    source = Path(__file__).parents[2]
    if source.name not in ("site-packages", "dist-packages"):
        paths = [str(source), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def _send(worker: _Worker, message: Mapping[str, Any]) -> None:
    data = memoryview((json.dumps(message) + "\n").encode())
    # A dead worker is heard of through its own pipe.
    with suppress(BrokenPipeError):
        while data:
            data = data[os.write(worker.control, data) :]


def _kill(worker: _Worker) -> None:
    """Kill a worker and what it started: it leads a session of its own."""
    if worker.process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)


def _explain_death(worker: _Worker) -> dict[str, Any]:
    code = worker.process.returncode
    if worker.stopped == "timeout":
        return {"state": "timeout", "error": "It ran longer than resources.trial_timeout."}
    if worker.stopped == "now":
        return {"state": "lost", "error": "The engine was stopped."}
    if code == -signal.SIGKILL and count_oom_kills() > worker.oom_kills:
        return {"state": "oom", "error": "The kernel killed its worker for lack of memory."}
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return {"state": "lost", "error": f"Its worker ended {how}; see stderr.log and engine.log."}


def count_oom_kills() -> int:
    """Processes the kernel killed for lack of memory: in this container, else on this machine."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    return 0


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; Linux has it."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None
