"""Architectures as labelled graphs, to draw and to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .genotype import HEAD, read_cell

if TYPE_CHECKING:
    import networkx


def cell_graph(architecture: Mapping[str, Any]) -> networkx.DiGraph:
    """Return the graph of all cells of an architecture, side by side.

    Inputs are the outputs of the cell before the last (k-2) and of the last (k-1). Operations are
    the labels of edges, so that cells which differ in the order of their nodes alone are equal.
    """
    import networkx

    graph = networkx.DiGraph()
    for kind, cell in architecture.items():
        if kind == HEAD:
            graph.add_node(HEAD, label=f"head {cell}", group=HEAD)
            continue
        links = read_cell(cell)
        for node, origin in enumerate(("k-2", "k-1")):
            graph.add_node(f"{kind} {node}", label=f"{kind} input {origin}", group=kind)
        graph.add_node(f"{kind} output", label="join channels", group=kind)
        for target in sorted({link.target for link in links}):
            graph.add_node(f"{kind} {target}", label="mean", group=kind)
            graph.add_edge(f"{kind} {target}", f"{kind} output", label="")
        for link in links:
            ends = f"{kind} {link.source}", f"{kind} {link.target}"
            graph.add_edge(*ends, label=link.operation)
    return graph


def chain_graph(sizes: Sequence[int], batch_norm: bool) -> networkx.DiGraph:
    """Return the graph of a hand-made SPDNet."""
    labels = [f"input {sizes[0]}"]
    for size in sizes[1:]:
        labels += [f"bimap {size}", *(["batch norm"] if batch_norm else []), "reeig"]
    return _chain([*labels, "logeig", "linear"], "spdnet")


def classifier_graph(size: int, name: str) -> networkx.DiGraph:
    """Return the graph of a classifier at the input of the networks."""
    return _chain([f"input {size}", name], "classifier")


def _chain(labels: Sequence[str], group: str) -> networkx.DiGraph:
    import networkx

    graph = networkx.DiGraph()
    for position, label in enumerate(labels):
        graph.add_node(position, label=label, group=group)
    graph.add_edges_from(zip(range(len(labels)), range(1, len(labels)), strict=False), label="")
    return graph
