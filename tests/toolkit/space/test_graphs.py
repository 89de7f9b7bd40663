"""Fingerprints: equal exactly for isomorphic graphs, with networkx as the judge."""

from __future__ import annotations

import random

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.algorithms.isomorphism import categorical_edge_match, categorical_node_match

from toolkit.space.graphs import fingerprint


@st.composite
def graphs(draw: st.DrawFn) -> networkx.DiGraph:
    size = draw(st.integers(1, 6))
    graph = networkx.DiGraph()
    for node in range(size):
        graph.add_node(node, label=draw(st.sampled_from("ab")))
    for target in range(size):
        for source in range(target):
            if draw(st.booleans()):
                graph.add_edge(source, target, label=draw(st.sampled_from(["", "x"])))
    return graph


def isomorphic(a: networkx.DiGraph, b: networkx.DiGraph) -> bool:
    return networkx.is_isomorphic(
        a, b, categorical_node_match("label", ""), categorical_edge_match("label", "")
    )


@settings(max_examples=300)
@given(graphs(), graphs())
def test_fingerprints_are_equal_exactly_for_isomorphic_graphs(
    a: networkx.DiGraph, b: networkx.DiGraph
) -> None:
    assert (fingerprint(a) == fingerprint(b)) == isomorphic(a, b)


@given(graphs(), st.integers(0, 2**32))
def test_names_and_order_of_nodes_do_not_count(graph: networkx.DiGraph, seed: int) -> None:
    nodes = list(graph)
    random.Random(seed).shuffle(nodes)
    shuffled = networkx.DiGraph()
    for node in nodes:
        shuffled.add_node(f"n{node}", **graph.nodes[node], group="anything")
    for a, b, data in graph.edges(data=True):
        shuffled.add_edge(f"n{a}", f"n{b}", **data)
    assert fingerprint(shuffled) == fingerprint(graph)


def test_regular_graphs_that_refinement_cannot_tell_apart_are_told_apart() -> None:
    def directed(cycles: list[list[int]]) -> networkx.DiGraph:
        graph = networkx.DiGraph()
        for cycle in cycles:
            for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
                graph.add_edge(a, b)
                graph.add_edge(b, a)
        return graph

    hexagon = directed([[0, 1, 2, 3, 4, 5]])
    triangles = directed([[0, 1, 2], [3, 4, 5]])
    assert fingerprint(hexagon) != fingerprint(triangles)


def test_many_equal_branches_do_not_explode() -> None:
    graph = networkx.DiGraph()
    for branch in range(30):
        graph.add_node(branch, label="conv")
        graph.add_edge("in", branch)
        graph.add_edge(branch, "out")
    assert len(fingerprint(graph)) == 16
