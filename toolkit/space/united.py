"""Trees of several settings as one, and its points as one setting has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from toolkit.base.errors import SpaceError
from toolkit.base.plain import is_number
from toolkit.space.tree import Choice, Fixed, Float, Group, Int, Node, Point


def united(trees: Sequence[Node]) -> Node:
    """Returns the smallest tree that holds what each of some trees holds.

    Options keep their order; those of later trees follow.

    Raises:
        SpaceError: a parameter is of one kind in one tree and of another in the next.
    """
    first = trees[0]
    if all(tree == first for tree in trees[1:]):
        return first
    if all(isinstance(tree, Choice) for tree in trees):
        return _united_choices([tree for tree in trees if isinstance(tree, Choice)])
    if all(type(tree) is Group for tree in trees):
        groups = [tree.members for tree in trees if isinstance(tree, Group)]
        names = dict.fromkeys(name for members in groups for name in members)
        return Group({n: united([own[n] for own in groups if n in own]) for n in names})
    ranges = [tree for tree in trees if isinstance(tree, Int | Float)]
    if len(ranges) == len(trees) and len({_kind(tree) for tree in ranges}) == 1:
        low, high = min(tree.low for tree in ranges), max(tree.high for tree in ranges)
        if isinstance(first, Int):
            return Int(int(low), int(high), first.step, first.log)
        return Float(low, high, log=ranges[0].log)
    raise SpaceError(f"{first!r} and {next(t for t in trees if t != first)!r} cannot be one tree.")


def _united_choices(choices: Sequence[Choice]) -> Choice:
    options = {(type(each), each): each for choice in choices for each in choice.options}.values()
    trees: dict[Any, Node | None] = {}
    for option in options:
        own = [c.trees[at] for c in choices if (at := c.find(option)) is not None]
        inner = [tree for tree in own if tree is not None]
        if 0 < len(inner) < len(own):
            raise SpaceError(f"Option {option!r} has parameters of its own in some trees only.")
        trees[option] = united(inner) if inner else None
    return Choice(trees if any(tree is not None for tree in trees.values()) else list(options))


def _kind(tree: Int | Float) -> tuple[Any, ...]:
    """What two ranges must have in common to be one."""
    steps = (tree.step, tree.low % tree.step) if isinstance(tree, Int) else ()
    return type(tree), tree.log, steps


def fitted(space: Node, point: Any) -> Point:
    """Returns the point of a tree that is nearest to another tree's.

    What the tree holds stays; a number goes to the nearest one that there is, anything else to the
    first option, and what is not decided to the lowest value.
    """
    match space:
        case Fixed():
            return copy.deepcopy(space.point)
        case Group():
            inner = point if isinstance(point, Mapping) else {}
            return {name: fitted(node, inner.get(name)) for name, node in space.members.items()}
        case Choice():
            return _fitted_choice(space, point)
        case Int():
            return _fitted_int(space, point) if _is_number(point) else space.low
        case Float():
            return min(max(point if _is_number(point) else space.low, space.low), space.high)


def _fitted_int(space: Int, number: float) -> int:
    """The nearest number; of two that are as near, the lower one."""
    steps = -((space.step - 2 * (number - space.low)) // (2 * space.step))
    return space.low + space.step * min(max(int(steps), 0), (space.high - space.low) // space.step)


def _fitted_choice(space: Choice, point: Any) -> Point:
    label, inner = point, None
    if isinstance(point, Mapping) and len(point) == 1:
        ((label, inner),) = point.items()
    at = space.find(label)
    if at is None:
        numbers = [option for option in space.options if _is_number(option)]
        if _is_number(label) and numbers:
            label = min(numbers, key=lambda option: abs(option - label))
        else:
            label = space.options[0]
        at = space.index(label)
    tree = space.trees[at]
    return label if tree is None else {label: fitted(tree, inner)}


def _is_number(value: Any) -> TypeGuard[float]:
    return is_number(value) and not isinstance(value, bool)
