"""What runs with continuous targets say of their test: per sample, and against the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from toolkit.analysis.significance import p_of_mean
from toolkit.export.predictions import Predictions
from toolkit.run.predictions import by_group, held_out_of, hits, values_of

RNG = np.random.default_rng(0)
TARGETS = 20 + RNG.normal(size=50)
GIVEN = TARGETS + 0.3 * RNG.normal(size=(3, 50))


def write(folder: Path, given: np.ndarray) -> list[Path]:
    paths = []
    for number, row in enumerate(given):
        paths.append(folder / f"{number}.npz")
        np.savez(
            paths[-1],
            part=np.full(50, "test"),
            index=np.arange(50),
            label=TARGETS,
            scores=row[:, None],
            group=np.array(["a", "b"])[np.arange(50) % 2],
        )
    return paths


@pytest.mark.parametrize("metric", ["r2", "mae", "rmse", "loss"])
def test_what_samples_add_comes_to_the_metric(tmp_path: Path, metric: str) -> None:
    values = values_of(write(tmp_path, GIVEN))
    assert values is not None
    added, chance = values.shares(metric)  # type: ignore[misc]
    one = {
        "r2": r2_score,
        "mae": mean_absolute_error,
        "rmse": root_mean_squared_error,
        "loss": lambda truth, given: root_mean_squared_error(truth, given) ** 2,
    }[metric]
    assert np.mean(added) == pytest.approx(np.mean([one(TARGETS, row) for row in GIVEN]))
    assert chance > 0 and values.shares("accuracy") is None


def test_values_are_no_classes_and_classes_no_values(tmp_path: Path) -> None:
    paths = write(tmp_path, GIVEN)
    assert hits(paths) == []
    np.savez(tmp_path / "held_out1.npz", label=TARGETS, scores=GIVEN[0][:, None])
    assert held_out_of(tmp_path) == []
    rows = by_group(paths)
    said = [(row.group, row.samples, row.metric) for row in rows]
    assert said == [("a", 25, "mae"), ("b", 25, "mae")]
    expected = np.mean(np.abs(GIVEN - TARGETS)[:, ::2])
    assert rows[0].result.mean == pytest.approx(expected)
    np.savez(tmp_path / "c.npz", part=["test"] * 2, label=[0, 1], scores=np.eye(2))
    assert values_of([tmp_path / "c.npz"]) is None


def test_what_is_learned_is_told_from_the_mean_of_the_training() -> None:
    assert (p_of_mean(GIVEN[0].tolist(), TARGETS.tolist(), 20.0) or 0) < 1e-4
    noise = (20 + RNG.normal(size=50)).tolist()
    assert (p_of_mean(noise, TARGETS.tolist(), 20.0) or 0) > 0.5
    assert p_of_mean([20.0] * 50, TARGETS.tolist(), 20.0) == 1.0
    assert p_of_mean([1.0], [1.0], 0.0) is None and p_of_mean([np.nan] * 5, [1.0] * 5, 0) is None


def test_a_class_may_be_called_novelty() -> None:
    found = Predictions(("0",), ("novelty", "b"), np.eye(2)[:1], novelty=np.array([3.0]))
    assert found.columns == ["input", "predicted", "novelty", "b", "novelty_"]
    assert found.rows() == [
        {"input": "0", "predicted": "novelty", "novelty": 1.0, "b": 0.0, "novelty_": 3.0}
    ]
