"""The outline of a point: what was decided, as a tree of labelled nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.space.tree import Choice, Float, Group, Node, Point, Space

if TYPE_CHECKING:
    import networkx

POINT = "architecture"
"""Label of the root of a point of the tree."""
BY_HAND = "made by hand"
"""Label of the root of anything else."""
_PLAIN = re.compile(r"(?!(?:null|true|false)$)[^\W\d][\w.+-]*")
"""Text that reads like nothing else of JSON, so that it needs no quotes."""


def outline(space: Space, point: Point) -> networkx.DiGraph:
    """Draws what was decided at a point, each decision under the option that it belongs to.

    Args:
        space: the tree.
        point: one of its points; of anything else the JSON is drawn, key by key.

    Returns:
        A tree whose nodes are labelled `name: value`. Different points never have isomorphic trees:
        siblings have different names, and values are told apart as JSON tells them apart.
    """
    import networkx

    graph = networkx.DiGraph()
    is_point = not any(space.faults(point))
    graph.add_node(0, label=POINT if is_point else BY_HAND)
    if is_point:
        _add_members(graph, 0, space, point)
    else:
        for name, value in point.items():
            _add(graph, 0, f"{name}: {_text(value)}")
    return graph


def _add_members(graph: networkx.DiGraph, parent: int, group: Group, point: Point) -> None:
    for name, node in group.members.items():
        _add_node(graph, parent, name, node, point[name])


def _add_node(graph: networkx.DiGraph, parent: int, name: str, node: Node, point: Point) -> None:
    if isinstance(node, Group):
        _add_members(graph, _add(graph, parent, name), node, point)
    elif isinstance(node, Choice) and isinstance(point, Mapping):
        ((option, inner),) = point.items()
        tree = node.trees[node.index(option)]
        chosen = _add(graph, parent, f"{name}: {_text(option)}")
        if isinstance(tree, Group):
            _add_members(graph, chosen, tree, inner)
        elif tree is not None:
            _add_node(graph, chosen, option, tree, inner)
    else:
        # 1 and 1.0 are the same number where any number may stand.
        value = float(point) if isinstance(node, Float) else point
        _add(graph, parent, f"{name}: {_text(value)}")


def _add(graph: networkx.DiGraph, parent: int, label: str) -> int:
    number = len(graph)
    graph.add_node(number, label=label)
    graph.add_edge(parent, number)
    return number


def _text(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
