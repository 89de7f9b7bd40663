"""Logs of jobs that stay below a limit: their head and their tail are kept.

Run as `python bounded_log.py DESCRIPTOR`, it is a process beside a worker that reads what a job
writes from pipes and keeps it in files. It is its own process so that nothing a job does, such as
to hold Python's lock while it prints, or to die, keeps what was written from the files. It imports
the standard library alone.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

END = b"end"
"""Asks for all that was written by now to be in the files; `DONE` answers."""
DONE = b"done"
_AT_ONCE = 1 << 16
_LINE = 4096
"""Bytes of the tail that may be dropped so that it begins with a whole line."""
_MARK = re.compile(rb"\n\[\.\.\. (\d+) bytes left out, see resources\.log_limit \.\.\.\]\n")


class PassedOn:
    """What a worker writes beside its jobs, passed on to where this process writes itself.

    Args:
        hidden: what is not to be kept, each with what stands for it; the longest come first.
        descriptor: where to write.
    """

    def __init__(self, hidden: Sequence[tuple[str, str]], descriptor: int) -> None:
        self._hidden = {form.encode("utf-8", "replace"): name.encode() for form, name in hidden}
        self._forms = re.compile(b"|".join(map(re.escape, self._hidden)))
        self._held = b""
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Appends bytes; where the disk has no room for them they are lost."""
        data, self._held = self._held + data, b""
        held = max((_begun(form, data) for form in self._hidden), default=0)
        self._append(self._masked(data, len(data) - held))

    def flush(self) -> None:
        """Appends what might have become a hidden value and has not."""
        data, self._held = self._held, b""
        self._append(self._masked(data, len(data)))

    def close(self) -> None:
        """Closes the file."""
        self.flush()
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        with suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def _masked(self, data: bytes, until: int) -> bytes:
        """Replaces what is hidden and begins before a place; what is left from there is held."""
        parts, at = [], 0
        for found in self._forms.finditer(data) if self._hidden else ():
            if found.start() >= until:
                break
            parts += [data[at : found.start()], self._hidden[found[0]]]
            at = found.end()
        until = max(at, until)
        self._held = data[until:]
        return b"".join([*parts, data[at:until]])


class BoundedLog(PassedOn):
    """A file that is appended to up to a limit; then its middle is left out.

    Args:
        path: the file, made if missing; what is there stays.
        limit: in bytes; a quarter is kept of the head, between a half and three quarters of the
            tail.
        hidden: what is not to be kept, see `PassedOn`.
    """

    def __init__(self, path: str, limit: int, hidden: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(hidden, _opened(path))
        self._limit, self._head = limit, limit // 4
        self._size = os.fstat(self._descriptor).st_size
        known = _MARK.match(os.pread(self._descriptor, 128, self._head))
        self._left_out = int(known[1]) if known else 0
        self._tail = self._head + (len(known[0]) if known else 0)

    def _append(self, data: bytes) -> None:
        with suppress(OSError):
            if self._size + len(data) > self._limit:
                data = self._cut(data)
            while data:
                written = os.pwrite(self._descriptor, data, self._size)
                self._size += written
                data = data[written:]

    def _cut(self, data: bytes) -> bytes:
        """Takes the middle out of file and data: what is to be written after the head."""
        if self._size < self._head:
            count = self._head - self._size
            os.pwrite(self._descriptor, data[:count], self._size)
            self._size, data = self._head, data[count:]
        whole = os.pread(self._descriptor, max(self._size - self._tail, 0), self._tail) + data
        kept = whole[-(self._limit // 2) :]
        kept = kept[kept.find(b"\n", 0, _LINE) + 1 :] if len(kept) < len(whole) else kept
        self._left_out += len(whole) - len(kept)
        os.ftruncate(self._descriptor, self._head)
        self._size = self._head
        mark = b"\n[... %d bytes left out, see resources.log_limit ...]\n" % self._left_out
        self._tail = self._head + len(mark)
        return mark + kept


def _begun(form: bytes, data: bytes) -> int:
    """Bytes at the end of data with which a form may have begun."""
    most = min(len(form) - 1, len(data))
    return next((count for count in range(most, 0, -1) if data.endswith(form[:count])), 0)


def _opened(path: str) -> int:
    """A file to write, or a way into nothing where something else is in its place."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(OSError):
        descriptor = os.open(path, flags, 0o666)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def main(descriptor: int) -> None:
    """Serves one worker until it and all that it started have closed their ends."""
    if os.fork():
        os._exit(0)  # The worker's jobs have no child that they do not know of.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    logs: dict[int, PassedOn] = {}
    while control.fileno() >= 0 or logs:
        waited = [fd for fd in (control.fileno(), *logs) if fd >= 0]
        for ready in select.select(waited, [], [])[0]:
            if ready in logs:
                _take(logs, ready)
            elif not _serve(control, logs):
                control.close()


def _serve(control: socket.socket, logs: dict[int, PassedOn]) -> bool:
    """Does what the worker asks for; False where it has gone."""
    try:
        message, descriptors, _, _ = socket.recv_fds(control, _AT_ONCE, 2)
        if message == END:
            for descriptor in list(logs):
                while _take(logs, descriptor):
                    pass
                if descriptor in logs:
                    logs[descriptor].flush()
            control.send(DONE)
        elif message:
            limit, hidden, *paths = json.loads(message)
            for number, descriptor in enumerate(descriptors):
                os.set_blocking(descriptor, False)
                if paths:
                    logs[descriptor] = BoundedLog(paths[number], limit, hidden)
                else:
                    logs[descriptor] = PassedOn(hidden, os.dup(number + 1))
    except OSError:
        return False
    return bool(message)


def _take(logs: dict[int, PassedOn], descriptor: int) -> bool:
    """Takes in what has come through a pipe; whether there may be more."""
    try:
        data = os.read(descriptor, _AT_ONCE)
    except BlockingIOError:
        return False
    except OSError:
        data = b""
    if data:
        logs[descriptor].write(data)
        return True
    logs.pop(descriptor).close()
    os.close(descriptor)
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]))
