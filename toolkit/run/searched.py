"""What a search chose for a trial, as flat columns by dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolkit.run.records import TrialRecord

ARCHITECTURE = "architecture"
MOST_DECIDED = 9
"""Decisions of an architecture that join the searched values of a table, as on a watched page."""
_LEAVES = (str, int, float, bool, list)


def searched(record: TrialRecord) -> dict[str, Any]:
    """Returns a trial's searched values beside its architecture, such as `train.lr`."""
    return searched_at(record.point or {})


def searched_at(point: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the searched values of a point beside its architecture, by dotted names."""
    return dict(dotted({name: value for name, value in point.items() if name != ARCHITECTURE}))


def decided(record: TrialRecord) -> dict[str, Any]:
    """Returns the single decisions of a trial's architecture, such as `backbone.resnet.depth`.

    What an architecture holds in lists is no single decision and is left out.
    """
    return decided_at(record.point or {})


def decided_at(point: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the single decisions of the architecture of a point, see `decided`."""
    tree = point.get(ARCHITECTURE)
    flat = dict(dotted(tree)) if isinstance(tree, Mapping) else {}
    return {name: v for name, v in flat.items() if isinstance(v, str | int | float | bool)}


def few_decided(decisions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the decisions that differ between trials where they are few, else none.

    Args:
        decisions: of each trial, as `decided` returns them.
    """
    first: dict[str, str] = {}
    varied = dict[str, None]()
    for own in decisions:
        for name, value in own.items():
            if name not in varied and first.setdefault(name, str(value)) != str(value):
                varied[name] = None
    names = [name for name in first if name in varied]
    return names if len(names) <= MOST_DECIDED else []


def dotted(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the leaves of nested mappings with their dotted names."""
    for name, value in tree.items():
        # Asked first: there are many leaves, and to ask an abstract class takes long.
        if type(value) is dict or (type(value) not in _LEAVES and isinstance(value, Mapping)):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
