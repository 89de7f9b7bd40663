"""The parameter tree in NNI's search space format, and its points in NNI's format of parameters.

Every parameter is named by its whole path, so names stay unique at any depth. An option is known to
NNI by its position, so that options such as `None`, `False` and `0` stay apart. What leaves nothing
to decide is not handed over at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.space import Choice, Float, Group, Int, Leaf, Node, Point, Space, decisions, is_fixed

_HALF = 0.499
"""Half a step less a little: rounding reaches the outer integers as often as the inner ones."""


class Encoding:
    """A tree and its translation.

    Args:
        space: the tree.
        categorical_integers: hand integers over as unordered positions (`randint`) instead of
            rounded numbers.
    """

    def __init__(self, space: Space, *, categorical_integers: bool = False) -> None:
        self._space, self._categorical = space, categorical_integers
        self.search_space: dict[str, Any] = self._specs(space, "")

    def decode(self, parameters: Mapping[str, Any]) -> Point:
        """The point behind what a tuner generated."""
        values = dict(_flat(parameters))
        return self._space.walk(lambda path, leaf: self._value(leaf, values.get(path)))

    def encode(self, point: Point, *, indexed: bool = False) -> dict[str, Any]:
        """A point as tuners generate it; `indexed` as Evolution keeps it, with `_index`.

        Raises:
            SpaceError: it is no point of the tree.
        """
        taken = {path: value for path, (_, value) in decisions(self._space, point).items()}
        return self._parameters(self._space, "", taken, indexed)

    def _specs(self, node: Node, path: str) -> dict[str, Any]:
        if isinstance(node, Group):
            found: dict[str, Any] = {}
            for name, member in node.members.items():
                found |= self._specs(member, f"{path}.{name}" if path else name)
            return found
        if isinstance(node, Choice) and is_fixed(node):
            tree = node.trees[0]
            return {} if tree is None else self._specs(tree, f"{path}.{node.options[0]}")
        if is_fixed(node):
            return {}
        return {path: self._spec(node, path)}

    def _spec(self, leaf: Leaf, path: str) -> dict[str, Any]:
        if isinstance(leaf, Choice):
            if not _is_nested(leaf):
                return {"_type": "choice", "_value": list(range(len(leaf.options)))}
            options = [
                {
                    "_name": str(position),
                    **({} if tree is None else self._specs(tree, f"{path}.{o}")),
                }
                for position, (o, tree) in enumerate(zip(leaf.options, leaf.trees, strict=True))
            ]
            return {"_type": "choice", "_value": options}
        if isinstance(leaf, Float):
            kind = "loguniform" if leaf.log else "uniform"
            return {"_type": kind, "_value": [leaf.low, leaf.high]}
        if self._categorical:
            return {"_type": "randint", "_value": [0, len(leaf.values)]}
        if leaf.log:
            return {"_type": "qloguniform", "_value": [leaf.low - _HALF, leaf.high + _HALF, 1]}
        return {"_type": "quniform", "_value": [1 - _HALF, len(leaf.values) + _HALF, 1]}

    def _value(self, leaf: Leaf, value: Any) -> Any:
        if isinstance(leaf, Choice):
            return leaf.options[0 if value is None else int(value)]
        if value is None:
            return leaf.low
        if isinstance(leaf, Float):
            return min(max(float(value), leaf.low), leaf.high)
        position = round(float(value))
        if not self._categorical:
            position -= leaf.low if leaf.log else 1
        return leaf.values[min(max(position, 0), len(leaf.values) - 1)]

    def _parameters(
        self, node: Node, path: str, taken: Mapping[str, Any], indexed: bool
    ) -> dict[str, Any]:
        if isinstance(node, Group):
            found: dict[str, Any] = {}
            for name, member in node.members.items():
                inner = f"{path}.{name}" if path else name
                found |= self._parameters(member, inner, taken, indexed)
            return found
        if not isinstance(node, Choice):
            return {} if is_fixed(node) else {path: self._number(node, taken[path])}
        position = node.index(taken[path])
        tree = node.trees[position]
        inner_values = (
            {} if tree is None else self._parameters(tree, f"{path}.{taken[path]}", taken, indexed)
        )
        if is_fixed(node):
            return inner_values
        value = {"_name": str(position), **inner_values} if _is_nested(node) else position
        return {path: {"_index": position, "_value": value} if indexed else value}

    def _number(self, leaf: Int | Float, value: Any) -> Any:
        if isinstance(leaf, Float):
            return float(value)
        position = leaf.values.index(value)
        if self._categorical:
            return position
        return float(value if leaf.log else position + 1)


def _is_nested(leaf: Choice) -> bool:
    return any(tree is not None for tree in leaf.trees)


def _flat(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for path, value in parameters.items():
        if isinstance(value, Mapping):
            found.append((path, value["_name"]))
            found += _flat(value)
        elif path != "_name":
            found.append((path, value))
    return found
