"""Room on the run folder's disk: a run that has none pauses, says so, and goes on when it has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from toolkit.base.clock import SYSTEM, Clock
from toolkit.base.errors import ToolkitWarning
from toolkit.base.plain import size_in_words
from toolkit.base.room import LEAST, free_bytes, tells_of_full_disk, whole_bytes

T = TypeVar("T")
LOOK_S = 0.5
"""Time between two looks at the disk; a request to stop is heeded between them."""
RESERVE = 100_000_000
"""Default of `resources.disk_reserve` in bytes, and no more than a hundredth of the disk."""


def _warn(text: str) -> None:
    warnings.warn(ToolkitWarning(text), stacklevel=3)


class Room:
    """The room on a run folder's disk.

    Args:
        folder: of the run, which is there.
        reserve: bytes to keep free (`resources.disk_reserve`); None for the default.
        clock: to wait by.

    Attributes:
        tell: takes each sentence for the user.
        stop: raises where the run has been asked to stop.
        paused_s: time that nothing could run, in seconds, until somebody takes it (`take_pause`).
    """

    def __init__(self, folder: Path, reserve: int | None = None, clock: Clock = SYSTEM) -> None:
        self._folder, self._given, self._clock = folder, reserve, clock
        self._said = False
        self.tell: Callable[[str], None] = _warn
        self.stop: Callable[[], None] = lambda: None
        self.paused_s = 0.0

    def enough(self) -> bool:
        """Says whether a job may be started; tells the user once where none may."""
        free, reserve = free_bytes(self._folder), self._reserve()
        if free >= reserve:
            return True
        if not self._said:
            self._said = True
            whole = size_in_words(whole_bytes(self._folder))
            self.tell(
                f"The disk of {self._folder} has {size_in_words(free)} of {whole} left, and"
                f" resources.disk_reserve keeps {size_in_words(reserve)} free. Nothing new is"
                " started until there is room; the run then goes on by itself."
            )
        return False

    def wait(self) -> None:
        """Waits until there is room.

        Raises:
            whatever `stop` raises.
        """
        began = self._clock.monotonic()
        try:
            while not self.enough():
                self.stop()
                self._clock.sleep(LOOK_S)
        finally:
            self.paused_s += self._clock.monotonic() - began
        if self._said:
            self._said = False
            self.tell("The disk has room again: the run goes on.")

    def take_pause(self) -> float:
        """Returns the time spent waiting since this was last asked, in seconds."""
        paused, self.paused_s = self.paused_s, 0.0
        return paused

    def writing(self, write: Callable[[], T]) -> T:
        """Writes something, again and again until it fits on the disk.

        Raises:
            whatever `write` raises but for a full disk, and what `stop` raises.
        """
        while True:
            try:
                return write()
            except Exception as error:
                if not tells_of_full_disk(error):
                    raise
                self.wait_after(error)

    def wait_after(self, error: BaseException) -> None:
        """Waits until there is room, and once at least: what failed may need more than is kept.

        Raises:
            whatever `stop` raises.
        """
        self.stop()
        if self.enough() and not self._said:
            self._said = True
            self.tell(f"A disk is full ({error}). The run pauses, and goes on when there is room.")
        self._clock.sleep(LOOK_S)
        self.wait()

    def _reserve(self) -> int:
        if self._given is None:
            return max(min(RESERVE, whole_bytes(self._folder) // 100), LEAST)
        return max(self._given, LEAST)
