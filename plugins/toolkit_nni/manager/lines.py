"""Messages over a socket: one JSON object a line."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

SOCKET = "TOOLKIT_NNI_SOCKET"
"""Environment variable with the path of the engine's socket."""


class Lines:
    """One end of a connection.

    Args:
        connection: a connected socket.
        wait: whether `receive` waits for more until the other end has gone.

    Attributes:
        open: False once the other end has gone.
    """

    def __init__(self, connection: socket.socket, *, wait: bool = True) -> None:
        self._socket, self._partial, self.open = connection, b"", True
        self._flags = 0 if wait else socket.MSG_DONTWAIT

    @classmethod
    def to_engine(cls) -> Lines:
        """Connect to the engine that the environment names.

        Raises:
            OSError: it is gone.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(os.environ[SOCKET])
        return cls(connection)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; a connection that broke is heard of when reading."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.open = False

    def receive(self) -> Iterator[Any]:
        """Yield the messages that have come in whole.

        Raises:
            ValueError: the other end died in the middle of a message, or wrote none of ours.
        """
        while self.open:
            try:
                data = self._socket.recv(1 << 16, self._flags)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.open = bool(data)
            *lines, self._partial = (self._partial + data).split(b"\n")
            yield from map(json.loads, lines)

    def receive_one(self) -> Any:
        """Wait for one message and read not a byte beyond it; None if the other end has gone."""
        line = b""
        while not line.endswith(b"\n"):
            byte = self._socket.recv(1)
            if not byte:
                return None
            line += byte
        return json.loads(line)

    def close(self) -> None:
        self._socket.close()
