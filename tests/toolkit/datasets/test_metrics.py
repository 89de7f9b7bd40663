"""Metrics of classification that a recipe may ask for."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

import toolkit
from command_line import IN_PROCESS
from toolkit.contracts.classification import ALWAYS, METRICS
from toolkit.datasets.arrays import classification_metrics
from toolkit.datasets.metrics import check_parts, measure
from toolkit.errors import DataError, RecipeError

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(60, 3))
LABELS = RNG.integers(0, 3, size=60)


def test_metrics_are_those_of_scikit_learn():
    found = measure(torch.from_numpy(SCORES), torch.from_numpy(LABELS), list(METRICS))
    p = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
    own = SCORES.argmax(1)
    assert found["accuracy"] == reference.accuracy_score(LABELS, own)
    assert found["balanced_accuracy"] == pytest.approx(
        reference.balanced_accuracy_score(LABELS, own)
    )
    assert found["macro_f1"] == pytest.approx(reference.f1_score(LABELS, own, average="macro"))
    assert found["kappa"] == pytest.approx(reference.cohen_kappa_score(LABELS, own))
    assert found["auroc"] == pytest.approx(
        reference.roc_auc_score(LABELS, p, multi_class="ovr", average="macro")
    )
    assert found["log_loss"] == pytest.approx(reference.log_loss(LABELS, p))
    assert found["brier"] == pytest.approx(((p - np.eye(3)[LABELS]) ** 2).sum(1).mean())
    assert list(found) == list(METRICS)


def test_the_three_that_are_always_measured_stay_to_the_digit():
    found = measure(SCORES, LABELS, list(ALWAYS))
    assert found == classification_metrics(SCORES, LABELS)


def test_scores_that_are_not_finite_give_no_number():
    broken = SCORES.copy()
    broken[0, 0] = np.nan
    found = measure(broken, LABELS, list(METRICS))
    assert all(np.isnan(found[name]) for name in ("macro_f1", "auroc", "brier", "kappa"))


@pytest.mark.parametrize("name", ["auroc", "kappa"])
def test_one_class_is_answered(name):
    with pytest.raises(DataError, match=f"{name} needs two classes"):
        measure(SCORES, np.zeros(60, int), [name])
    with pytest.raises(DataError, match="validation part has the class 'a' alone"):
        check_parts([name], {"val": {"a": 3, "b": 0}, "test": {"a": 1, "b": 1}})


def recipe(**changes):
    rows = RNG.normal(size=(60, 12, 3)) * np.array([1, 1.5, 2])[RNG.integers(0, 3, 60), None, None]
    task = {"name": "spd_arrays", "X": rows.swapaxes(1, 2) @ rows, "y": np.arange(60) % 3}
    blocks = {"version": 1, "name": "m", "task": task, "space": "spd_pipeline"}
    blocks |= {"strategy": "random", "budget": {"trials": 2}}
    task |= changes.pop("task", {})
    return blocks | changes


def test_a_recipe_names_metrics_the_first_is_the_objective(tmp_path):
    run = toolkit.search(
        recipe(
            task={"metrics": ["kappa", "brier"]},
            constraints={"brier": "<= 2"},
            train={"final": {"seeds": 1, "random": 0, "baselines": False}},
        ),
        executor="in_process",
        plugins=[IN_PROCESS],
        output=tmp_path / "run",
    )
    assert run.outcome is not None
    rows = run.trials()
    rows = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
    assert all(-1 <= row["kappa"] <= 1 and 0 <= row["brier"] <= 2 for row in rows)
    best = max(rows, key=lambda row: row["kappa"])
    assert run.best.values["kappa"] == best["kappa"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": {"metrics": ["macrof1"]}}, "did you mean macro_f1"),
        ({"objectives": {"auroc": "maximize"}}, "auroc is not measured"),
    ],
)
def test_mistakes_are_answered(changes, told):
    with pytest.raises(RecipeError, match=told):
        toolkit.validate(recipe(**changes))
