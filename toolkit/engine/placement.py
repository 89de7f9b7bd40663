"""Which free slot the next job gets."""

from __future__ import annotations

from collections.abc import Collection

from toolkit.contracts import Slot


def choose_slot(free: Collection[Slot], busy: Collection[Slot]) -> Slot:
    """Returns the free slot on the GPU with the fewest jobs; the first one among equals."""

    def load(slot: Slot) -> tuple[int, int]:
        return sum(other.gpu_uuid == slot.gpu_uuid for other in busy), slot.index

    return min(free, key=load)
