"""`validation` in a recipe: a trial's value is the mean over folds, with its standard error."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from command_line import IN_PROCESS
from tiny import PLUGINS

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(72, 4, 12))
Y = np.arange(72) % 2
SERIES[Y == 1, :2] *= 1.5
X = SERIES @ SERIES.transpose(0, 2, 1) / 12
GROUPS = np.array(["anna", "bert", "cleo", "dora"])[np.arange(72) // 2 % 4]


def words(validation: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "folded",
        "task": {"name": "spd_arrays", "X": X, "y": Y, "groups": GROUPS},
        "space": {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]},
        "strategy": "random",
        "validation": validation,
        "budget": {"trials": 2},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 2, "final": {"seeds": 1, "random": 0, "baselines": False}},
        **more,
    }


def search(validation: Any, **more: Any) -> toolkit.Run:
    return toolkit.search(words(validation, **more), plugins=[IN_PROCESS])


@pytest.mark.parametrize(
    ("validation", "folds"),
    [("groups", 3), ({"stratified": 4}, 4), ({"stratified": 2, "repeats": 2}, 4)],
)
def test_a_trials_value_is_the_mean_over_folds(home: Path, validation: Any, folds: int) -> None:
    run = search(validation)
    assert run.recipe["train"]["epochs"] == 2
    trials = run.trials()
    assert trials["epochs_paid"].tolist() == [2 * folds] * 2
    for _, trial in trials.iterrows():
        reports = [
            event.facts
            for event in run.events()
            if event.name == "trial_reported" and event.facts["number"] == trial["number"]
        ]
        assert [report["step"] for report in reports] == list(range(1, 2 * folds + 1))
        ends = [report["values"]["accuracy"] for report in reports[1::2]]
        assert trial["accuracy"] == pytest.approx(statistics.fmean(ends))
        error = statistics.stdev(ends) / folds**0.5
        assert trial["accuracy_se"] == pytest.approx(error)


def test_the_kind_of_folds_may_be_left_to_the_data(home: Path) -> None:
    def said(count: Any, **task: Any) -> Any:
        task = {"name": "spd_arrays", "X": X, "y": Y, **task}
        return toolkit.validate(words(count, task=task), plugins=[IN_PROCESS])["validated on"]

    assert said("folds", groups=GROUPS) == "3 folds, of whole groups"
    assert said({"folds": 2}, groups=GROUPS) == "2 folds, of whole groups"
    assert said("folds") == "5 folds, stratified"
    few = np.concatenate([Y[:70], [2, 2]])
    assert said("folds", y=few, split=np.array(["train"] * 8 + ["test"] * 10 + ["train"] * 54))
    one = np.array(["anna"] * 60 + ["dora"] * 12)
    assert said("folds", groups=one) == "5 folds, stratified"


def test_folds_hold_whole_groups_and_none_of_the_test_group(home: Path) -> None:
    facts = toolkit.validate(words("groups"), plugins=[IN_PROCESS])
    assert facts["validated on"] == "3 folds, of whole groups"
    assert facts["groups"]["test"] == ["dora"]


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        ({"groups": 4}, "of 3 groups, and 4 folds of whole groups are asked for"),
        ({"stratified": 80}, "has 27 samples to train and validate on, fewer than the 80 folds"),
        ({"stratified": 1}, "validation.stratified: 1 given, expected a number of at least 2"),
        ({"stratified": 3, "groups": 2}, "kinds of folds; give one of them"),
        ({"repeats": 2}, "repeats draws stratified folds anew, and needs their number"),
        ("group", "validation"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_anything_runs(
    home: Path, validation: Any, says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError) as caught:
        search(validation)
    assert says in str(caught.value) and int(caught.value.exit_code) == 2
    assert list(home.iterdir()) == []


def test_a_supernet_and_a_task_of_one_division_are_refused(home: Path) -> None:
    with pytest.raises(toolkit.ToolkitError, match="trains one supernet, on one training part"):
        search({"stratified": 3}, strategy="supernet")
    plain = words({"stratified": 3}, task="tiny_task", space="tiny_space", strategy="draw")
    with pytest.raises(toolkit.ToolkitError, match="divides its data in one way alone"):
        toolkit.search(plain, plugins=PLUGINS)


@pytest.mark.parametrize("refit", [True, False])
def test_what_is_handed_over_was_judged_on_folds_and_learned_from_all_of_them(
    home: Path, refit: bool
) -> None:
    final = {"seeds": 1, "random": 0, "refit": refit, "hand_over": "found"}
    space = {"name": "spd_pipeline", "classifiers": ["neighbors"]}
    run = search("groups", space=space, train={"final": final})
    trials = run.trials(all=True).set_index("number")
    (found,) = [number for number, label in trials["label"].items() if label == "found"]
    searched = trials[trials["phase"] == "search"]["accuracy"].max()
    assert (trials["accuracy"][found] == searched) == refit
    assert (trials["accuracy_se"][found] > 0) == refit
    with np.load(run.folder / "final" / "found-seed0" / "predictions.npz") as predicted:
        assert set(predicted["part"]) == ({"test"} if refit else {"val", "test"})
    learned = len(run.model().support)  # It keeps what it was trained on.
    assert (learned == (GROUPS != "dora").sum()) == refit
