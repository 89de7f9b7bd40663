"""Continuous targets from recipe to prediction: learned, judged, exported and shown in units."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import is_regressor
from sklearn.datasets import load_digits
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

import toolkit
from command_line import IN_PROCESS, run_toolkit
from toolkit.errors import ToolkitError

RNG = np.random.default_rng(0)
N, CHANNELS = 120, 4
QUANTITY = RNG.normal(size=N)
MIXING = np.linalg.qr(RNG.normal(size=(CHANNELS, CHANNELS)))[0]
POWERS = np.exp(QUANTITY[:, None] * [1.0, -0.5, 0, 0] + 0.1 * RNG.normal(size=(N, CHANNELS)))
MATRICES = np.einsum("ij,nj,kj->nik", MIXING, POWERS, MIXING)
Y = 5000.0 + 300.0 * QUANTITY
"""What the logarithm of a source's power tells, far from standardised."""
SUBJECTS = np.array(list("abcd"))[np.arange(N) // 30]


SMALL = {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]}
"""A space for what does not depend on how good a network is."""


def recipe(**more: Any) -> dict[str, Any]:
    """A search of one trial of covariances in this process."""
    task = {"name": "spd_arrays", "X": MATRICES, "y": Y, "target": "continuous"}
    return {
        "name": "values",
        "task": {**task, **more.pop("task", {})},
        "space": {"name": "spd_cell", "nodes": 1},
        "strategy": "random",
        "budget": {"trials": 1},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 12, "final": {"seeds": 2, "random": 0}, **more.pop("train", {})},
        **more,
    }


def search(**more: Any) -> toolkit.Run:
    return toolkit.search(recipe(**more), plugins=[IN_PROCESS])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> toolkit.Run:
    folder = tmp_path_factory.mktemp("values") / "run"
    return toolkit.search(recipe(task={"groups": SUBJECTS}), output=folder, plugins=[IN_PROCESS])


def predictions_of(run: toolkit.Run, number: int) -> dict[str, np.ndarray]:
    folder = run.folder / run.trial(number)["folder"]
    with np.load(folder / "predictions.npz") as archive:
        return {name: archive[name] for name in archive.files}


def test_a_known_quantity_is_recovered_in_its_own_units(run: toolkit.Run) -> None:
    outcome = run.outcome
    assert outcome is not None and not run.warning
    tested = outcome.test_of(outcome.handed_over)
    assert tested["r2"].mean > 0.9
    assert 0 < tested["mae"].mean < 100 and tested["rmse"].mean < 120, "of a deviation of 300"
    assert {"spdnet", "tangent_ridge"} <= set(outcome.baselines)
    assert "tangent_lr" not in outcome.baselines, "classifiers predict no values"


def test_metrics_are_those_of_scikit_learn_on_what_was_kept(run: toolkit.Run) -> None:
    outcome = run.outcome
    assert outcome is not None
    for training in outcome.trainings:
        kept = predictions_of(run, training.number)
        own = kept["part"] == "test"
        truth, given = kept["label"][own], kept["scores"][own, 0]
        assert set(truth) <= set(Y), "labels are kept in units"
        assert training.test["r2"] == pytest.approx(r2_score(truth, given))
        assert training.test["mae"] == pytest.approx(mean_absolute_error(truth, given))
        rmse = root_mean_squared_error(truth, given)
        assert training.test["rmse"] == pytest.approx(rmse)
        assert training.test["loss"] == pytest.approx(rmse**2)


def test_targets_are_standardised_by_the_training_part_alone(run: toolkit.Run) -> None:
    from safetensors.torch import load_file

    from toolkit.problem import Problem
    from toolkit.recipe import from_checked
    from toolkit.registry import Registry

    pool = Problem(from_checked(run.recipe), Registry([IN_PROCESS])).task.pool(run.folder, 0)
    assert pool is not None
    weights = load_file(run.folder / "best" / "weights.safetensors")
    center = [value for name, value in weights.items() if name.endswith("units.center")]
    spread = [value for name, value in weights.items() if name.endswith("units.spread")]
    if center:  # What was handed over is a network, and no ridge regression.
        assert float(center[0]) == pytest.approx(pool.labels[pool.train].mean())
        assert float(spread[0]) == pytest.approx(pool.labels[pool.train].std())


def test_predictions_equal_the_exported_file_alone(run: toolkit.Run, tmp_path: Path) -> None:
    """`model.py` in a clean interpreter, with torch alone, gives units."""
    import torch

    np.savez(tmp_path / "new.npz", X=MATRICES[:9])
    torch.save(torch.from_numpy(MATRICES[:9]), tmp_path / "raw.pt")
    for name in ("p.csv", "p.json", "p.npz"):
        answer = run_toolkit("predict", run.folder, tmp_path / "new.npz", "-o", tmp_path / name)
        assert answer.code == 0, answer.err
    script = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); from model import Model;"
        "model = Model.load(); raw = torch.load(sys.argv[2], weights_only=True);"
        "print(model.predict(raw)); print(model(raw).shape[1], 'toolkit' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, run.folder / "best", tmp_path / "raw.pt"],
        capture_output=True,
        text=True,
        check=True,
    )
    values, rest = done.stdout.splitlines()
    assert rest == "1 False"
    given = run.predict(MATRICES[:9])
    np.testing.assert_allclose(given, json.loads(values), rtol=1e-6)
    rows = json.loads((tmp_path / "p.json").read_text())
    assert list(rows[0]) == ["input", "predicted"], "one column"
    np.testing.assert_allclose([row["predicted"] for row in rows], given, rtol=1e-12)
    with (tmp_path / "p.csv").open() as stream:
        table = list(csv.reader(stream))
    assert table[0] == ["input", "predicted"] and float(table[3][1]) == given[2]
    with np.load(tmp_path / "p.npz") as archive:
        assert sorted(archive.files) == ["names", "predicted"]
        assert archive["predicted"].dtype == np.float64
    with pytest.raises(ToolkitError, match="gives values, and no probabilities"):
        run.predict_proba(MATRICES[:9])


def test_report_card_and_file_speak_of_values(run: toolkit.Run) -> None:
    run_toolkit("report", run.folder)
    page = (run.folder / "report.html").read_text()
    assert "given less true" in page and "<h2>Values</h2>" in page
    assert "confusion" not in page and '<th class="number">mae</th>' in page, "by group"
    card = (run.folder / "best" / "card.md").read_text()
    assert "values = model(raw)" in card and "names the class" not in card
    assert "## Classes" not in card and "in the units of the targets" in card
    source = (run.folder / "best" / "model.py").read_text()
    assert "a value for each input" in source and "CLASSES = None" in source


@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_the_objective_the_bound_and_the_loss_are_those_asked_for(home: Path, loss: str) -> None:
    run = search(
        objectives={"mae": "minimize"},
        constraints={"rmse": "<= 1000"},
        space=SMALL,
        train={"loss": loss, "epochs": 2, "final": {"seeds": 1, "random": 0, "baselines": False}},
    )
    with pytest.raises(ToolkitError):
        toolkit.validate(recipe(objectives={"mae": "maximize"}))
    found = run.best
    assert found is not None and {"r2", "mae", "rmse", "loss"} <= set(found.values)


def test_the_first_metric_named_is_the_objective() -> None:
    found = toolkit.validate(recipe(task={"metrics": ["rmse"]}), plugins=[IN_PROCESS])
    assert found["objectives"] == {"rmse": "minimize"}
    assert "continuous targets; 60 training samples" in found["data"]
    assert list(found["parts"]["train"].values()) == [60]


def test_noise_is_no_better_than_the_mean(home: Path) -> None:
    noise = np.random.default_rng(5).normal(size=N)
    final = {"seeds": 1, "random": 0, "baselines": False}
    run = search(task={"y": noise}, space=SMALL, train={"epochs": 1, "final": final})
    assert "no better than always giving the mean of the training targets" in run.warning
    assert run.warning in (run.folder / "best" / "card.md").read_text()


def test_a_supernet_searches_for_values(home: Path) -> None:
    final = {"seeds": 1, "random": 0, "baselines": False}
    strategy = {"name": "supernet", "epochs": 2}
    run = search(strategy=strategy, train={"epochs": 8, "final": final})
    assert run.outcome is not None and run.outcome.test["r2"].mean > 0.3


def test_trials_on_folds_and_folds_of_the_evaluation(home: Path) -> None:
    few = {"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}}
    run = search(validation={"folds": 3}, space=SMALL, train=few)
    assert run.best is not None and "r2_se" in run.best.values
    task = {"groups": SUBJECTS}
    for folds, count in (("leave_one_group_out", 4), ("stratified:2", 2)):
        few_words = recipe(task=task, space=SMALL, train=few)
        found = toolkit.evaluate(
            few_words, folds=folds, output=f"folds-{count}", plugins=[IN_PROCESS]
        )
        assert len(found.evaluated.done) == count and found.evaluated.metric == "r2"
        assert all(row.sizes["test"] in (30, 60) for row in found.evaluated.rows)


def test_the_mean_intensity_of_digits_is_read_off_images(home: Path) -> None:
    images = load_digits().images[:200] / 16
    y = 255 * images.mean(axis=(1, 2))
    space = {"name": "nullspace_head", "only": {"backbone": "smallcnn", "augmentation": [0, 0.1]}}
    run = search(
        task={"name": "image_arrays", "X": images.astype(np.float32), "y": y},
        space=space,
        train={"epochs": 10, "final": {"seeds": 1, "random": 0}},
    )
    outcome = run.outcome
    assert outcome is not None and set(outcome.baselines) == {"linear", "average", "perceptron"}
    assert outcome.test_of(outcome.handed_over)["r2"].mean > 0.7
    model = run.model()
    import torch

    with torch.no_grad():
        found = model(torch.from_numpy(images[:20, None]).float())[:, 0]
    np.testing.assert_allclose(run.predict(images[:20].astype(np.float32)), found, rtol=1e-6)


def test_series_have_continuous_targets_too(home: Path) -> None:
    series = RNG.normal(size=(60, 3, 40)) * np.exp(QUANTITY[:60, None, None] * [[1.0], [0], [0]])
    task = {"name": "series_arrays", "X": series, "y": Y[:60]}
    run = search(task=task, train={"epochs": 12, "final": {"seeds": 1, "random": 0}})
    assert run.outcome is not None
    assert run.outcome.test_of(run.outcome.handed_over)["r2"].mean > 0.6


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "words": ({"task": {"y": np.array(["a", "b"] * 60)}}, "continuous targets are numbers"),
    "nan": ({"task": {"y": np.where(np.arange(N) == 7, np.nan, Y)}}, "Target 7 of 'y' is nan"),
    "one": ({"task": {"y": np.full(N, 3.0)}}, "only the number 3"),
    "columns": ({"task": {"y": np.stack([Y, Y], 1)}}, "one number a sample"),
    "metric": ({"task": {"metrics": ["accuracy"]}}, "no metric of continuous targets"),
    "metric of classes": (
        {"task": {"target": "classes", "y": np.arange(N) % 2, "metrics": ["mae"]}},
        "no metric of classes",
    ),
    "objective": ({"objectives": {"accuracy": "maximize"}}, "neither a metric of the task"),
    "class weights": ({"train": {"class_weight": "balanced"}}, "no classes to weigh"),
    "merge": ({"task": {"classes": [1]}}, "classes is about classes"),
    "space": ({"space": "spd_pipeline"}, "judges values, and models of the space spd_pipeline"),
    "loss": (
        {"task": {"target": "classes", "y": np.arange(N) % 2}, "train": {"loss": "huber"}},
        "train.loss",
    ),
    "ensemble": ({"train": {"final": {"ensemble": 2}}}, "averages class probabilities"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_a_sentence(home: Path, name: str) -> None:
    more, said = BAD[name]
    with pytest.raises(ToolkitError, match=said):
        search(**more)
    assert not (home / "runs").exists(), "no run folder is left by a refusal"


def test_a_training_part_of_one_value_is_refused(home: Path) -> None:
    """All targets differ, and those that are trained on do not."""
    split = np.array(["train", "val", "test"])[np.arange(N) % 3]
    y = np.where(split == "train", 1.0, Y)
    with pytest.raises(ToolkitError, match="All 40 training targets are 1"):
        search(task={"y": y, "split": split})


def test_the_regressor_is_one_of_scikit_learn(tmp_path: Path) -> None:
    words = {
        "resources": {"executor": "in_process"},
        "validation": "own",
        "train": {"epochs": 8, "final": {"seeds": 1, "random": 0}},
    }
    regressor = toolkit.SearchRegressor(
        budget=1, strategy="random", words=words, plugins=[IN_PROCESS]
    )
    assert is_regressor(regressor)
    regressor.fit(MATRICES[:90], Y[:90])
    mean = DummyRegressor().fit(MATRICES[:90], Y[:90])
    assert regressor.score(MATRICES[90:], Y[90:]) > 0.8 > mean.score(MATRICES[90:], Y[90:])
    assert set(regressor.test_scores_) >= {"r2", "mae", "rmse"}
    with pytest.raises(ValueError, match="SearchRegressor was fitted with 4"):
        regressor.predict(MATRICES[:, :2, :2])
