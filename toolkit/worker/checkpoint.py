"""The checkpoint of one trial: two generations on the disk, each with a checksum.

A new one takes its place with the report that follows it (`settle`). So whatever dies in between,
the state that a trial goes on from and the epochs it has told of belong together.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.base.files import read_within, write_atomically
from toolkit.run.folder import CHECKPOINT

MAGIC = b"NAS-toolkit checkpoint 1\n"
"""Begins a file of this version; after it come the checksum and what `torch.save` writes."""
_ZIP = b"PK"
"""Begins a file of earlier versions, which had no checksum."""


class Checkpoint:
    """The checkpoint below a trial's folder.

    Attributes:
        warnings: what was found damaged, in sentences.
    """

    def __init__(self, trial: Path) -> None:
        self._last = trial / CHECKPOINT
        self._before = self._last.with_name("before.pt")
        self._next = self._last.with_name("next.pt")
        self.warnings: list[str] = []

    @property
    def exists(self) -> bool:
        """Whether there is one to go on from."""
        return self._last.exists() or self._before.exists()

    def write(self, state: Mapping[str, Any]) -> None:
        """Writes a state, to take the last one's place when it is settled."""
        import torch

        self.settle()
        stream = io.BytesIO()
        torch.save(dict(state), stream)
        content = stream.getbuffer()
        head = MAGIC + hashlib.sha256(content).digest()
        write_atomically(self._next, head + content, durable=False)

    def settle(self) -> None:
        """Puts the state that was written last in its place, and keeps the one before it."""
        if not self._next.exists():
            return
        if self._last.exists():
            self._last.replace(self._before)
        self._next.replace(self._last)

    def forget_unsettled(self) -> None:
        """Drops what a worker wrote and died before it had told of it."""
        self._next.unlink(missing_ok=True)

    def read(self) -> dict[str, Any] | None:
        """Returns the last state that is whole, or None where there is none."""
        for path in (self._next, self._last, self._before):
            if path.exists():
                try:
                    content = _checked(path)
                except ValueError as error:
                    self.warnings.append(
                        f"The checkpoint {path} is damaged: {error}. The training goes on from an"
                        " earlier one, or else begins anew."
                    )
                else:
                    return _parsed(content)
        return None


def _checked(path: Path) -> bytes:
    """What `torch.save` wrote.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        content = read_within(path.parent, path, None)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
    if content.startswith(_ZIP):
        try:
            _parsed(content)
        except Exception as error:
            raise ValueError(f"it cannot be read ({error})") from error
        return content
    start = len(MAGIC) + hashlib.sha256().digest_size
    if not content.startswith(MAGIC) or len(content) <= start:
        raise ValueError("it is cut short, or of another version")
    if hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]:
        raise ValueError("its checksum is another")
    return content[start:]


def _parsed(content: bytes) -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state
