"""Host memory that this process may take, so that what asks for more is refused, not tried."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CAP = "TOOLKIT_MEMORY"
"""Environment variable of a worker: its `resources.memory`, in bytes."""
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def allowed_bytes() -> int:
    """Returns the bytes that may still be taken: of the worker's cap, the container, the machine.

    What the process has taken already does not count against its own cap.
    """
    found = [1 << 62]
    with suppress(KeyError, ValueError):
        found.append(int(os.environ[CAP]))
    with suppress(OSError, ValueError, IndexError):
        line = next(x for x in _read("/proc/meminfo").splitlines() if x.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    for limit, used in _CGROUPS:
        with suppress(OSError, ValueError):
            found.append(max(int(_read(limit)) - int(_read(used)), 0))
    return min(found)


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
