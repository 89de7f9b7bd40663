"""The keeper of one worker: its parent, which ends what the worker leaves behind, however it ends.

Started as `python -m toolkit.executors.keeper EXECUTOR_PID MEMORY CONTROL_FD EVENTS_FD MODULE`, it
forks, runs the module in the child as `MODULE CONTROL_FD EVENTS_FD KEEPER_PID`, and ends as the
child does. Processes that a job starts, also in sessions of their own, become the keeper's once
their parent is gone (Linux: PR_SET_CHILD_SUBREAPER), so that it can find and kill all of them: when
the worker has ended, when the executor asks for it by SIGTERM, and when the executor has died.

It imports next to nothing, so that it is small, starts at once, and goes on when memory is short.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

OVER_MEMORY = 119
"""Exit code of a keeper whose worker, with all it started, took more memory than it may."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_HEEDED = {signal.SIGTERM, signal.SIGCHLD}
_LOOK_S = 0.05
"""Time between two looks at what the worker takes."""
_IDLE_S = 60.0
_PATIENCE_S = 3.0
"""Time for killed processes to be gone; one that waits for a disk may take for ever."""


def main(arguments: list[str]) -> None:
    """Starts a worker, waits for its end, and ends all that it started."""
    executor, memory, control, events = map(int, arguments[:4])
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEEDED)
    keeper = os.getpid()
    if os.getppid() != executor:
        os._exit(1)
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEEDED)
        _become(arguments[4], [str(control), str(events), str(keeper)])
    for descriptor in (control, events):
        os.close(descriptor)
    code = _keep(worker, memory)
    _end_all()
    _end_as(code)


def _become(module: str, arguments: list[str]) -> None:
    import gc
    import runpy

    gc.disable()  # Until all is imported.
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _keep(worker: int, memory: int) -> int:
    """Waits for the worker's end: its exit code, negative for a signal, or `OVER_MEMORY`."""
    while True:
        heard = signal.sigtimedwait(_HEEDED, _LOOK_S if memory else _IDLE_S)
        if (code := _ended(worker)) is not None:
            return code
        if heard is not None and heard.si_signo == signal.SIGTERM:
            return _stop(worker)
        if memory and _takes_more(memory):
            return OVER_MEMORY


def _ended(worker: int) -> int | None:
    """Takes leave of all that have ended below; returns the worker's exit code if it has."""
    with suppress(ChildProcessError):
        while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
            if reaped[0] == worker:
                code = os.waitstatus_to_exitcode(reaped[1])
                return 1 if code == OVER_MEMORY else code
    return None


def _stop(worker: int) -> int:
    """Kills the worker. One that is dying already, its pipes closed, keeps the code it dies of."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(worker, signal.SIGKILL)
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if (code := _ended(worker)) is not None:
            return code
        time.sleep(0.001)
    return -signal.SIGKILL


def _takes_more(memory: int) -> bool:
    """Whether all processes below this one take more bytes; what they share counts once."""
    below = descendants(os.getpid())
    if sum(map(_resident, below)) <= memory:
        return False
    return sum(map(_proportional, below)) > memory


def descendants(pid: int) -> list[int]:
    """Returns the living processes below one."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if sys.platform == "linux" else []:  # noqa: PTH208
        if name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                fields = _read(f"/proc/{name}/stat").rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    below.setdefault(int(fields[1]), []).append(int(name))
    found, ahead = [], [pid]
    while ahead:
        children = below.get(ahead.pop(), [])
        found += children
        ahead += children
    return found


def _resident(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        return int(_read(f"/proc/{pid}/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional(pid: int) -> int:
    """Bytes of a process, a page that n processes share counted as its n-th part."""
    with suppress(OSError, ValueError):
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
        return stream.read()


def _end_all() -> None:
    """Kills every process below this one, and those that become its children meanwhile."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        may_end = until - time.monotonic() > _PATIENCE_S / 2
        for pid in descendants(os.getpid()):
            if may_end and _keeps_logs(pid):
                continue  # It ends with those that write, once it has written what they wrote.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _keeps_logs(pid: int) -> bool:
    with suppress(OSError):
        return "bounded_log.py" in _read(f"/proc/{pid}/cmdline")
    return False


def _end_as(code: int) -> None:
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(max(code, 0))


if __name__ == "__main__":
    main(sys.argv[1:])
