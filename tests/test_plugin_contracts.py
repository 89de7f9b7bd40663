"""Every built-in plugin passes the suite that a third party's plugin passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.contracts import TaskInfo
from toolkit.registry import Registry
from toolkit.space import Choice, Float, Group, Int
from toolkit.testing import check_search_space, check_strategy, check_task

TREE = Group(
    width=Int(8, 64, log=True),
    lr=Float(1e-4, 1e-1, log=True),
    head=Choice({"fc": Group(hidden=Int(0, 2)), "none": None}),
)


def spd_batch(size: int, channels: int, n: int) -> torch.Tensor:
    root = torch.randn(size, channels, n, 2 * n, dtype=torch.float64)
    return root @ root.mT / (2 * n)


@pytest.mark.parametrize(("channels", "n"), [(1, 20), (2, 7), (1, 2)])
@pytest.mark.parametrize("mixing", ["log_euclidean", "affine_invariant"])
def test_spd_cell_builds_what_it_promises(channels: int, n: int, mixing: str) -> None:
    torch.manual_seed(0)
    cls = Registry().get("search_spaces", "spd_cell")
    task = TaskInfo("spd", (channels, n, n), classes=3, train_size=60)
    space = cls(cls.Options(mixing=mixing))
    check_search_space(space, task, spd_batch(6, channels, n), samples=3)


@pytest.mark.parametrize("embedding", ["real_part", "real_embedding"])
def test_drone_radar_loads_what_it_describes(embedding: str, tmp_path: Path) -> None:
    cls = Registry().get("tasks", "drone_radar")
    options = {"signals_per_class": 8, "test_signals": 9, "covariance": {"embedding": embedding}}
    check_task(cls(cls.Options.model_validate(options)), tmp_path)


def judge(point: Any) -> float:
    return -abs(point["lr"] - 0.01) + point["width"] / 64


@pytest.mark.parametrize("name", ["optuna.random", "optuna.tpe"])
def test_multi_trial_strategies_go_on_after_a_replay(name: str) -> None:
    cls = Registry().get("strategies", name)
    check_strategy(lambda: cls(cls.Options()), TREE, judge)
