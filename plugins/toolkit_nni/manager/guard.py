"""The process that starts NNI's manager, watches it, and ends it and all below it.

`python -m toolkit_nni.manager.guard SETTINGS` with JSON settings. On standard input the engine
says `EndManager`, or its end of the pipe closes because it is gone: then everything here is killed.
On descriptor `settings["events"]` the guard says `ManagerStarted`, and `ManagerBroken`, after which
it ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.base.files import remove_tree
from toolkit.executors.channel import Channel
from toolkit_nni.manager.light import leave_out
from toolkit_nni.manager.messages import (
    END_MANAGER,
    TOKEN,
    TOKEN_HEADER,
    ManagerBroken,
    ManagerStarted,
)

PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.25
UNANSWERED_S = 30.0
"""Time without an answer of the manager's web server after which it counts as hung."""
STOP_S = 20.0
"""Time the manager has to end by itself."""
ANSWER_TRIES = 60
"""Seconds the manager's web server has to come up; NNI's own 3 are too few on a busy machine."""


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Guard:
    """One experiment and its end.

    Args:
        settings: `events` (descriptor), `port` (or None for a free one), `socket` (the engine's),
            and the experiment's `name`, `folder`, `command`, `working_directory`, `concurrency`
            and `optimize_mode`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.stop = threading.Event()
        # Node would share this pipe, and make it one that does not wait.
        self._engine = Channel(os.dup(0), settings["events"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self.experiment: Any = None

    def run(self) -> None:
        """Start, watch, end."""
        threading.Thread(target=self._listen, daemon=True).start()
        port = self.settings["port"] or free_port()
        try:
            self._start(port)
        except Exception as error:
            how = f"it did not start: {type(error).__name__}: {error}"
            self._engine.send(ManagerBroken(how))
            self.end()
        self._engine.send(ManagerStarted(port, self.experiment.id))
        fault = self._watch()
        if fault:
            self._engine.send(ManagerBroken(fault))
        else:
            # The manager writes what ended last, and its own end, into its database.
            threading.Timer(STOP_S, self.end).start()
            self.experiment.stop()
        self.end()

    def _start(self, port: int) -> None:
        leave_out()
        import requests
        from nni.experiment import CustomAlgorithmConfig, Experiment, launcher, rest

        session = requests.Session()
        session.headers[TOKEN_HEADER] = os.environ[TOKEN]
        rest.requests = session
        launcher._check_rest_server = partial(launcher._check_rest_server, retry=ANSWER_TRIES)
        settings = self.settings
        self.experiment = experiment = Experiment("local")
        config = experiment.config
        config.experiment_name = settings["name"]
        config.experiment_working_directory = settings["folder"]
        config.trial_command = settings["command"]
        config.trial_code_directory = settings["working_directory"]
        config.trial_concurrency = settings["concurrency"]
        config.search_space = {}  # The engine's strategy knows it.
        config.tuner = CustomAlgorithmConfig(
            class_name="toolkit_nni.manager.tuner.ToolkitTuner",
            code_directory=str(Path(__file__).parents[2]),
            class_args={"optimize_mode": settings["optimize_mode"]},
        )
        preload = Path(__file__).with_name("preload.js")
        os.environ["NODE_OPTIONS"] = f'--require "{preload}"'
        os.environ["TOOLKIT_NNI_GUARD"] = str(os.getpid())
        # A proxy cannot reach this machine's loopback.
        for name in ("NO_PROXY", "no_proxy"):
            known = os.environ.get(name)
            os.environ[name] = ",".join(filter(None, [known, "localhost", "127.0.0.1"]))
        experiment.start(port)

    def _watch(self) -> str:
        """Wait until told to stop (empty), or until the manager is broken: what is wrong."""
        from nni.experiment import rest

        rest.timeout = 5
        manager, port = self.experiment._proc, self.experiment.port
        answered = time.monotonic()
        while not self.stop.wait(POLL_S):
            if manager.poll() is not None:
                return f"its Node process ended with exit code {manager.returncode}"
            try:
                answer = rest.get(port, "/check-status")
            except Exception as error:
                if time.monotonic() - answered > UNANSWERED_S:
                    return f"its web server does not answer: {type(error).__name__}"
                continue
            answered = time.monotonic()
            if answer["status"] == "ERROR":
                return "; ".join(answer.get("errors") or ["its status is ERROR"])
        return ""

    def _listen(self) -> None:
        for _ in self._engine.receive(END_MANAGER):
            self.stop.set()
        self.end()

    def end(self) -> None:
        """Kill what is left below this process, and end."""
        kill_children()
        place = Path(self.settings["socket"]).parent
        remove_tree(place, place.parent)
        os._exit(0)


def kill_children() -> None:
    """Kill every process below this one, also those whose parent died: they are ours by now."""
    import psutil

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = [
            child
            for child in psutil.Process().children(recursive=True)
            if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
        ]
        if not children:
            return
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=1)


def main(arguments: list[str]) -> None:
    """Guard one experiment."""
    # Ctrl-C reaches the whole terminal group; what it means is for the engine to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = Guard(json.loads(arguments[0]))
    signal.signal(signal.SIGTERM, lambda number, frame: guard.end())
    guard.run()


if __name__ == "__main__":
    main(sys.argv[1:])
