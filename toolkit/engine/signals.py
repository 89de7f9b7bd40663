"""Ctrl-C and SIGTERM during a run: the first drains, the second stops now, the third kills.

A terminal that is closed (SIGHUP) ends nothing: a run goes on without it.

A signal's Python code runs only where the main thread comes back to Python code. A thread that the
kernel's own note of each signal wakes sees to it that the second one ends a run that hangs, too.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

HEEDED = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 3.0
"""Time from the second signal in which the engine has to begin to stop."""
_CLOSE_S = 5.0
"""Time for an executor to end what runs."""


@contextmanager
def watching(
    handle: Callable[[int], None],
    stopping: Callable[[], bool],
    close: Callable[[], None],
    hang_up: Callable[[], None],
) -> Iterator[None]:
    """Has signals heeded within a block; outside of the main thread it does nothing.

    Args:
        handle: is called with each signal's number, in the main thread.
        stopping: says whether the second signal is being heeded.
        close: ends what runs, where that is not heeded.
        hang_up: is called when the terminal has been closed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        handle(number)

    read, write = os.pipe()
    os.set_blocking(write, False)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(read, ended, stopping, close), daemon=True)
    watch.start()
    noted = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    before = {number: signal.signal(number, on_signal) for number in HEEDED}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, frame: hang_up())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(noted)
        ended.set()
        os.close(write)
        watch.join()
        os.close(read)


def end_now(number: int, close: Callable[[], None]) -> None:
    """Ends this process as a signal asks for, what an executor runs first."""
    closing = threading.Thread(target=_quietly, args=(close,), daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    os._exit(128 + number)


def _watch(
    read: int,
    ended: threading.Event,
    stopping: Callable[[], bool],
    close: Callable[[], None],
) -> None:
    numbers: list[int] = []
    while (byte := os.read(read, 1)) and len(numbers) < 2:
        numbers += [number for number in byte if number in HEEDED]
        if len(numbers) == 2 and not ended.wait(PATIENCE_S) and not stopping():
            end_now(numbers[0], close)


def _quietly(close: Callable[[], None]) -> None:
    with suppress(BaseException):  # A signal may have come in the middle of its own work.
        close()
