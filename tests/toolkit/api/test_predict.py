"""From a run to predictions for data that came after it: the task's own preparation, no labels."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from command_line import IN_PROCESS, run_toolkit
from toolkit.api.predict import Prepared
from toolkit.errors import ToolkitWarning
from toolkit.export.sizes import Sizes

RNG = np.random.default_rng(0)
Y = np.array(["rest", "move"])[np.arange(60) % 2]
MOVES = (Y == "move")[:, None, None]
SERIES = RNG.normal(size=(60, 4, 40)) * np.where(MOVES, [[2.0], [2.0], [1.0], [1.0]], 1.0)
MATRICES = 1e-9 * SERIES @ SERIES.transpose(0, 2, 1)
IMAGES = (RNG.random((60, 8, 8)) * 100 + np.where(MOVES, 50, 0)).astype(np.float32)
KINDS: dict[str, tuple[dict[str, Any], Any, str]] = {
    "matrices": ({"name": "spd_arrays", "ridge": 0.01}, MATRICES, "spd_cell"),
    "series": ({"name": "series_arrays", "band": [4.0, 30.0], "rate": 100.0}, SERIES, "spd_cell"),
    "traced": ({"name": "spd_arrays", "scale": "trace"}, MATRICES, "spd_cell"),
    "images": ({"name": "image_arrays"}, IMAGES, "nullspace_head"),
}


SMALL: dict[str, dict[str, Any]] = {
    "spd_cell": {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]},
    "nullspace_head": {
        "name": "nullspace_head",
        "only": {"backbone": "smallcnn", "backbone.smallcnn.width": 8},
    },
}


def search(home: Path, kind: str) -> toolkit.Run:
    task, X, space = KINDS[kind]
    np.savez(home / "mine.npz", X=X, y=Y)
    recipe = {
        "name": kind,
        "task": {**task, "data": str(home / "mine.npz")},
        "space": SMALL[space],
        "strategy": "random",
        "budget": {"trials": 1},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 3, "final": {"seeds": 1, "random": 0, "baselines": False}},
    }
    return toolkit.search(recipe, plugins=[IN_PROCESS], output=home / "run")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], toolkit.Run]:
    """A finished search on data of a kind, to be read alone; its data lie beside its folder."""
    return cache(lambda kind: search(tmp_path_factory.mktemp(kind), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_split_is_predicted_as_it_was_tested(
    home: Path, found: Callable[[str], toolkit.Run], kind: str
) -> None:
    """Raw samples of the test split come to the accuracy that the run tells of them."""
    run = found(kind)
    from toolkit.problem import Problem
    from toolkit.recipe import from_checked
    from toolkit.registry import Registry

    pool = Problem(from_checked(run.recipe), Registry()).task.pool(home, 0)
    assert pool is not None
    X = KINDS[kind][1]
    told = run.predictions(X[pool.test])
    assert told.names == tuple(map(str, range(len(pool.test))))
    assert sorted(told.classes) == ["move", "rest"]
    np.testing.assert_allclose(told.probabilities.sum(axis=1), 1.0)
    accuracy = np.mean(np.array(told.predicted) == Y[pool.test])
    assert run.outcome is not None
    assert accuracy == pytest.approx(run.outcome.test_of(run.outcome.handed_over)["accuracy"].mean)
    whole = run.predictions(run.folder.parent / "mine.npz")
    assert (run.predict(X[:5]) == np.array(whole.predicted)[:5]).all()
    one = run.predict_proba(X[7:8])
    rtol = 1e-3 if kind == "images" else 1e-9  # Images are of single precision.
    np.testing.assert_allclose(one, run.predict_proba(X)[7:8], rtol=rtol, err_msg="alone or not")


def _told(run: toolkit.Run, X: Any, **more: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run.predictions(X, **more)
    return [str(one.message) for one in told if one.category is ToolkitWarning]


@pytest.mark.parametrize(
    ("kind", "factor", "says"),
    [
        (
            "matrices",
            1e12,
            r"e\+1[12] times as large as .* \(a factor of [\d.]+e\+0[56] in signals",
        ),
        ("matrices", 1e-3, r"times smaller than those of the training"),
        ("series", 1e-3, r"e\+0[56] times smaller than .* \(a factor of 0.00[01]\d+ in signals"),
        ("images", 255.0, r"go from .* to 3.\d+e.04 .*, those of the training from .* to 1\d\d"),
        ("images", 1 / 255.0, r"times smaller than those of the training: as prepared"),
    ],
)
def test_data_in_other_units_are_told_of(
    found: Callable[[str], toolkit.Run], kind: str, factor: float, says: str
) -> None:
    run, X = found(kind), KINDS[kind][1]
    told = _told(run, X * factor)
    assert len(told) == 1 and re.search(says, told[0]), told
    assert not _told(run, X[1::2]) and not _told(run, X[:1]), "nothing is said of ordinary data"


def test_a_scale_that_does_not_matter_is_not_told_of(found: Callable[[str], toolkit.Run]) -> None:
    assert not _told(found("traced"), MATRICES * 1e12)


def test_series_of_other_lengths_are_told_of(found: Callable[[str], toolkit.Run]) -> None:
    run = found("series")
    (told,) = _told(run, np.repeat(SERIES, 2, axis=-1))
    assert "have 80 samples, and those of the training 40." in told and "(100 samples a sec" in told
    assert not _told(run, SERIES[..., :36])


def test_files_of_three_kinds_say_the_same(home: Path, found: Callable[[str], toolkit.Run]) -> None:
    run = found("matrices")
    np.savez(home / "new.npz", X=MATRICES[:7])
    for name in ("p.csv", "p.json", "p.npz"):
        answer = run_toolkit("predict", run.folder, home / "new.npz", "-o", home / name)
        assert (answer.code, answer.out.startswith("7 predictions in")) == (0, True), answer.err
    with (home / "p.csv").open() as stream:
        table = list(csv.DictReader(stream))
    rows = json.loads((home / "p.json").read_text())
    with np.load(home / "p.npz") as archive:
        assert archive["predicted"].tolist() == [row["predicted"] for row in rows]
        assert archive["probabilities"][0, 0] == pytest.approx(rows[0][str(archive["classes"][0])])
    assert [row["predicted"] for row in table] == [row["predicted"] for row in rows]
    assert list(table[0]) == ["input", "predicted", "move", "rest"]
    shown = run_toolkit("predict", run.folder, home / "new.npz").out.splitlines()
    assert shown[0].split() == ["input", "predicted", "move", "rest"] and len(shown) == 8


def test_images_in_a_folder_are_predicted_by_name(home: Path) -> None:
    from PIL import Image

    for number, (pixels, label) in enumerate(zip(IMAGES, Y, strict=True)):
        place = home / "images" / label
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).resize((20, 16)).save(place / f"{number}.png")
    task = {"name": "image_folder", "data": str(home / "images"), "size": 8}
    only = {"backbone": "smallcnn", "backbone.smallcnn.width": 8}
    run = toolkit.search(
        {"name": "folder", "task": task, "space": {"name": "nullspace_head", "only": only}},
        strategy="random",
        budget={"trials": 1},
        resources={"executor": "in_process", "workers": 1},
        train={"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}},
        plugins=[IN_PROCESS],
    )
    new = home / "new"
    new.mkdir()
    (home / "images" / "rest" / "0.png").rename(new / "first.png")
    (new / ".hidden").mkdir()
    for name in (".hidden/a.png", "._first.png"):
        (new / name).write_text("no image")
    found = run.predictions(new)
    assert found.names == ("first.png",) and found.probabilities.shape == (1, 2)
    with pytest.raises(toolkit.ToolkitError, match="reads files, and no array"):
        run.predictions(IMAGES)
    latin = os.fsdecode(b"caf\xe9.png")
    os.rename(new / "first.png", new / latin)  # noqa: PTH104 - no UTF-8
    for name in ("p.csv", "p.json"):
        run.predictions(new).write(home / name)
    assert json.loads((home / "p.json").read_text())[0]["input"] == latin
    assert "caf\\udce9.png," in (home / "p.csv").read_text()
    (new / latin).unlink()
    with pytest.raises(toolkit.ToolkitError, match="There is no image in"):
        run.predictions(new)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (MATRICES[:3, :3, :3], r"takes \(1, 4, 4\): 3 channels, and the training's had 4"),
        (SERIES[:3], "Square matrices of one size are read"),
        (np.where(np.eye(4), np.nan, MATRICES[:3]), "Matrix 0 of 'X'"),
        (MATRICES[:0], "empty|nothing|holds no"),
    ],
)
def test_what_cannot_be_predicted_is_a_sentence(
    found: Callable[[str], toolkit.Run], X: Any, says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError, match=says) as told:
        found("matrices").predict(X)
    assert int(told.value.exit_code) == 2


def test_a_run_without_a_model_or_with_a_task_of_its_own_is_a_sentence(
    home: Path, finished: toolkit.Run, found: Callable[[str], toolkit.Run]
) -> None:
    with pytest.raises(toolkit.ToolkitError, match="reads no data of a user's"):
        finished.predict(np.zeros((2, 4)))
    run = toolkit.Run(shutil.copytree(found("matrices").folder, home / "copy"))
    with pytest.raises(toolkit.ToolkitError, match=r"There is no .*nothing\.npz"):
        run.predict(home / "nothing.npz")
    (run.folder / "best" / "model.py").unlink()
    with pytest.raises(toolkit.ToolkitError, match="has exported no model yet"):
        run.predict(MATRICES)


def test_novelty_is_a_column_where_the_head_is_in_the_null_space(home: Path) -> None:
    """Images of noise are further from all classes than images of those that were learned."""
    import torch

    from toolkit.export.loading import load_file

    only = {
        "backbone": "smallcnn",
        "backbone.smallcnn.width": 8,
        "backbone.smallcnn.depth": 2,
        "head": "nullspace",
        "augmentation": [0, 0.1],
    }
    np.savez(home / "mine.npz", X=IMAGES, y=Y)
    recipe = {
        "name": "novel",
        "task": {"name": "image_arrays", "data": str(home / "mine.npz")},
        "space": {"name": "nullspace_head", "only": only},
        "strategy": "random",
        "budget": {"trials": 1},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 8, "final": {"seeds": 1, "random": 0, "baselines": False}},
    }
    run = toolkit.search(recipe, plugins=[IN_PROCESS])
    known = run.predictions(IMAGES)
    assert known.novelty is not None and known.columns[-1] == "novelty"
    strange = run.predictions(IMAGES.mean() + 200 * np.sign(IMAGES - IMAGES.mean()))
    assert strange.novelty is not None
    assert np.median(strange.novelty) > np.median(known.novelty)
    np.savez(home / "new.npz", X=IMAGES[:7])
    for name in ("p.csv", "p.npz"):
        answer = run_toolkit("predict", run.folder, home / "new.npz", "-o", home / name)
        assert answer.code == 0, answer.err
    with (home / "p.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with np.load(home / "p.npz") as archive:
        np.testing.assert_allclose(archive["novelty"], known.novelty[:7], rtol=1e-3)
    np.testing.assert_allclose([float(r["novelty"]) for r in rows], known.novelty[:7], rtol=1e-3)
    model = load_file(run.folder / "best").Model.load()
    alone = model.novelty(torch.from_numpy(IMAGES[:7]))
    np.testing.assert_allclose(alone, known.novelty[:7], rtol=1e-3)
    assert "model.novelty(raw)" in (run.folder / "best" / "card.md").read_text()


def test_other_models_have_no_such_column(home: Path) -> None:
    run = search(home, "matrices")
    found = run.predictions(MATRICES[:3])
    assert found.novelty is None and "novelty" not in found.columns
    assert "novelty" not in (run.folder / "best" / "card.md").read_text()


def test_one_array_or_a_folder_of_matrices_without_labels_is_predicted(
    home: Path, found: Callable[[str], toolkit.Run]
) -> None:
    run = found("matrices")
    np.save(home / "new.npy", MATRICES[:3])
    (home / "new").mkdir()
    for name, matrix in zip("abc", MATRICES, strict=False):
        np.save(home / "new" / f"{name}.npy", matrix)
    expected = run.predict_proba(MATRICES[:3])
    for data, names in (("new.npy", ("0", "1", "2")), ("new", ("a.npy", "b.npy", "c.npy"))):
        told = run.predictions(home / data)
        assert told.names == names
        np.testing.assert_allclose(told.probabilities, expected, rtol=1e-9)
    (home / "empty").mkdir()
    with pytest.raises(toolkit.ToolkitError, match="There is no matrix in"):
        run.predictions(home / "empty")


def test_the_data_of_the_training_are_never_written_over(
    home: Path, found: Callable[[str], toolkit.Run]
) -> None:
    run = found("matrices")
    data = run.folder.parent / "mine.npz"
    before = data.read_bytes()
    np.savez(home / "new.npz", X=MATRICES[:3])
    answer = run_toolkit("predict", run.folder, home / "new.npz", "-o", data)
    assert answer.code == 2 and "would take their place" in answer.err
    assert data.read_bytes() == before


def test_channels_are_counted_without_the_groups_own() -> None:
    sizes = Sizes(1.0, 1.0, 1.0, "grouped_series")
    kept = Prepared({}, ("a", "b"), (9, None), True, sizes=sizes)
    assert kept.differs_in_words((8, 500)) == (
        "The new data make inputs of shape (7, 500), and the model takes (8, any):"
        " 7 channels, and the training's had 8."
    )
