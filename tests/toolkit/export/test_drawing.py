"""Drawings are whole SVG documents in which nothing covers anything else."""

import random
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.export.drawing import draw
from toolkit.export.drawing.layout import lay_out

SVG = "{http://www.w3.org/2000/svg}"


def random_graph(nodes: int, seed: int, groups: int = 0, labelled: float = 0.2) -> Any:
    rng = random.Random(seed)
    graph = networkx.DiGraph()
    for index in range(nodes):
        group = {"group": f"cell {index * groups // nodes}"} if groups else {}
        graph.add_node(
            index, label=rng.choice(["conv", "a rather long label, broken", "m"]), **group
        )
    for index in range(1, nodes):
        for source in {rng.randrange(max(0, index - 7), index) for _ in range(rng.randint(1, 3))}:
            label = {"label": "operation"} if rng.random() < labelled else {}
            graph.add_edge(source, index, **label)
    return graph


def rectangles(svg: str) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """(x, y, width, height) of the nodes and of the groups."""
    found: dict[str, list[tuple[float, ...]]] = {"7": [], "12": []}
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        if rect.get("rx"):
            sides = tuple(float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
            found[rect.get("rx", "")].append(sides)
    return found["7"], found["12"]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("nodes", [1, 3, 12, 30, 60])
@pytest.mark.parametrize("groups", [0, 3])
def test_nodes_and_groups_do_not_overlap_and_lie_within_the_picture(
    nodes: int, groups: int
) -> None:
    svg = draw(random_graph(nodes, nodes, groups))
    boxes, cells = rectangles(svg)
    assert len(boxes) == nodes
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert not any(overlap(a, b) for a, b in combinations(cells, 2))
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for x, y, w, h in boxes + cells:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_a_group_holds_its_nodes_and_no_others() -> None:
    graph = random_graph(24, 5, 3)
    graph.add_node("outside", label="outside")
    graph.add_edge(0, "outside")
    graph.add_edge("outside", 23)
    boxes, cells = rectangles(draw(graph))
    assert len(cells) == 3
    inside = [sum(overlap(box, cell) for cell in cells) for box in boxes]
    assert inside == [1] * 24 + [0]


def test_a_group_that_a_path_leaves_and_enters_again_is_drawn_without_a_box() -> None:
    graph = networkx.DiGraph([(0, 1), (1, 2)])
    graph.nodes[0]["group"] = graph.nodes[2]["group"] = "torn"
    boxes, cells = rectangles(draw(graph))
    assert len(boxes) == 3 and cells == []


def test_cycles_loops_and_empty_graphs_are_drawn() -> None:
    cycle = networkx.DiGraph([(0, 1), (1, 2), (2, 0), (1, 1)])
    assert "stroke-dasharray" in draw(cycle)
    assert len(rectangles(draw(cycle))[0]) == 3
    ElementTree.fromstring(draw(networkx.DiGraph()))


@given(text=st.text(max_size=60))
@settings(max_examples=40)
def test_any_text_gives_well_formed_svg_that_shows_it(text: str) -> None:
    graph = networkx.DiGraph()
    graph.add_node("a", label=text, group=text or None)
    graph.add_node("b", label="b")
    graph.add_edge("a", "b", label=text)
    root = ElementTree.fromstring(draw(graph, text))
    assert root.find(f"{SVG}title") is not None
    assert not list(root.iter(f"{SVG}script"))


def test_a_drawing_has_a_title_and_a_description_and_needs_nothing_from_outside() -> None:
    graph = networkx.DiGraph()
    graph.add_node("a", label="<input>")
    graph.add_node("b", label="linear")
    graph.add_edge("a", "b", label="skip")
    svg = draw(graph, "Found & drawn")
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "Found & drawn"
    assert "<input> to linear by skip" in (root.findtext(f"{SVG}desc") or "")
    assert svg.count("http") == 1, "the name space alone"


def test_equal_graphs_give_equal_drawings() -> None:
    assert draw(random_graph(20, 1, 2)) == draw(random_graph(20, 1, 2))


def test_edges_of_a_planar_cell_do_not_cross() -> None:
    edges = [(0, 2), (1, 2), (0, 3), (2, 3), (2, 4), (3, 4)]
    layout = lay_out(dict.fromkeys(range(5), 30.0), edges, {})
    chains = [[a, *layout.routes[a, b], b] for a, b in edges]
    links = [(p, q) for chain in chains for p, q in pairwise(chain)]
    for (a, b), (c, d) in combinations(links, 2):
        if layout.layer[a] == layout.layer[c]:
            assert (layout.y[a] - layout.y[c]) * (layout.y[b] - layout.y[d]) >= -1e-6
