"""Seeds derived from the run's seed, so that no two purposes share one.

For plugin authors who run or measure searches: `derive` is stable, as all seeds of a run are its.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *purpose: int | str) -> int:
    """A seed of 31 bits for one purpose, e.g. a trial's number, out of the run's seed."""
    text = ":".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
