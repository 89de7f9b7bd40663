"""Architectures of the cell space as plain JSON, and what can be read off them without torch.

A cell has two inputs, nodes 0 and 1, and intermediate nodes from 2 on. Each intermediate node takes
two distinct earlier nodes, through one operation each. An architecture is a point of the
parameter tree, one entry per cell type::

    {"normal": {"node_2": {"0,1": {"from_0": "skip", "from_1": "skip"}},
                "node_3": {"0,2": {"from_0": "bimap_0", "from_2": "bimap_1"}}},
     "reduction": {...}}
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

NORMAL = "normal"
REDUCTION = "reduction"
NONE = "none"
HEAD = "head"
"""Which classifier ends the network, where an architecture decides it."""

NORMAL_OPERATIONS = ("none", "weighted_pooling", "bimap_0", "bimap_1", "bimap_2", "skip")
REDUCTION_OPERATIONS = ("none", "avg_pooling", "max_pooling", "bimap_1", "bimap_2", "skip")
"""The published candidates (Sukthanker et al., IJCAI 2021, table 1), in its order."""
CONVOLUTIONS = ("log_convolution", "log_convolution_5")
"""Later candidates that networks of nothing else are good with."""


class Link(NamedTuple):
    """One chosen edge of a cell."""

    source: int
    target: int
    operation: str


def cell_edges(nodes: int) -> list[tuple[int, int]]:
    """List (source, target) of all edges of a cell with `nodes` intermediate nodes, in order."""
    return [(source, target) for target in range(2, nodes + 2) for source in range(target)]


def source_pairs(target: int) -> list[tuple[int, int]]:
    """List the pairs of distinct nodes that may enter a node."""
    return list(combinations(range(target), 2))


def write_cell(links: Sequence[Link]) -> dict[str, Any]:
    """Write the links of a cell, two for each node, as JSON."""
    cell: dict[str, Any] = {}
    for target in sorted({link.target for link in links}):
        entering = sorted(link for link in links if link.target == target)
        pair = ",".join(str(link.source) for link in entering)
        cell[f"node_{target}"] = {
            pair: {f"from_{link.source}": link.operation for link in entering}
        }
    return cell


def read_cell(cell: Mapping[str, Any]) -> list[Link]:
    """Read the links of a cell from JSON, by target and source."""
    links = []
    for name, choice in cell.items():
        target = int(name.removeprefix("node_"))
        ((_, operations),) = choice.items()
        for source, operation in operations.items():
            links.append(Link(int(source.removeprefix("from_")), target, operation))
    return sorted(links, key=lambda link: (link.target, link.source))


def derive_cell(
    weights: Sequence[Sequence[float]], operations: Sequence[Sequence[str]], nodes: int
) -> dict[str, Any]:
    """Discretise a cell by the published rule.

    On each edge the heaviest operation other than `none` counts; each node keeps the two entering
    edges on which that weight is largest, of equal ones those with the lower source.

    Parameters
    ----------
    weights : sequence of sequences
        Row e, column k: weight of candidate k on edge e, edges as in `cell_edges`.
    operations : sequence of sequences
        Names of the candidates of each edge.
    nodes : int
        Intermediate nodes.

    Returns
    -------
    dict
        The cell as JSON.
    """
    best: dict[int, list[tuple[float, int, str]]] = {}
    for (source, target), row, names in zip(cell_edges(nodes), weights, operations, strict=True):
        score, position = max(
            (weight, -column)
            for column, (weight, name) in enumerate(zip(row, names, strict=False))
            if name != NONE
        )
        best.setdefault(target, []).append((-score, source, names[-position]))
    links = [
        Link(source, target, operation)
        for target, found in best.items()
        for _, source, operation in sorted(found)[:2]
    ]
    return write_cell(links)


def spdnet_sizes(n: int) -> list[int]:
    """Return the sizes of a hand-made SPDNet on n x n matrices: 20 gives [20, 16, 8]."""
    return [n, -(-4 * n // 5), -(-2 * n // 5)]
