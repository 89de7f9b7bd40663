"""Searched values: `{log: [a, b]}`, `{uniform: [a, b]}`, `{int: [a, b]}`, `{choice: [...]}`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolkit.base.errors import SpaceError
from toolkit.recipe.faults import Path
from toolkit.space import Choice, Float, Group, Int, Leaf, Node

KINDS = ("log", "uniform", "int", "choice")


def is_searched(value: Any) -> bool:
    """Whether a recipe's value is written as a searched one (it may still be malformed)."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in KINDS


def searched_in(data: Mapping[str, Any]) -> list[tuple[Path, Mapping[str, Any]]]:
    """Lists what a recipe's data say is searched, with the path of each value."""
    words = ("task", "space", "train")
    return [found for word in words for found in _searched_in(data.get(word), (word,))]


def _searched_in(value: Any, path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if is_searched(value):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _searched_in(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _searched_in(inner, (*path, index))


def parse_searched(value: Mapping[str, Any]) -> Leaf:
    """Read a searched value.

    Raises:
        ValueError: it is malformed; the text says what was expected.
    """
    ((kind, content),) = value.items()
    if not isinstance(content, list):
        raise ValueError(f"expected a list after {kind}")
    try:
        if kind == "choice":
            return _choice(content)
        if len(content) != 2 or not all(map(_is_number, content)):
            raise ValueError(f"expected two numbers, {{{kind}: [lowest, highest]}}")
        low, high = content
        if kind != "int":
            return Float(float(low), float(high), log=kind == "log")
        if not (isinstance(low, int) and isinstance(high, int)):
            raise ValueError("expected two integers, {int: [lowest, highest]}")
        return Int(low, high)
    except (SpaceError, OverflowError) as error:
        raise ValueError(f"the range is impossible: {error}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choice(options: list[Any]) -> Choice:
    if any(isinstance(option, list | dict) for option in options):
        raise ValueError(
            "expected plain options (text, numbers, true, false, null); "
            "inside of a list or a mapping, search the single values: [20, {choice: [16, 12]}, 8]"
        )
    return Choice(options)


def written(leaf: Leaf) -> dict[str, Any]:
    """A leaf as it is written in a recipe, the inverse of `parse_searched`."""
    if isinstance(leaf, Choice):
        return {"choice": list(leaf.options)}
    if isinstance(leaf, Int):
        return {"int": [leaf.low, leaf.high]}
    return {"log" if leaf.log else "uniform": [leaf.low, leaf.high]}


def probes(leaf: Leaf) -> list[tuple[int, Any]]:
    """Values that must suit the schema: every option, or both ends of a range, with positions.

    A range of fractions is probed within too, so that it does not pass for a field of integers.
    """
    if isinstance(leaf, Choice):
        return list(enumerate(leaf.options))
    if isinstance(leaf, Int):
        return [(0, leaf.low), (1, leaf.high)]
    inside = leaf.low + (leaf.high - leaf.low) * 0.381966
    return [(0, leaf.low), (1, leaf.high), (1, min(max(inside, leaf.low), leaf.high))]


def first(leaf: Leaf) -> Any:
    """The value that stands in a recipe's block where a value is searched."""
    return leaf.options[0] if isinstance(leaf, Choice) else leaf.low


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted path as nested mappings: `{"a.b": 1}` becomes `{"a": {"b": 1}}`."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *outer, last = path.split(".")
        at = nested
        for name in outer:
            at = at.setdefault(name, {})
        at[last] = value
    return nested


def tree(searched: Mapping[str, Leaf]) -> Group:
    """Leaves by dotted path as a tree of groups, one per level."""

    def group(level: Mapping[str, Any]) -> Group:
        nodes: dict[str, Node] = {
            name: group(node) if isinstance(node, dict) else node for name, node in level.items()
        }
        return Group(nodes)

    return group(nest(searched))


def fill(block: Any, point: Any) -> Any:
    """A block with the values of a point of its `tree` put in, at any depth; changes neither."""
    if not isinstance(point, Mapping):
        return point
    if isinstance(block, list):
        return [
            fill(item, point[str(index)]) if str(index) in point else item
            for index, item in enumerate(block)
        ]
    filled = dict(block or {})
    for name, value in point.items():
        filled[name] = fill(filled.get(name), value)
    return filled


def put(data: Any, path: Iterable[str | int], value: Any) -> None:
    """Set the value at a path that exists."""
    *outer, last = path
    for key in outer:
        data = data[key]
    data[last] = value


def corners(searched: Mapping[str, Leaf]) -> Iterator[dict[str, Any]]:
    """Every option of choices, both ends of ranges, in all combinations, as parts of points.

    Raises:
        SpaceError: there are more than 1024.
    """
    ends = [
        leaf.options if isinstance(leaf, Choice) else (leaf.low, leaf.high)
        for leaf in searched.values()
    ]
    if math.prod(map(len, ends)) > 1024:
        raise SpaceError("space: too many searched options to check them all (over 1024 cases).")
    for values in itertools.product(*ends):
        yield nest(dict(zip(searched, values, strict=True)))
