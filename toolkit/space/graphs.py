"""Architecture graphs: one canonical form for all isomorphic ones, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx

Certificate = tuple[tuple[str, ...], tuple[tuple[int, int, str], ...]]
"""Labels of the nodes in canonical order, and the edges between their positions."""


def digest(content: Any) -> str:
    """Hash of plain JSON content, independent of the order of keys: 16 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(graph: networkx.DiGraph) -> str:
    """Fingerprint of an architecture graph: equal exactly for isomorphic graphs.

    Isomorphic means: some renaming of the nodes keeps every node's `label`, every edge and every
    edge's `label`.
    """
    return digest(canonical_form(graph))


def canonical_form(graph: networkx.DiGraph) -> Certificate:
    """The least certificate over the orders that colour refinement leaves open.

    Colours start as node labels and are refined by the colours of neighbours until stable (McKay
    and Piperno, "Practical graph isomorphism II", 2014). Where a colour is still shared, each of
    its nodes is tried as the first; nodes that share all neighbours are interchangeable, so one
    of them stands for all.
    """
    labels = {node: str(graph.nodes[node].get("label", "")) for node in graph}
    ranks = {label: rank for rank, label in enumerate(sorted(set(labels.values())))}
    return _least(graph, labels, {node: ranks[label] for node, label in labels.items()})


def _least(
    graph: networkx.DiGraph, labels: Mapping[Hashable, str], colours: Mapping[Hashable, int]
) -> Certificate:
    colours = _refine(graph, colours)
    cells: dict[int, list[Hashable]] = {}
    for node, colour in colours.items():
        cells.setdefault(colour, []).append(node)
    shared = [cell for _, cell in sorted(cells.items()) if len(cell) > 1]
    if not shared:
        order = sorted(colours, key=lambda node: colours[node])
        position = {node: index for index, node in enumerate(order)}
        edges = sorted(
            (position[a], position[b], str(data.get("label", "")))
            for a, b, data in graph.edges(data=True)
        )
        return tuple(labels[node] for node in order), tuple(edges)
    cell = shared[0]
    first = cell[:1] if _interchangeable(graph, cell) else cell
    return min(
        _least(graph, labels, {n: 2 * c - (n == chosen) for n, c in colours.items()})
        for chosen in first
    )


def _refine(graph: networkx.DiGraph, colours: Mapping[Hashable, int]) -> dict[Hashable, int]:
    """Split colours by neighbours' colours until nothing splits; ranks do not depend on names."""
    while True:
        signatures = {
            node: (
                colours[node],
                sorted(
                    (colours[a], str(d.get("label", "")))
                    for a, _, d in graph.in_edges(node, data=True)
                ),
                sorted(
                    (colours[b], str(d.get("label", "")))
                    for _, b, d in graph.out_edges(node, data=True)
                ),
            )
            for node in graph
        }
        keys = sorted({repr(signature) for signature in signatures.values()})
        ranks = {key: rank for rank, key in enumerate(keys)}
        refined = {node: ranks[repr(signature)] for node, signature in signatures.items()}
        if len(keys) == len(set(colours.values())):
            return refined
        colours = refined


def _interchangeable(graph: networkx.DiGraph, cell: list[Hashable]) -> bool:
    """Whether all nodes of a cell have the very same neighbours over the same edges."""

    def neighbours(node: Hashable) -> tuple[Any, Any]:
        return (
            {(a, str(d.get("label", ""))) for a, _, d in graph.in_edges(node, data=True)},
            {(b, str(d.get("label", ""))) for _, b, d in graph.out_edges(node, data=True)},
        )

    return all(neighbours(node) == neighbours(cell[0]) for node in cell[1:])
