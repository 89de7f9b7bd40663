"""Optuna in little memory: the same densities in pieces, no progress bars until one is drawn."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from optuna.samplers import TPESampler

import toolkit_optuna.lean
from strategy_drivers import make, proposals, trial_at
from toolkit.contracts import TrialState
from toolkit.space import Choice, Float, Group, Int, sample
from toolkit_optuna.lean import in_pieces
from toolkit_optuna.strategy import OptunaTPE

TREE = Group(
    width=Int(1, 1000),
    lr=Float(1e-4, 1e-1, log=True),
    body=Choice({"conv": Group(depth=Int(1, 9)), "plain": None}),
)
BARS = """
import sys
from toolkit_optuna.lean import without_progress_bars
with without_progress_bars():
    import optuna
assert "tqdm.auto" not in sys.modules, "it is put back"
study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 3, show_progress_bar=True)
from tqdm.auto import tqdm
assert tqdm.__module__.startswith("tqdm") and isinstance(tqdm, type)
"""


def told(count: int) -> OptunaTPE:
    strategy, rng = make(OptunaTPE, TREE), random.Random(0)
    for number in range(1, count + 1):
        point = sample(TREE, rng)
        strategy.tell(trial_at(number, point), TrialState.DONE, {"value": rng.random()})
    return strategy


def test_densities_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = TPESampler(seed=0)._parzen_estimator_cls.log_pdf

    def noted(estimator: Any, samples: dict[str, np.ndarray]) -> np.ndarray:
        sizes.append(len(next(iter(samples.values()))))
        return whole(estimator, samples)

    monkeypatch.setattr("optuna.samplers._tpe.parzen_estimator._ParzenEstimator.log_pdf", noted)
    at_once = proposals(told(60), 5)
    assert set(sizes) == {24}, "few trials are no reason for pieces"
    monkeypatch.setattr(toolkit_optuna.lean, "MOST_DENSITIES", 24 * 60 // 3)
    sizes.clear()
    assert proposals(told(60), 5) == at_once
    assert min(sizes) < 24


def test_a_sampler_of_another_optuna_is_left_as_it_is() -> None:
    other: Any = object()
    assert in_pieces(other) is other


def test_progress_bars_are_there_for_who_draws_them() -> None:
    subprocess.run([sys.executable, "-c", BARS], check=True, capture_output=True)
