"""Worker processes: what they must find before they import torch, and how they end.

For plugin authors whose executor starts processes: every public name is stable.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.base.files import open_to_append
from toolkit.contracts import Outcome, Slot, StopReason, TrialState

MARK = "TOOLKIT_WORKER"
"""Environment variable that tells the processes of one worker from all others."""
_GRACE_S = 5.0
"""Time for a keeper to end what is below it."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def slot_variables(slot: Slot) -> dict[str, str]:
    """Returns the environment variables that keep a process to its slot: threads and GPU."""
    threads = dict.fromkeys(_THREAD_VARIABLES, str(slot.threads))
    return {**threads, "CUDA_VISIBLE_DEVICES": slot.gpu_uuid or ""}


def slot_environment(slot: Slot) -> dict[str, str]:
    """Returns this process's environment for a worker in a slot, which finds this very toolkit."""
    environment = {**os.environ, **slot_variables(slot)}
    source = Path(__file__).parents[2]
    if source.name not in ("site-packages", "dist-packages"):
        paths = [str(source), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def kill_session(pid: int) -> None:
    """Kills a process that leads a session of its own, and what it started.

    Also where it has died already and left children; but its parent must not have waited for it
    yet, or the number may be somebody else's.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_kept(process: subprocess.Popen[bytes]) -> None:
    """Ends a keeper (`toolkit.executors.keeper`) with all below it, and waits for that.

    Also where the keeper itself has been killed: what is left in its session is killed then.
    """
    process.terminate()
    until = time.monotonic() + _GRACE_S
    while time.monotonic() < until:
        # Not reaped before its session is killed: the number would be free for somebody else.
        with suppress(ChildProcessError):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if os.waitid(os.P_PID, process.pid, flags) is None:
                time.sleep(0.002)
                continue
        break
    if process.returncode is None:
        kill_session(process.pid)
    process.wait()


def kill_marked(mark: str) -> None:
    """Kills the processes whose environment has a mark: what a killed keeper could not end."""
    entry = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)


def open_pidfd(pid: int) -> int | None:
    """Returns a descriptor that becomes readable when the process ends, where there are such."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def count_oom_kills() -> int:
    """Counts processes the kernel killed for lack of memory: in this container, else machine."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with suppress(OSError, ValueError):
            _, _, after = f"\n{Path(path).read_text()}".partition("\noom_kill ")
            if after:
                return int(after.split("\n", 1)[0])
    return 0


def outcome_of_death(how: str, *, stopped: StopReason | None = None, oom: bool = False) -> Outcome:
    """Returns how a job ends whose worker died without a word.

    Args:
        how: it died, in a sentence, for where nothing better is known.
        stopped: what it was killed for, if the engine had it killed.
        oom: whether the kernel has killed a process for lack of memory meanwhile.
    """
    if stopped == "timeout":
        return Outcome(TrialState.TIMEOUT, error="It ran longer than resources.trial_timeout.")
    if stopped == "now":
        return Outcome(TrialState.LOST, error="The engine was stopped.")
    if oom:
        error = "The kernel killed its worker for lack of host memory."
        return Outcome(TrialState.OOM, error=error)
    return Outcome(TrialState.LOST, error=how)


def outcome_over_memory(memory: int) -> Outcome:
    """Returns how a job ends whose processes took more bytes of host memory than they may."""
    error = (
        f"It took more host memory than resources.memory allows ({memory / 1e9:g} GB)."
        " Raise that, or have it need less, by a smaller batch for instance."
    )
    return Outcome(TrialState.OOM, error=error)


@contextmanager
def log_for_processes(folder: Path) -> Iterator[int]:
    """Yields a descriptor for what processes print: of `engine.log`, where that can be written."""
    try:
        descriptor = open_to_append(folder / "engine.log")
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
