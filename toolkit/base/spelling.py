"""Names that were nearly right.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the known name that a given one comes nearest to, letters of either case alike.

    Args:
        given: what was written.
        known: the names that there are.
        cutoff: how alike they must be, from 0 to 1.
    """
    names = {str(name).lower(): str(name) for name in known}
    near = get_close_matches(str(given).lower(), names, n=1, cutoff=cutoff)
    return names[near[0]] if near else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` (did you mean lr?)` where a known name is near, else the empty text."""
    near = nearest(given, known)
    return f" (did you mean {near}?)" if near else ""
