"""Recipes as mappings take live arrays: kept in the run folder, resumed, told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

import toolkit
from command_line import IN_PROCESS
from tiny import PLUGIN
from toolkit.datasets.arrays import read_arrays
from toolkit.run.differences import differing
from toolkit.run.weights import PREDICTIONS

PLUGINS = [PLUGIN, Path(__file__).with_name("clouds.py"), IN_PROCESS]
X = np.random.default_rng(0).normal(size=(40, 4)) + 2 * (np.arange(40) % 2)[:, None]
Y = np.arange(40) % 2


def words(**task: Any) -> dict[str, Any]:
    return {
        "task": {"name": "clouds", **task},
        "space": {"name": "tiny_space", "trained": True},
        "strategy": "draw",
        "budget": {"trials": 1},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}},
    }


def archives(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.npz") if path.name != PREDICTIONS)


def test_a_run_of_live_arrays_keeps_them_goes_on_and_refuses_others(home: Path) -> None:
    run = toolkit.search(words(X=X, y=Y), plugins=PLUGINS)
    assert (run.name, run.folder) == ("clouds", Path("runs/clouds"))
    (kept,) = archives(home)
    assert kept.parent == home / "runs/clouds/data"
    assert run.recipe["task"] == {
        "name": "clouds",
        "data": str(kept),
        "x": "X",
        "y": "y",
        "groups": None,
    }
    np.testing.assert_array_equal(read_arrays(kept, ["X"])["X"], X)

    written = kept.stat().st_mtime_ns
    alike = words(X=torch.tensor(X), y=pandas.Series(Y))
    again = toolkit.search(alike, plugins=PLUGINS, budget={"trials": 2})
    assert again.status["trials"] == {"done": 2}
    assert archives(home) == [kept] and kept.stat().st_mtime_ns == written

    other = Y.copy()
    other[:3] = 1 - other[:3]
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.search(words(X=X[:, :3], y=other, groups=Y), plugins=PLUGINS)
    assert int(caught.value.exit_code) == 7
    assert caught.value.message == (
        "runs/clouds is the run of other data: X had the shape (40, 4), and has (40, 3);"
        " y differs in 3 of 40 entries; groups was not there."
    )
    assert archives(home) == [kept]


def test_the_same_content_is_the_same_data_wherever_it_lies() -> None:
    """In a run folder that was moved, and in an earlier run that a search begins with."""
    digest, other = "0" * 64, "1" * 64
    old = {"task": {"data": f"/a/data/{digest}.npz", "x": "/a/x.npz"}}
    assert differing(old, {"task": {"data": f"/b/c/data/{digest}.npz", "x": "/a/x.npz"}}) == {}
    changed = differing(old, {"task": {"data": f"/a/data/{other}.npz", "x": "/b/x.npz"}})
    assert list(changed) == ["task.data", "task.x"]


def test_arrays_take_the_place_of_a_files_data(home: Path) -> None:
    Path("clouds.yaml").write_text(
        "version: 1\nname: filed\ntask: {name: clouds, data: elsewhere.npz, x: signals}\n"
        "space: tiny_space\n"
    )
    facts = toolkit.validate("clouds.yaml", task={"X": X.tolist(), "y": Y}, plugins=PLUGINS)
    assert facts["data"] == "vector 4; 2 classes; 20 training samples"
    assert facts["resolved"]["task"]["x"] == "X"
    assert archives(home) == []


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"X": X, "y": [object()] * 40}, "'y' holds Python objects (object), which are never"),
        ({"X": [[1, 2], [3]], "y": Y}, "'X' is no array"),
        ({"X": X, "y": Y, "data": "a.npz"}, "data and X, y are both given"),
        ({"x": X, "y": Y}, "task.x: an array is given, and clouds takes arrays named X, y, groups"),
        ({"name": "cluods", "X": X}, "No task 'cluods' is registered. Did you mean clouds?"),
        ({"name": "tiny_task", "X": X}, "tiny_task takes no arrays"),
        ({"name": None, "X": X}, "arrays are given, but not the task that reads them"),
        ({"X": X[:, 0].reshape(-1, 1), "y": Y[:3]}, ""),
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing_behind(
    home: Path, task: dict[str, Any], says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.search(words(**task), plugins=PLUGINS, space={"widths": 0})
    assert says in str(caught.value)
    assert list(home.iterdir()) == []


def test_a_recipe_alone_has_no_place_for_arrays(home: Path) -> None:
    with pytest.raises(toolkit.ToolkitError, match="X, y are arrays, which are kept in a run"):
        toolkit.load_recipe(words(X=X, y=Y), plugins=PLUGINS)


ROOTS = np.random.default_rng(1).normal(size=(24, 5, 8))
LABELS = ["left", "right"] * 12
NAMES = ["right", "left"]


@pytest.mark.parametrize(
    ("name", "inputs", "space"),
    [
        ("spd_arrays", {"X": ROOTS @ ROOTS.swapaxes(1, 2)}, "spd_cell"),
        ("series_arrays", {"X": ROOTS}, "spd_cell"),
        ("series_arrays", {"X": ROOTS.reshape(-1, 8), "lengths": [5] * 24}, "spd_cell"),
        ("image_arrays", {"X": (ROOTS > 0).astype("uint8")}, "nullspace_head"),
        ("spd_arrays", {"X": ROOTS @ ROOTS.swapaxes(1, 2), "class_names": NAMES}, "spd_cell"),
    ],
)
@pytest.mark.parametrize("divided", ["", "split", "test"])
def test_live_arrays_mean_what_an_archive_of_them_means(
    home: Path, name: str, inputs: dict[str, Any], space: str, divided: str
) -> None:
    arrays = {**inputs, "y": LABELS}
    options = {}
    if divided == "split":
        arrays["split"] = ["train"] * 12 + ["val"] * 6 + ["test"] * 6
    if divided == "test":
        arrays |= {f"test_{k}": value for k, value in arrays.items() if k != "class_names"}
        options = {key.lower(): key for key in arrays if key.startswith("test_")}
    np.savez(home / "archive.npz", **arrays)
    rest = {"space": space, "strategy": "random"}
    filed = toolkit.validate({"task": {"name": name, "data": "archive.npz", **options}, **rest})
    live = toolkit.validate({"task": {"name": name, **arrays}, **rest})
    for facts in (filed, live):
        del facts["resolved"]["task"]["data"]
    assert live == filed


def test_groups_are_tested_on_as_wholes(home: Path) -> None:
    task = {"name": "spd_arrays", "X": ROOTS @ ROOTS.swapaxes(1, 2), "y": ["a", "b"] * 12}
    facts = toolkit.validate(
        {"task": {**task, "groups": np.arange(24) // 6, "test_groups": [0]}, "space": "spd_cell"}
    )
    assert facts["resolved"]["task"]["groups"] == "groups"
    assert "12 training samples" in facts["data"]
