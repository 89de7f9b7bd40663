"""The parameter tree: what a search may decide, with conditions of any depth.

A tree is made of these nodes. Its points are plain JSON:

=================  ==========================================================
node               a point of it
=================  ==========================================================
``Int``            an integer
``Float``          a number
``Choice``         an option's label; ``{label: point}`` where the option has a sub-tree
``Group``          ``{name: point}`` with every name of the group
``Fixed``          the JSON it holds, a group of no parameters
=================  ==========================================================

A sub-tree exists only where its option was chosen: that is all there is to conditions. Whoever
decides values (a random generator, Optuna, NNI, a mutation) does it through `Node.walk`.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.base.errors import SpaceError
from toolkit.base.plain import shown

Scalar: TypeAlias = str | int | float | bool | None
Point: TypeAlias = Any
"""A point of a tree: plain JSON, see the module's table."""


@dataclass(frozen=True)
class Int:
    """Integers from `low` to `high`, both included, every `step`-th, or uniform in the logarithm.

    Raises:
        SpaceError: the range is empty, or `log` is asked for below 1 or together with a step.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high or self.step < 1:
            raise SpaceError(f"Int({self.low}, {self.high}, step={self.step}) holds no value.")
        if self.log and (self.low < 1 or self.step != 1):
            raise SpaceError(f"Int({self.low}, {self.high}) in log needs low >= 1 and no step.")

    @property
    def values(self) -> range:
        """Every value, in order."""
        return range(self.low, self.high + 1, self.step)

    def walk(self, decide: Decide, path: str = "") -> Point:
        return decide(path, self)

    def faults(self, point: Point, path: str = "") -> Iterator[str]:
        if isinstance(point, bool) or not isinstance(point, int) or point not in self.values:
            step = f" in steps of {self.step}" if self.step > 1 else ""
            yield f"{path}: {point!r} is not an integer from {self.low} to {self.high}{step}"

    def size(self) -> float:
        return len(self.values)

    def to_json(self) -> dict[str, Any]:
        return {"int": [self.low, self.high], "step": self.step, "log": self.log}


@dataclass(frozen=True)
class Float:
    """Numbers from `low` to `high`, both included, uniform in the value or in its logarithm.

    Raises:
        SpaceError: the range is empty or not finite, or `log` is asked for at or below 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise SpaceError(f"Float({self.low}, {self.high}) holds no value.")
        if self.log and self.low <= 0:
            raise SpaceError(f"Float({self.low}, {self.high}) in log needs low > 0.")

    def walk(self, decide: Decide, path: str = "") -> Point:
        return decide(path, self)

    def faults(self, point: Point, path: str = "") -> Iterator[str]:
        number = isinstance(point, int | float) and not isinstance(point, bool)
        if not number or not self.low <= point <= self.high:
            yield f"{path}: {point!r} is not a number from {self.low:g} to {self.high:g}"

    def size(self) -> float:
        return 1 if self.low == self.high else math.inf

    def to_json(self) -> dict[str, Any]:
        return {"float": [self.low, self.high], "log": self.log}


class Choice:
    """One of several options, each a JSON scalar; an option may hold a sub-tree.

    Args:
        options: the options in order, or a mapping from option to sub-tree (`None`: no sub-tree).
            Options that hold sub-trees must be strings, since they become keys of the point.

    Raises:
        SpaceError: no option at all, the same option twice, or a sub-tree under a non-string.
    """

    def __init__(self, options: Sequence[Scalar] | Mapping[Any, Node | None]) -> None:
        trees: Sequence[Node | None]
        if isinstance(options, Mapping):
            self.options, trees = tuple(options), tuple(options.values())
        else:
            self.options, trees = tuple(options), (None,) * len(options)
        if not self.options:
            raise SpaceError("A Choice needs at least one option.")
        if len({(type(option), option) for option in self.options}) < len(self.options):
            raise SpaceError(f"A Choice names an option twice: {list(self.options)}.")
        for option, tree in zip(self.options, trees, strict=True):
            if tree is not None and not isinstance(option, str):
                raise SpaceError(f"Option {option!r} has a sub-tree, so it must be a string.")
        self.trees = trees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return f"Choice({dict(zip(self.options, self.trees, strict=True))!r})"

    __hash__ = None  # type: ignore[assignment]

    def find(self, option: Scalar) -> int | None:
        """Position of an option, None if it is none; `True` and `1` are different options."""
        for position, known in enumerate(self.options):
            if type(known) is type(option) and known == option:
                return position
        return None

    def index(self, option: Scalar) -> int:
        """Position of an option, see `find`.

        Raises:
            ValueError: it is not an option.
        """
        position = self.find(option)
        if position is None:
            raise ValueError(option)
        return position

    def walk(self, decide: Decide, path: str = "") -> Point:
        option = decide(path, self)
        tree = self.trees[self.index(option)]
        return option if tree is None else {option: tree.walk(decide, f"{path}.{option}")}

    def faults(self, point: Point, path: str = "") -> Iterator[str]:
        label = next(iter(point)) if isinstance(point, dict) and len(point) == 1 else point
        try:
            tree = self.trees[self.index(label)]
        except ValueError:
            yield f"{path}: {point!r} is none of {', '.join(map(repr, self.options))}"
            return
        if tree is None and isinstance(point, dict):
            yield f"{path}: {label!r} has no parameters of its own, {point!r} gives it some"
        elif tree is not None and not isinstance(point, dict):
            yield f"{path}: {label!r} needs its parameters, as {{{label}: ...}}"
        elif tree is not None:
            yield from tree.faults(point[label], f"{path}.{label}")

    def size(self) -> float:
        return sum(1 if tree is None else tree.size() for tree in self.trees)

    def to_json(self) -> dict[str, Any]:
        return {
            "choice": [
                [option, None if tree is None else tree.to_json()]
                for option, tree in zip(self.options, self.trees, strict=True)
            ]
        }


class Group:
    """Parameters that are all there at once, by name, in order.

    Raises:
        SpaceError: a name is empty or holds a dot (dots separate names in a path), or a member is
            no node.
    """

    def __init__(self, members: Mapping[str, Node] | None = None, /, **named: Node) -> None:
        self.members: dict[str, Node] = {**(members or {}), **named}
        for name in self.members:
            if not name or "." in name:
                raise SpaceError(f"{name!r} cannot name a parameter: it is empty or has a dot.")
            if not isinstance(self.members[name], Int | Float | Choice | Group):
                raise SpaceError(f"{name} is {shown(self.members[name], 100)}, which is no node.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return f"Group({self.members!r})"

    __hash__ = None  # type: ignore[assignment]

    def walk(self, decide: Decide, path: str = "") -> Point:
        prefix = f"{path}." if path else ""
        return {name: node.walk(decide, prefix + name) for name, node in self.members.items()}

    def faults(self, point: Point, path: str = "") -> Iterator[str]:
        if not isinstance(point, dict):
            yield f"{path or 'point'}: {point!r} is not a mapping of {', '.join(self.members)}"
            return
        prefix = f"{path}." if path else ""
        for name in point:
            if name not in self.members:
                yield f"{prefix}{name}: no such parameter, there are {', '.join(self.members)}"
        for name, node in self.members.items():
            if name in point:
                yield from node.faults(point[name], prefix + name)
            else:
                yield f"{prefix}{name}: missing"

    def size(self) -> float:
        return math.prod(node.size() for node in self.members.values())

    def to_json(self) -> dict[str, Any]:
        return {"group": {name: node.to_json() for name, node in self.members.items()}}


class Fixed(Group):
    """A part of the tree in which nothing is left to decide: one point, whatever JSON it is."""

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point

    def __repr__(self) -> str:
        return f"Fixed({self.point!r})"

    def walk(self, decide: Decide, path: str = "") -> Point:
        return copy.deepcopy(self.point)

    def faults(self, point: Point, path: str = "") -> Iterator[str]:
        if point != self.point:
            yield f"{path}: {point!r} is not {self.point!r}"

    def to_json(self) -> dict[str, Any]:
        return {"fixed": self.point}


Leaf: TypeAlias = Int | Float | Choice
"""A node at which somebody decides a value; its path names it."""
Node: TypeAlias = Int | Float | Choice | Group
Space: TypeAlias = Group
"""A whole tree."""
Decide: TypeAlias = Callable[[str, Leaf], Any]
"""Decides one value, given its path (`"head.nullspace.rho"`) and its node."""


def sample(space: Node, rng: random.Random) -> Point:
    """Draw a point: every decision independent and uniform (in the logarithm where asked)."""
    return space.walk(lambda _, leaf: sample_leaf(leaf, rng))


def sample_leaf(leaf: Leaf, rng: random.Random) -> Any:
    """Draw one decision's value."""
    if isinstance(leaf, Choice):
        return rng.choice(leaf.options)
    if isinstance(leaf, Int):
        if leaf.log:
            drawn = math.exp(rng.uniform(math.log(leaf.low - 0.5), math.log(leaf.high + 0.5)))
            return min(max(round(drawn), leaf.low), leaf.high)
        return rng.choice(leaf.values)
    if leaf.log:
        drawn = math.exp(rng.uniform(math.log(leaf.low), math.log(leaf.high)))
        return min(max(drawn, leaf.low), leaf.high)
    return rng.uniform(leaf.low, leaf.high)


def validate(space: Node, point: Point) -> None:
    """Check that a point belongs to the tree.

    Raises:
        SpaceError: it does not; the message lists every fault with its path.
    """
    faults = list(space.faults(point))
    if faults:
        raise SpaceError("Not a point of this space: " + "; ".join(faults) + ".")


def is_point(space: Node, point: Point) -> bool:
    """Says whether a point belongs to the tree."""
    return next(space.faults(point), None) is None


def decisions(space: Node, point: Point) -> dict[str, tuple[Leaf, Any]]:
    """List the decisions behind a point: path -> (node, value), in the order of the walk.

    Raises:
        SpaceError: the point does not belong to the tree.
    """
    found: dict[str, tuple[Leaf, Any]] = {}
    if not _decided(space, point, "", found):
        validate(space, point)  # It says what is wrong.
        raise SpaceError(f"Not a point of this space: {shown(point)}.")
    return found


def _decided(node: Node, point: Point, path: str, found: dict[str, tuple[Leaf, Any]]) -> bool:
    """Lists the decisions behind a point; False where it is none. Replays ask this very often."""
    if isinstance(node, Fixed):
        return bool(point == node.point)
    if isinstance(node, Group):
        if not isinstance(point, dict) or len(point) != len(node.members):
            return False
        prefix = f"{path}." if path else ""
        for name, member in node.members.items():
            if name not in point or not _decided(member, point[name], prefix + name, found):
                return False
        return True
    if not isinstance(node, Choice):
        found[path] = (node, point)
        return next(node.faults(point), None) is None
    label = next(iter(point)) if isinstance(point, dict) and len(point) == 1 else point
    position = node.find(label)
    if position is None:
        return False
    found[path] = (node, label)
    tree = node.trees[position]
    if tree is None or not isinstance(point, dict):
        return tree is None and not isinstance(point, dict)
    return _decided(tree, point[label], f"{path}.{label}", found)


def leaves(space: Node) -> Iterator[tuple[str, Leaf, dict[str, str]]]:
    """Every decision that some point of the tree needs, in the order of the walk.

    Yields:
        its path, its node, and the options (path -> label) under which alone it exists.
    """
    yield from _leaves(space, "", {})


def _leaves(
    node: Node, path: str, under: dict[str, str]
) -> Iterator[tuple[str, Leaf, dict[str, str]]]:
    if isinstance(node, Group):
        for name, member in node.members.items():
            yield from _leaves(member, f"{path}.{name}" if path else name, under)
        return
    yield path, node, under
    if isinstance(node, Choice):
        for option, tree in zip(node.options, node.trees, strict=True):
            if tree is not None:
                label = str(option)
                yield from _leaves(tree, f"{path}.{label}", {**under, path: label})


def is_fixed(leaf: Leaf) -> bool:
    """Whether a leaf leaves nothing to decide."""
    if isinstance(leaf, Choice):
        return len(leaf.options) == 1
    return leaf.size() == 1


def from_json(data: Mapping[str, Any]) -> Node:
    """Rebuild a tree from its `to_json`.

    Raises:
        SpaceError: the data describe no node.
    """
    match dict(data):
        case {"int": [low, high], "step": step, "log": log}:
            return Int(low, high, step, log)
        case {"float": [low, high], "log": log}:
            return Float(low, high, log)
        case {"choice": [*options]}:
            if all(tree is None for _, tree in options):
                return Choice([option for option, _ in options])
            return Choice({o: None if tree is None else from_json(tree) for o, tree in options})
        case {"fixed": point}:
            return Fixed(point)
        case {"group": members}:
            return Group({name: from_json(node) for name, node in members.items()})
    raise SpaceError(f"{data!r} describes no node of a parameter tree.")
