"""Values under `task` are searched: each trial has the data that its own values make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import toolkit
from command_line import IN_PROCESS

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(60, 4, 12)) + 1j * RNG.normal(size=(60, 4, 12))
Y = np.arange(60) % 2
SERIES[Y == 1, :2] *= 1.6
X = SERIES @ SERIES.conj().transpose(0, 2, 1) / 12


def words(**task: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "task": {"name": "spd_arrays", "X": X, "y": Y, **task},
        "space": {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]},
        "strategy": "random",
        "budget": {"trials": 6},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 1, "final": {"seeds": 1, "random": 1}},
    }


def test_a_searched_ridge_and_embedding_make_the_data_of_each_trial(home: Path) -> None:
    searched = words(
        ridge={"log": [1e-3, 0.3]}, embedding={"choice": ["real_part", "real_embedding"]}
    )
    run = toolkit.search(searched, plugins=[IN_PROCESS])
    trials = run.trials()
    assert isinstance(trials, pandas.DataFrame)
    assert trials["task.ridge"].between(1e-3, 0.3).all() and trials["task.ridge"].nunique() == 6
    assert set(trials["task.embedding"]) == {"real_part", "real_embedding"}
    assert set(trials["state"]) == {"done"}

    best = run.best.point["task"]
    card = (run.folder / "best" / "card.md").read_text()
    assert f"- task.ridge: {best['ridge']}" in card
    assert run.result()["searched"] == {f"task.{name}": value for name, value in best.items()}
    assert f"then {best['ridge']} x trace / n" in card
    embedded = best["embedding"] == "real_embedding"
    assert ("[[A, -B], [B, A]]" in card) == embedded
    inputs = np.eye(8 if embedded else 4)[None, None]
    import torch

    with torch.no_grad():
        assert run.model()(torch.tensor(inputs)).shape == (1, 2)

    again = toolkit.retrain(searched, from_run=run, plugins=[IN_PROCESS])
    assert again.recipe["task"]["ridge"] == best["ridge"]
    assert again.outcome is not None and run.outcome is not None
    assert again.outcome.test == run.outcome.test, "to the digit"
    assert again.outcome.baselines["spdnet"] == run.outcome.baselines["spdnet"], (
        "rivals have the found preparation too"
    )


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (
            {"ridge": {"log": [-1, 1]}},
            'task.ridge: {"log": [-1, 1]} given, the range is impossible',
        ),
        ({"ridge": {"choice": [0.1, "much"]}}, '"much" given, expected a number'),
        ({"test_groups": {"choice": ["anna"]}}, "task.test_groups"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_runs(
    home: Path, task: dict[str, Any], says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.search(words(**task), plugins=[IN_PROCESS])
    assert says in str(caught.value) and int(caught.value.exit_code) == 2
    assert list(home.iterdir()) == []


def test_a_supernet_has_one_preparation(home: Path) -> None:
    searched = words(ridge={"log": [1e-3, 0.3]}) | {"strategy": "supernet"}
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.search(searched, plugins=[IN_PROCESS])
    assert "task.ridge" in str(caught.value) and "supernet" in str(caught.value)


def test_architectures_may_depend_on_a_searched_value_of_the_task(home: Path) -> None:
    searched = words(embedding={"choice": ["real_part", "real_embedding"]})
    space = {"name": "spd_pipeline", "components": [6], "classifiers": ["ridge"], "networks": []}
    final = {"seeds": 1, "random": 0, "baselines": False}
    searched |= {"space": space, "budget": {"trials": 14}, "train": {"seed": 4, "final": final}}
    run = toolkit.search(searched, plugins=[IN_PROCESS])
    kept: dict[str, set[Any]] = {"real_part": set(), "real_embedding": set()}
    for trial in run.trials().to_dict("records"):
        point = run.trial(trial["number"])["point"]
        kept[point["task"]["embedding"]].add(point["architecture"]["components"])
        assert trial["state"] == "done"
    assert kept == {"real_part": {"all"}, "real_embedding": {"all", 6}}, "4 rows have no 6 of them"
