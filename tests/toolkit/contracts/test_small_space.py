"""A search space in a few lines, without a graph of its own, runs from search to export."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.contracts import TaskInfo
from toolkit.engine import run_search
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.ledger import Ledger
from toolkit.testing import SearchSpaceSuite, SpaceCase
from toolkit.worker.inline import inline_executor

PLUGIN = Path(__file__).with_name("log_mlp.py")
RECIPE = """
version: 1
name: small
task: {name: drone_radar, signals_per_class: 24, test_signals: 30}
space: log_mlp
strategy: random
budget: {trials: 3}
resources: {workers: 1, threads: 1}
train: {epochs: 1, final: {seeds: 1, random: 1, hand_over: found}}
"""


def test_it_is_short() -> None:
    assert len([line for line in PLUGIN.read_text().splitlines() if line.strip()]) <= 25


class TestLogMlp(SearchSpaceSuite):
    @pytest.fixture
    def case(self) -> SpaceCase:
        cls = Registry([PLUGIN]).get("search_spaces", "log_mlp")
        torch.manual_seed(0)
        root = torch.randn(6, 2, 5, 9, dtype=torch.float64)
        inputs = root @ root.mT / 9
        return SpaceCase(cls(cls.Options()), TaskInfo("spd", (2, 5, 5), 3, 60), inputs)


def test_it_is_searched_tested_exported_and_drawn(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    registry = Registry([PLUGIN])
    problem = Problem(load_recipe(path, [], registry), registry)
    assert run_search(problem, tmp_path / "run", executor=inline_executor) == 0
    with closing(Ledger.open(tmp_path / "run/ledger.sqlite", read_only=True)) as ledger:
        records: Any = ledger.trials()
    assert [str(record.state) for record in records] == ["done"] * 5
    assert len({record.fingerprint for record in records if record.phase == "search"}) == 3
    drawing = (tmp_path / "run/best/architecture.svg").read_text()
    width = next(r for r in records if r.label == "found").point["architecture"]["width"]
    assert f"width: {width}" in drawing
    assert (tmp_path / "run/best/model.py").is_file()
