"""`train.final.ensemble`: the best points of a search answer together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

import toolkit
from command_line import IN_PROCESS
from perceptrons import fit_in_few_steps
from toolkit.analysis.calibration import calibrate, calibrate_mean
from toolkit_spd.pipeline import selection

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(96, 4, 12))
Y = np.arange(96) % 2
SERIES[Y == 1, :2] *= 1.5
X = SERIES @ SERIES.transpose(0, 2, 1) / 12
GROUPS = np.array(["anna", "bert", "cleo", "dora"])[np.arange(96) // 2 % 4]


def search(output: Path | None = None, **more: Any) -> toolkit.Run:
    final = {"seeds": 1, "random": 0, "baselines": False, "ensemble": 3, "hand_over": "ensemble"}
    words = {
        "name": "together",
        "task": {"name": "spd_arrays", "X": X, "y": Y, "groups": GROUPS},
        "space": "spd_pipeline",
        "strategy": "random",
        "validation": "groups",
        "budget": {"trials": 5},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 2, "final": final | more.pop("final", {})},
        **more,
    }
    return toolkit.search(words, plugins=[IN_PROCESS], output=output)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> toolkit.Run:
    """An ensemble of three of five points, and baselines; to be read alone."""
    with pytest.MonkeyPatch.context() as patch:
        fit_in_few_steps(patch)
        return search(output=tmp_path_factory.mktemp("together") / "run", final={"baselines": True})


def best_points(run: toolkit.Run, count: int) -> list[Any]:
    trials = run.trials()
    best = trials.sort_values(["accuracy", "loss"], ascending=[False, True])
    return [run.trial(int(number))["point"] for number in best["number"][:count]]


def test_the_mean_of_the_best_points_probabilities_is_handed_over(together: toolkit.Run) -> None:
    run = together
    assert run.handed_over.startswith("the ensemble of the search's best points")
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    assert [member["point"] for member in members] == best_points(run, 3)
    model, inputs = run.model(), torch.tensor(X[:7]).unsqueeze(1)
    expected = torch.stack(
        [
            (member["sharpness"] * own(inputs)).softmax(1)
            for member, own in zip(members, model.members, strict=True)
        ]
    )
    torch.testing.assert_close(model(inputs).exp(), expected.mean(0))
    card = (run.folder / "best" / "card.md").read_text()
    assert "## Members" in card and card.count('"representation"') == 3
    (training,) = [t for t in run.outcome.trainings if t.label == "ensemble"]
    assert training.values["accuracy_se"] >= 0, "it is judged on the folds as its members are"
    assert "ensemble" in run.outcome.baselines


def test_the_report_is_on_the_ensemble(together: toolkit.Run) -> None:
    run = together
    page = run.report().read_text()
    assert "test accuracy of the ensemble" in page
    assert "for the ensemble" in page or "The ensemble is ahead" in page
    assert "Against what was found:" in page and "Against the ensemble" not in page
    assert "mean of probabilities" in (run.folder / "best" / "architecture.svg").read_text()


def equals_its_file(run: toolkit.Run, home: Path) -> None:
    """What `best/model.py` gives in a Python with torch alone is what the run's model gives."""
    inputs = torch.tensor(X[:5]).unsqueeze(1)
    torch.save(inputs, home / "x.pt")
    code = (
        "import sys, json, torch, model\n"
        f"y = model.load().eval()(torch.load({str(home / 'x.pt')!r}))\n"
        "assert not [m for m in sys.modules if m.startswith(('toolkit', 'sklearn'))]\n"
        "print(json.dumps(y.tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=run.folder / "best",
        check=True,
        capture_output=True,
        text=True,
    )
    with torch.no_grad():
        expected = run.model().eval()(inputs)
    torch.testing.assert_close(
        torch.tensor(json.loads(done.stdout), dtype=expected.dtype), expected
    )


def test_its_file_needs_torch_alone(home: Path) -> None:
    small = {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]}
    equals_its_file(search(space=small, budget={"trials": 3}, validation="own"), home)


def test_networks_follow_on_pipelines_and_may_be_members(home: Path) -> None:
    """The best preparations' networks end the search; the file of all members needs torch alone."""
    run = search(
        space={"name": "spd_pipeline", "networks": ["class_tangent"]},
        strategy="evolution.refine",
        budget={"trials": 3},
    )
    files = sorted(run.folder.glob("trials/*/architecture.json"))
    classifiers = [json.loads(file.read_text())["classifier"] for file in files]
    assert classifiers == ["best", "best", {"class_tangent": {"power": 0.5}}]
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    assert sum("class_tangent" in json.dumps(member) for member in members) == 1
    equals_its_file(run, home)


def test_scores_are_calibrated_on_what_each_point_was_judged_on(together: toolkit.Run) -> None:
    run = together
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    each, common = [], []
    for member in members:
        folder = next((run.folder / "trials").glob(f"{member['trial']:04d}-*"))
        files = sorted(folder.glob("held_out-*.npz"))
        assert len(files) == 3, "one of each fold"
        held_out = [np.load(file) for file in files]
        scores, labels = (np.concatenate([f[n] for f in held_out]) for n in ("scores", "label"))
        assert len(labels) == (GROUPS != "dora").sum(), "each sample once"
        own = calibrate(scores, labels)[0]
        each.append(own * scores)
        common.append(member["sharpness"] / own)
    assert common == pytest.approx([calibrate_mean(each, labels)] * 3)
    mean = sum(softmax(common[0] * own, axis=1) for own in each) / 3
    assert calibrate(np.log(mean), labels)[0] == pytest.approx(1, abs=0.2), "so is their mean"


def test_its_value_on_folds_is_what_its_members_predicted_there(together: toolkit.Run) -> None:
    run = together
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    accuracies = []
    for fold in (1, 2, 3):
        mean, labels = 0.0, None
        for member in members:
            folder = next((run.folder / "trials").glob(f"{member['trial']:04d}-*"))
            with np.load(folder / f"held_out-{fold}.npz") as held_out:
                labels = held_out["label"]
                mean = mean + softmax(member["sharpness"] * held_out["scores"], axis=1)
        accuracies.append((mean.argmax(1) == labels).mean())
    (training,) = [t for t in run.outcome.trainings if t.label == "ensemble"]
    assert training.values["accuracy"] == pytest.approx(np.mean(accuracies))
    assert training.values["accuracy_se"] == pytest.approx(np.std(accuracies, ddof=1) / 3**0.5)


def test_what_an_earlier_run_trained_is_fitted_on_every_fold(
    together: toolkit.Run, home: Path
) -> None:
    """Trials of another run leave nothing here that says what they predicted."""
    run = toolkit.search(
        {**together.recipe, "name": "second", "budget": {"trials": 1}},
        warm_start=together,
        plugins=[IN_PROCESS],
    )
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    assert not all("trial" in member for member in members)
    (training,) = [t for t in run.outcome.trainings if t.label == "ensemble"]
    assert training.values["accuracy_se"] >= 0


def test_on_the_tasks_own_parts_and_by_default_the_best_on_validation_data_wins(home: Path) -> None:
    run = search(validation="own", final={"hand_over": "winner"})
    means = {t.label: t.values["accuracy"] for t in run.outcome.trainings}
    assert set(means) == {"found", "ensemble"}
    assert means[run.outcome.handed_over] == max(means.values())


def test_a_search_of_one_point_has_no_ensemble(home: Path) -> None:
    run = search(budget={"trials": 1})
    assert {t.label for t in run.outcome.trainings} == {"found"}
    assert run.handed_over == "what the search found"


@pytest.mark.parametrize("factor", [0.01, 1.0, 30.0])
def test_a_sharpness_undoes_how_scores_were_scaled(factor: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3))
    drawn = np.array([generator.choice(3, p=np.exp(s) / np.exp(s).sum()) for s in logits])
    assert calibrate(logits * factor, drawn)[0] * factor == pytest.approx(1, abs=0.1)


def test_ten_hits_do_not_make_a_model_sure(home: Path) -> None:
    """Of samples that are all told apart probabilities say how few they are."""
    labels = np.arange(10) % 2
    scores = np.eye(2)[labels]
    sharpness, loss = calibrate(scores, labels)
    assert softmax(sharpness * scores, axis=1).max() == pytest.approx(1 - 1 / 12, abs=1e-3)
    assert 0.1 < loss < 0.5


def test_members_may_prepare_the_data_in_different_ways(home: Path) -> None:
    """Each carries its own preparation, in one file that takes raw data, and in predictions."""
    task = {
        "name": "series_arrays",
        "X": SERIES,
        "y": Y,
        "groups": GROUPS,
        "mean": {"choice": [0.0, 1.0]},
        "ridge": {"log": [1e-3, 0.1]},
    }
    run = search(task=task, budget={"trials": 6})
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    points = [member["point"] for member in members]
    assert points == best_points(run, 3)
    assert len({json.dumps(point["task"]) for point in points}) == 3
    found = run.predictions(SERIES[GROUPS == "dora"])
    right = (np.array(found.predicted) == Y[GROUPS == "dora"].astype(str)).mean()
    assert right == pytest.approx(run.outcome.test_of("ensemble")["accuracy"].mean)
    scope: dict[str, Any] = {"__name__": "model", "__file__": str(run.folder / "best/model.py")}
    exec((run.folder / "best" / "model.py").read_text(), scope)
    model = scope["Model"].load()
    assert model.predict(torch.from_numpy(SERIES[GROUPS == "dora"])) == found.predicted


def test_where_validation_cannot_choose_few_samples_do(home: Path) -> None:
    """All points are right on every fold: those that need the fewest samples answer."""
    told = X.copy()
    told[Y == 1, 0, 0] += 50
    run = search(
        task={"name": "spd_arrays", "X": told, "y": Y, "groups": GROUPS},
        space={"name": "spd_pipeline", "networks": []},
        budget={"trials": 6},
    )
    members = json.loads((run.folder / "best" / "architecture.json").read_text())["ensemble"]
    values = {number: run.trial(number)["values"] for number in range(1, 7)}
    reached = {number: own.get("few_shot_accuracy", 0.0) for number, own in values.items()}
    own = [reached.pop(member["trial"]) for member in members]
    assert own == sorted(own, reverse=True) and min(own) >= max(reached.values())
    events = (run.folder / "events.jsonl").read_text()
    assert "Validation cannot choose" in events
    assert "best when it learns from a few samples" in events


def test_the_classifier_that_folds_chose_is_the_one_handed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, choose = selection.judge_folds, selection.choose
    taken: list[str] = []

    def judge_one(folds: Any, classes: int, families: Any) -> Any:
        return judge(folds, classes, ["neighbors"])

    def note(*arguments: Any) -> Any:
        chosen = choose(*arguments)
        taken.append(chosen.family)
        return chosen

    monkeypatch.setattr(selection, "judge_folds", judge_one)
    monkeypatch.setattr(selection, "choose", note)
    final = {"baselines": False, "ensemble": 2}
    run = search(
        space={"name": "spd_pipeline", "classifiers": ["best"], "networks": []}, final=final
    )
    assert {training.label for training in run.outcome.trainings} == {"found", "ensemble"}
    assert taken == ["neighbors"] * 3, "found, and two members"
