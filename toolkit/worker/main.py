"""A worker process: takes jobs from its executor one after the other, and dies with it.

It is started as `python -m toolkit.worker.main CONTROL_FD EVENTS_FD EXECUTOR_PID`, and speaks over
both pipes as `toolkit.executors.messages` says. Standard output and error of a job go to files in
its folder.

For plugin authors whose executor starts workers of its own: `Worker` is stable.
"""

from __future__ import annotations

import ctypes
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.base.room import tells_of_full_disk
from toolkit.base.secrets import hide_all
from toolkit.contracts import Ended, Event, Outcome, Reported, Started, TrialSpec, TrialState
from toolkit.contracts.coding import MessageError
from toolkit.executors.channel import Channel
from toolkit.executors.messages import COMMAND, SETUP, Run, Setup, Stop
from toolkit.worker.output import LIMIT, JobOutput, complain

if TYPE_CHECKING:
    from toolkit.worker.jobs import JobRunner

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Serves one executor until its end of the pipe closes."""
    control, events, executor = map(int, arguments)
    die_with(executor)
    # Ctrl-C reaches the whole terminal group; what it means is for the engine to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (control, events):
        os.set_inheritable(descriptor, False)
    Worker(Channel(control, events)).serve()


def die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent dies, however that dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Worker:
    """Runs the jobs that an executor sends; the process ends when the executor has gone.

    Args:
        channel: to the executor.
        listener: hears each event before it is sent.
        interrupted: what it means if SIGINT ends a job; by default that the job raised it itself,
            as nobody else's reaches a worker.

    Attributes:
        key: of the job at hand, or of the last one; empty before the first.
    """

    def __init__(
        self,
        channel: Channel,
        listener: Callable[[Event], None] = lambda event: None,
        interrupted: str = "",
    ) -> None:
        self._channel, self._listener, self._interrupted = channel, listener, interrupted
        self._process = os.getpid()
        self._runner: JobRunner | None = None
        self._jobs: queue.SimpleQueue[TrialSpec] = queue.SimpleQueue()
        self._stops: dict[str, str] = {}
        self._output, self._log_limit = JobOutput(), LIMIT
        self.key = ""

    def serve(self) -> None:
        """Runs one job after the other."""
        while self.run_one() is not None:
            pass

    def run_one(self) -> Outcome | None:
        """Waits for a job and runs it: how it ended, or None if no executor ever sets this up."""
        if self._runner is None:
            setup = self._channel.receive_one(SETUP)
            if setup is None:
                return None
            threading.Thread(target=self._listen, daemon=True).start()
            hide_all(setup.hidden)
            self._output.mask()
            self._runner = _make_runner(setup)
            self._log_limit = setup.recipe.get("resources", {}).get("log_limit") or LIMIT
        spec = self._jobs.get()
        self.key = spec.key
        self.tell(Started(spec.key))
        try:
            with self._output.redirected(Path(spec.folder), self._log_limit):
                outcome = self._runner.run(
                    spec,
                    lambda step, values, records: self.tell(
                        Reported(spec.key, step, values, records)
                    ),
                    lambda: self._stops.get(spec.key),
                )
        except KeyboardInterrupt:
            error = self._interrupted or traceback.format_exc().rstrip()
            outcome = Outcome(TrialState.FAILED, error=error)
        except OSError as error:  # There is no room for the job's folder.
            if not tells_of_full_disk(error):
                raise
            outcome = Outcome(TrialState.QUEUED, error=f"A disk is full ({error}).")
        self.tell(Ended(spec.key, outcome))
        return outcome

    def tell(self, event: Event) -> None:
        """Sends an event, once the listener has heard it."""
        if os.getpid() != self._process:
            os._exit(1)  # A job's code has forked, and its child has come back from it.
        self._listener(event)
        if not self._channel.send(event):
            os._exit(1)

    def _listen(self) -> None:
        try:
            for command in self._channel.receive(COMMAND):
                match command:
                    case Run(spec):
                        self._stops.pop(spec.key, None)
                        self._jobs.put(spec)
                    case Stop(key, reason):
                        self._stops[key] = reason
        except MessageError as error:
            complain(f"What the executor sent is no command: {error}")
        finally:  # The executor has gone, or nothing can be understood of it any more.
            os._exit(1)


def _make_runner(setup: Setup) -> JobRunner:
    # A fresh import of torch costs seconds; it is paid once a worker, not once a trial. What is
    # imported stays: no search for garbage need look through it, now or later.
    gc.disable()
    import torch

    from toolkit.worker.compiler import import_compiler_when_asked
    from toolkit.worker.jobs import JobRunner

    import_compiler_when_asked()
    torch.set_num_threads(setup.threads)
    with suppress(RuntimeError):
        torch.set_num_interop_threads(1)
    runner = JobRunner(setup.recipe, setup.plugin_paths, setup.device)
    gc.freeze()
    gc.enable()
    return runner


if __name__ == "__main__":
    main(sys.argv[1:])
