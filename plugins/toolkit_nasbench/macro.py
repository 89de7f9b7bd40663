"""NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 networks of eight layers, trained on CIFAR-10.

The table is a JSON file, `nas-bench-macro_cifar10.json` of the authors (Apache-2.0): a key of eight
digits -> `mean_acc`, `params`, `flops` and more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit import contracts
from toolkit.contracts import Architecture, DataPath, Direction, TaskInfo
from toolkit.errors import DataError
from toolkit_nasbench.table import Decisions, TableSpace, TableTask

if TYPE_CHECKING:
    import networkx

LAYERS = tuple(f"layer{number}" for number in range(1, 9))
BLOCKS = ("identity", "MB3_K3", "MB6_K5")
"""Inverted bottlenecks of expansion 3 and 6 with kernels of 3 and 5."""
DECISIONS = Decisions("network of NAS-Bench-Macro", LAYERS, BLOCKS)
COLUMNS = {"accuracy": "mean_acc", "params": "params", "flops": "flops"}


class NasBenchMacroTask(TableTask):
    """Results of NAS-Bench-Macro: test accuracy in percent, mean of three trainings, and costs."""

    class Options(contracts.Options):
        """Where the table is."""

        table: DataPath = Field(description="the JSON file with the table")

    kind = "nasbench_macro"
    directions: Mapping[str, Direction] = {
        "accuracy": "maximize",
        "params": "minimize",
        "flops": "minimize",
    }

    decisions = DECISIONS

    def read_table(self) -> Mapping[str, Any]:
        return read_table(self.options.table)

    def read_entry(self, entry: Any) -> dict[str, float]:
        return {metric: float(entry[column]) for metric, column in COLUMNS.items()}


class NasBenchMacroSpace(TableSpace):
    """Eight layers, each left out or one of two inverted bottlenecks."""

    accepts = frozenset({"nasbench_macro"})
    decisions = DECISIONS

    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        import networkx

        self.decisions.key(architecture)
        graph = networkx.DiGraph()
        # An identity stays: some layers halve the resolution, so its place matters.
        labels = ["input", *(f"{name} {architecture[name]}" for name in LAYERS), "output"]
        for number, label in enumerate(labels):
            graph.add_node(number, label=label)
        networkx.add_path(graph, range(len(labels)))
        return graph


@cache
def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """Read the table.

    Raises:
        DataError: it is missing, no JSON, or not the whole table.
    """
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", hint=_WANTED) from None
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}.", hint=_WANTED) from None
    whole = isinstance(table, dict) and len(table) == len(BLOCKS) ** len(LAYERS)
    if not whole or not all(_is_row(key, row) for key, row in table.items()):
        raise DataError(f"{path} is not the table of NAS-Bench-Macro.", hint=_WANTED)
    return table


_WANTED = (
    "Expected the authors' nas-bench-macro_cifar10.json: 6,561 keys of eight digits 0, 1 and 2,"
    " each with mean_acc, params and flops."
)


def _is_row(key: str, row: Any) -> bool:
    named = len(key) == len(LAYERS) and set(key) <= set("012")
    numbers = isinstance(row, dict) and all(
        isinstance(row.get(column), int | float) for column in COLUMNS.values()
    )
    return named and numbers
