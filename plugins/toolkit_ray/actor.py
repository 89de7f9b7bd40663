"""The actor of one slot, on whatever machine Ray puts it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from toolkit.base.files import remove_tree
from toolkit.contracts.coding import decode, encode
from toolkit.executors.messages import COMMAND
from toolkit.executors.remote import PLACE, RemoteSlot

Carried = tuple[bytes, dict[str, bytes], tuple[str, ...]]
"""A `Parcel` as plain values: the event as JSON, files, names of stored files."""


class SlotActor:
    """Holds the worker of a slot. Plain values go in and out: bytes, text, and mappings of them.

    Args:
        place: a `Place`, as JSON.
    """

    def __init__(self, place: bytes) -> None:
        given = decode(PLACE, place)
        self._scratch = Path(tempfile.mkdtemp(prefix="toolkit-ray-"))
        if not given.shared:
            given = replace(given, scratch=str(self._scratch))
        self._slot = RemoteSlot(given)

    def order(self, order: bytes, files: Mapping[str, bytes]) -> None:
        """Takes a `Run` or a `Stop`, as JSON."""
        self._slot.order(decode(COMMAND, order), files)

    def take(self, wait_s: float) -> list[Carried]:
        """Returns what has come, waiting for the first of it."""
        return [
            (encode(parcel.event), parcel.files, parcel.stored)
            for parcel in self._slot.take(wait_s)
        ]

    def close(self) -> None:
        """Ends the worker, and leaves nothing on this machine."""
        self._slot.close()
        remove_tree(self._scratch, self._scratch.parent)
