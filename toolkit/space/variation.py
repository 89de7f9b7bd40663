"""Typed moves in a parameter tree: mutation, crossover and neighbours of a point.

A point is known by its decisions (path -> value). A move changes some of them and walks the tree
again, so that a sub-tree which a changed option brings along is drawn and one it drops is gone.

For plugin authors: `mutate`, `cross`, `neighbours` and `points` are stable.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.space.tree import (
    Choice,
    Float,
    Int,
    Leaf,
    Point,
    Space,
    decisions,
    is_fixed,
    sample_leaf,
)

SPREAD = 0.15
"""Standard deviation of a numeric step, as a share of the (logarithmic) range."""


def mutate(space: Space, point: Point, rng: random.Random, count: int = 1) -> Point:
    """Change `count` decisions, drawn uniformly from those that leave a choice."""
    taken = decisions(space, point)
    free = [path for path, (leaf, _) in taken.items() if not is_fixed(leaf)]
    chosen = set(rng.sample(free, min(count, len(free))))

    def decide(path: str, leaf: Leaf) -> Any:
        if path not in taken:
            return sample_leaf(leaf, rng)
        value = taken[path][1]
        return other_value(leaf, value, rng) if path in chosen else value

    return space.walk(decide)


def cross(space: Space, first: Point, second: Point, rng: random.Random) -> Point:
    """Uniform crossover: each decision from either parent, where only one has it from that one."""
    ours, theirs = decisions(space, first), decisions(space, second)

    def decide(path: str, leaf: Leaf) -> Any:
        parents = [parent[path][1] for parent in (ours, theirs) if path in parent]
        return rng.choice(parents) if parents else sample_leaf(leaf, rng)

    return space.walk(decide)


def other_value(leaf: Leaf, value: Any, rng: random.Random) -> Any:
    """Another value of a leaf that has one: any other option, or a number near by."""
    if isinstance(leaf, Choice):
        here = leaf.index(value)
        return rng.choice([o for position, o in enumerate(leaf.options) if position != here])
    if isinstance(leaf, Float):
        return _near(leaf.low, leaf.high, leaf.log, value, rng)
    return _other_integer(leaf, value, rng)


def _other_integer(leaf: Int, value: int, rng: random.Random) -> int:
    if leaf.log:
        moved = round(_near(leaf.low, leaf.high, True, value, rng))
    else:
        position = (value - leaf.low) // leaf.step
        last = len(leaf.values) - 1
        moved = leaf.values[round(_near(0, last, False, position, rng))]
    if moved != value:
        return moved
    beside = [value + step for step in (-leaf.step, leaf.step) if value + step in leaf.values]
    return rng.choice(beside)


def _near(low: float, high: float, log: bool, value: float, rng: random.Random) -> float:
    """A normal step of `SPREAD` times the range, reflected at the ends."""
    if log:
        moved = _near(math.log(low), math.log(high), False, math.log(value), rng)
        return min(max(math.exp(moved), low), high)
    width = high - low
    moved = (value - low + rng.gauss(0, SPREAD * width)) % (2 * width)
    return min(max(low + min(moved, 2 * width - moved), low), high)


def neighbours(space: Space, point: Point, rng: random.Random) -> list[Point]:
    """Points one decision away: every other option, the integers beside, two steps of a float."""
    taken = decisions(space, point)
    found = []
    for target, (leaf, value) in taken.items():
        for changed in _neighbouring(leaf, value, rng):
            found.append(_with(space, taken, target, changed, rng))
    rng.shuffle(found)
    return found


def _with(
    space: Space,
    taken: Mapping[str, tuple[Leaf, Any]],
    target: str,
    changed: Any,
    rng: random.Random,
) -> Point:
    def decide(path: str, leaf: Leaf) -> Any:
        if path == target:
            return changed
        return taken[path][1] if path in taken else sample_leaf(leaf, rng)

    return space.walk(decide)


def _neighbouring(leaf: Leaf, value: Any, rng: random.Random) -> Iterator[Any]:
    if is_fixed(leaf):
        return
    if isinstance(leaf, Choice):
        here = leaf.index(value)
        yield from (o for position, o in enumerate(leaf.options) if position != here)
    elif isinstance(leaf, Float):
        yield from (other_value(leaf, value, rng) for _ in range(2))
    else:
        beside = [v for v in (value - leaf.step, value + leaf.step) if v in leaf.values]
        yield from beside
        far = other_value(leaf, value, rng)
        if far not in beside:
            yield far


def points(space: Space) -> Iterator[Point]:
    """Every point of a finite tree, in order."""
    # The walk is repeated with one more decision advanced each time, as an odometer turns.
    digits: list[int] = []
    while True:
        sizes: list[int] = []

        def decide(path: str, leaf: Leaf, sizes: list[int] = sizes) -> Any:
            values = _values(leaf)
            if len(sizes) == len(digits):
                digits.append(0)
            sizes.append(len(values))
            return values[digits[len(sizes) - 1]]

        yield space.walk(decide)
        while digits and digits[-1] + 1 == sizes[len(digits) - 1]:
            digits.pop()
        if not digits:
            return
        digits[-1] += 1


def _values(leaf: Leaf) -> Any:
    if isinstance(leaf, Choice):
        return leaf.options
    return leaf.values if isinstance(leaf, Int) else (leaf.low,)
