"""Ctrl-C outside of an engine's work: ends the command with 130 and a word, never a traceback.

While modules are loaded and plugins are put together, an exception out of a signal may come up in
any library, be taken for a fault of theirs, or be lost. There is nothing to put in order by then,
so the process just ends. Commands that would leave something behind have an exception raised.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # What is imported here delays the moment from which a Ctrl-C is heeded.
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_farewell = b""


class StopRequest(BaseException):
    """Base of what is raised where the user has asked to stop: no fault of the code it passes."""


def part_with(farewell: bytes) -> None:
    """Has an end at once write this first: what sets a terminal right that was drawn on."""
    global _farewell
    _farewell = farewell


def heed() -> None:
    """Ends this process at a Ctrl-C from now on, unless whoever started it has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
        sys.unraisablehook = _unraisable


def end_at_once(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    """Ends this process as a signal's number asks for."""
    with suppress(OSError):
        os.write(2, _farewell + b"error: Interrupted.\n")
    os._exit(128 + number)


@contextmanager
def unwinding() -> Iterator[None]:
    """Has the first Ctrl-C raise KeyboardInterrupt within a block, and the second one end it."""
    with _instead(end_at_once, _raise_once):
        yield


@contextmanager
def not_unwinding() -> Iterator[None]:
    """Has a Ctrl-C end the process within a block, whatever is around it."""
    with _instead(_raise_once, end_at_once):
        yield


@contextmanager
def _instead(before: Any, handler: Any) -> Iterator[None]:
    ours = signal.getsignal(signal.SIGINT) is before
    if ours:
        signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


def _raise_once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, end_at_once)
    raise KeyboardInterrupt


def _unraisable(what: Any) -> None:
    """Heeds a Ctrl-C that came up where nothing can be raised, as in a destructor."""
    if isinstance(what.exc_value, KeyboardInterrupt):
        end_at_once()
    sys.__unraisablehook__(what)
