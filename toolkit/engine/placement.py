"""Which free slot the next job gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from toolkit.contracts import Slot


def choose_slot(free: Collection[Slot], busy: Collection[Slot]) -> Slot:
    """Returns the free slot on the GPU with the fewest jobs; the first one among equals."""
    jobs = Counter(slot.gpu_uuid for slot in busy)
    return min(free, key=lambda slot: (jobs[slot.gpu_uuid], slot.index))
