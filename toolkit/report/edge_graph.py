"""A supernet's cell as nodes and lines: what the page draws a weight's width from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.report.plotting import COLOURS, RANDOM_COLOUR

_ARROWS = ("→", "->")
_NONE = ("none", "zero")
"""Candidates that pass nothing on, drawn in grey."""
MOST_LINES = 160
"""Lines of one cell; of more, none could be followed."""


def edge_graph(weights: Mapping[str, Any], most: float) -> dict[str, Any] | None:
    """Returns what `page.js` draws a cell with; None where edges do not say their ends.

    Args:
        weights: `edges` ("0→2"), `operations`, and `weights` as edges by operations.
        most: the largest weight of any epoch, drawn widest.

    Returns:
        `nodes` (names, from left to right), `edges` (pairs of places in it), `operations` and their
        `colours`, and `most`.
    """
    edges = [_ends(str(edge)) for edge in weights["edges"]]
    known = [edge for edge in edges if edge is not None]
    operations = [str(name).replace("_", " ") for name in weights["operations"]]
    if not known or len(known) < len(edges) or len(edges) * len(operations) > MOST_LINES:
        return None
    nodes = sorted({end for edge in known for end in edge}, key=_place)
    free = iter(COLOURS * (len(operations) // len(COLOURS) + 1))
    return {
        "nodes": nodes,
        "edges": [[nodes.index(source), nodes.index(target)] for source, target in known],
        "operations": [name.replace(" | ", " or ") for name in operations],
        "colours": [RANDOM_COLOUR if name in _NONE else next(free) for name in operations],
        "most": most,
    }


def _ends(edge: str) -> tuple[str, str] | None:
    """Where an edge begins and ends."""
    for arrow in _ARROWS:
        source, found, target = edge.partition(arrow)
        if found and source.strip() and target.strip():
            return source.strip(), target.strip()
    return None


def _place(node: str) -> tuple[bool, int, str]:
    """Numbers by size before names by letter."""
    return not node.isdigit(), int(node) if node.isdigit() else 0, node
