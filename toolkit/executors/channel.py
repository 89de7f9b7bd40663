"""Messages between processes: one line of JSON each, over a pair of pipes or over a socket.

For plugin authors whose executor speaks with processes: `Channel` is stable.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import TypeAdapter

from toolkit.contracts.coding import MessageError, decode, encode

T = TypeVar("T")
LONGEST = 1 << 28
"""Bytes that a line may have."""
_AT_ONCE = 1 << 16


class Channel:
    """One end of a connection to another process.

    Nothing is lost between two calls: half a line waits for its other half, and lines that nobody
    has taken yet wait for the next `receive`.

    Args:
        read: descriptor to read from.
        write: descriptor to write to; the same for a socket. The channel closes both.

    Attributes:
        open: False once the other end has gone and all that it wrote has been read.
    """

    def __init__(self, read: int, write: int) -> None:
        self._read_from, self._write_to = read, write
        self._lines: deque[bytes | bytearray] = deque()
        self._partial = bytearray()
        self.open = True

    @classmethod
    def over(cls, connection: socket.socket) -> Channel:
        """Takes a connected socket over."""
        descriptor = connection.detach()
        return cls(descriptor, descriptor)

    def fileno(self) -> int:
        """Returns the descriptor that is readable when something has come."""
        return self._read_from

    def send(self, message: Any) -> bool:
        """Sends a message, waiting until it is written; False where the other end has gone."""
        data = memoryview(encode(message) + b"\n")
        try:
            while data:
                data = data[os.write(self._write_to, data) :]
        except OSError:
            return False
        return True

    def receive(self, kind: TypeAdapter[T], *, wait: bool = True) -> Iterator[T]:
        """Yields messages as they come, until the other end has gone.

        Args:
            kind: what to expect.
            wait: False to yield only what has come by now.

        Raises:
            MessageError: something else came. What follows it can still be received.
        """
        while True:
            while self._lines:
                yield decode(kind, self._lines.popleft())
            if not self.open or not (wait or self._has_come()):
                return
            self._read()

    def receive_one(self, kind: TypeAdapter[T]) -> T | None:
        """Waits for one message; None if the other end has gone.

        Raises:
            MessageError: something else came.
        """
        return next(self.receive(kind), None)

    def close(self) -> None:
        """Closes the descriptors."""
        self.open = False
        for descriptor in {self._read_from, self._write_to}:
            with suppress(OSError):
                os.close(descriptor)

    def _has_come(self) -> bool:
        # Asked first, so that reading needs no mark on a descriptor that others may share.
        poll = select.poll()
        poll.register(self._read_from, select.POLLIN)
        return bool(poll.poll(0))

    def _read(self) -> None:
        try:
            data = os.read(self._read_from, _AT_ONCE)
        except OSError:
            data = b""
        self.open = bool(data)
        self._partial += data
        if b"\n" in data:
            *lines, self._partial = self._partial.split(b"\n")
            self._lines.extend(lines)
        elif len(self._partial) > LONGEST:
            self._partial.clear()
            raise MessageError(f"a line of more than {LONGEST} bytes")
