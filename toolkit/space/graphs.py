"""Architecture graphs: one canonical form for all isomorphic ones, and its fingerprint."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.base.plain import digest

if TYPE_CHECKING:
    import networkx

Certificate = tuple[tuple[str, ...], tuple[tuple[int, int, str], ...]]
"""Labels of the nodes in canonical order, and the edges between their positions."""


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
    labels = {node: str(label) for node, label in graph.nodes(data="label", default="")}
    ranks = {label: rank for rank, label in enumerate(sorted(set(labels.values())))}
    colours = {node: ranks[label] for node, label in labels.items()}
    return _least(_Edges.of(graph), labels, colours)


@dataclass(frozen=True)
class _Edges:
    """Edges of a graph with their labels: as they are, and by either end."""

    every: list[tuple[Hashable, Hashable, str]]
    into: dict[Hashable, list[tuple[Hashable, str]]]
    out_of: dict[Hashable, list[tuple[Hashable, str]]]

    @classmethod
    def of(cls, graph: networkx.DiGraph) -> _Edges:
        edges = cls([], {node: [] for node in graph}, {node: [] for node in graph})
        for a, b, label in graph.edges(data="label", default=""):
            edges.every.append((a, b, str(label)))
            edges.into[b].append((a, str(label)))
            edges.out_of[a].append((b, str(label)))
        return edges


def _least(
    graph: _Edges, labels: Mapping[Hashable, str], colours: Mapping[Hashable, int]
) -> Certificate:
    colours = _refine(graph, colours)
    cells: dict[int, list[Hashable]] = {}
    for node, colour in colours.items():
        cells.setdefault(colour, []).append(node)
    shared = [cell for _, cell in sorted(cells.items()) if len(cell) > 1]
    if not shared:
        order = sorted(colours, key=lambda node: colours[node])
        position = {node: index for index, node in enumerate(order)}
        edges = sorted((position[a], position[b], label) for a, b, label in graph.every)
        return tuple(labels[node] for node in order), tuple(edges)
    cell = shared[0]
    first = cell[:1] if _interchangeable(graph, cell) else cell
    return min(
        _least(graph, labels, {n: 2 * c - (n == chosen) for n, c in colours.items()})
        for chosen in first
    )


def _refine(graph: _Edges, colours: Mapping[Hashable, int]) -> dict[Hashable, int]:
    """Split colours by neighbours' colours until nothing splits; ranks do not depend on names."""
    while True:
        signatures = {
            node: repr(
                (
                    colour,
                    sorted([(colours[a], label) for a, label in graph.into[node]]),
                    sorted([(colours[b], label) for b, label in graph.out_of[node]]),
                )
            )
            for node, colour in colours.items()
        }
        keys = sorted(set(signatures.values()))
        ranks = {key: rank for rank, key in enumerate(keys)}
        refined = {node: ranks[signature] for node, signature in signatures.items()}
        if len(keys) == len(set(colours.values())):
            return refined
        colours = refined


def _interchangeable(graph: _Edges, cell: list[Hashable]) -> bool:
    """Whether all nodes of a cell have the very same neighbours over the same edges."""

    def neighbours(node: Hashable) -> tuple[Any, Any]:
        return set(graph.into[node]), set(graph.out_of[node])

    return all(neighbours(node) == neighbours(cell[0]) for node in cell[1:])
