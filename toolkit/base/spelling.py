"""Names that were nearly right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` (did you mean lr?)` where a known name is near, else the empty text."""
    names = {str(name).lower(): str(name) for name in known}
    near = get_close_matches(str(given).lower(), names, n=1, cutoff=0.6)
    return f" (did you mean {names[near[0]]}?)" if near else ""
