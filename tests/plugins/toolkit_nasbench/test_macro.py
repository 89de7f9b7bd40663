"""NAS-Bench-Macro: reads the authors' file, refuses others."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from toolkit.contracts import TaskInfo
from toolkit.errors import DataError
from toolkit.space.graphs import fingerprint
from toolkit_nasbench.macro import BLOCKS, LAYERS, NasBenchMacroSpace, NasBenchMacroTask


def write_table(path: Path) -> Path:
    """A table as the authors' file has it: accuracy and cost grow with the blocks' sizes."""
    rows = {}
    for digits in itertools.product("012", repeat=8):
        size = sum(map(int, digits))
        rows["".join(digits)] = {
            "mean_acc": 80 + size,
            "params": 1000 * (size + 1),
            "flops": 2,
            "std": 0.1,
        }
    path.write_text(json.dumps(rows))
    return path


def test_a_row_is_the_networks_own(tmp_path: Path) -> None:
    path = write_table(tmp_path / "table.json")
    task = NasBenchMacroTask(NasBenchMacroTask.Options(table=path))
    network = dict.fromkeys(LAYERS, BLOCKS[0]) | {"layer3": BLOCKS[2]}
    assert task.row(network) == {"accuracy": 82.0, "params": 3000.0, "flops": 2.0}


def test_the_place_of_an_identity_matters() -> None:
    space = NasBenchMacroSpace(NasBenchMacroSpace.Options())
    info = TaskInfo("nasbench_macro", (1,), 3, 8)
    large = dict.fromkeys(LAYERS, BLOCKS[2])
    marks = {fingerprint(space.graph(large | {layer: BLOCKS[0]}, info)) for layer in LAYERS}
    assert len(marks) == 8


@pytest.mark.parametrize("text", ["", "[]", '{"00000000": {"mean_acc": 1}}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"other\.json"):
        NasBenchMacroTask(NasBenchMacroTask.Options(table=path)).info()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        NasBenchMacroTask(NasBenchMacroTask.Options(table=tmp_path / "none.json")).info()
