"""A worker process: takes jobs from its engine one after the other, and dies with it.

It is started as `python -m toolkit.worker.main CONTROL_FD EVENTS_FD ENGINE_PID`. Both pipes
carry one JSON object a line. From the engine: first what to set up, then `{"run": spec}` and
`{"stop": key, "reason": ...}`. To the engine: `{"key": ..., "kind": "started" | "reported" |
"ended", "body": ...}`. Standard output and error of a job go to files in its folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Serve one engine until its end of the pipe closes."""
    control, events, engine = map(int, arguments)
    die_with(engine)
    # Ctrl-C reaches the whole terminal group; what it means is for the engine to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (control, events):
        os.set_inheritable(descriptor, False)
    Worker(control, events).serve()


def die_with(engine: int) -> None:
    """Have the kernel kill this process when its engine dies, however that dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != engine:
        os._exit(1)


class Worker:
    """The two pipes and the job at hand."""

    def __init__(self, control: int, events: int) -> None:
        self._control = os.fdopen(control, encoding="utf-8")
        self._events = events
        self._jobs: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._stops: dict[str, str] = {}

    def serve(self) -> None:
        """Run jobs until the pipe ends; the process ends there too."""
        setup = json.loads(self._control.readline() or "null")
        if setup is None:
            return
        threading.Thread(target=self._listen, daemon=True).start()
        runner = _make_runner(setup)
        while True:
            job = self._jobs.get()
            key = job["key"]

            def send(step: int, values: Mapping[str, float], records: Mapping[str, Any]) -> None:
                self._send(key, "reported", {"step": step, "values": values, "records": records})  # noqa: B023

            self._send(key, "started", {})
            with _redirected(Path(job["folder"])):
                body = runner.run(job, send, lambda: self._stops.get(key))  # noqa: B023
            self._send(key, "ended", body)

    def _listen(self) -> None:
        try:
            for line in self._control:
                message = json.loads(line)
                if "run" in message:
                    self._stops.pop(message["run"]["key"], None)
                    self._jobs.put(message["run"])
                else:
                    self._stops[message["stop"]] = message["reason"]
        finally:  # The engine is gone; a socket may say so with an error.
            os._exit(1)

    def _send(self, key: str, kind: str, body: Mapping[str, Any]) -> None:
        line = json.dumps({"key": key, "kind": kind, "body": body}) + "\n"
        data = memoryview(line.encode())
        try:
            while data:
                data = data[os.write(self._events, data) :]
        except BrokenPipeError:
            os._exit(1)


def _make_runner(setup: Mapping[str, Any]) -> Any:
    # A fresh import of torch costs seconds; it is paid once a worker, not once a trial.
    import torch

    from toolkit.worker.jobs import JobRunner

    torch.set_num_threads(setup["threads"])
    with suppress(RuntimeError):
        torch.set_num_interop_threads(1)
    return JobRunner(setup["recipe"], setup["plugin_paths"], setup["device"])


@contextmanager
def _redirected(folder: Path) -> Iterator[None]:
    """Send descriptors 1 and 2, also those of C code, to files in the job's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = [os.dup(1), os.dup(2)]
    try:
        for target, name in ((1, "stdout.log"), (2, "stderr.log")):
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(opened, target)
            os.close(opened)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for target, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)


if __name__ == "__main__":
    main(sys.argv[1:])
