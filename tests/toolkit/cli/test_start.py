"""`toolkit init` writes a recipe that runs, after a look at the data."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from command_line import IN_PROCESS, run_toolkit
from toolkit import validate
from toolkit.errors import ToolkitWarning

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with archives of matrices, series and images."""
    roots = RNG.standard_normal((60, 4, 9)) * (1 + LABELS[:, None, None])
    np.savez(tmp_path / "my matrices.npz", X=roots @ roots.swapaxes(1, 2), y=LABELS)
    np.savez(tmp_path / "series.npz", X=roots, y=LABELS, groups=np.arange(60) // 12)
    np.savez(tmp_path / "images.npz", X=RNG.integers(0, 256, (60, 8, 8, 3), np.uint8), y=LABELS)
    return tmp_path


def read(path: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(path.read_text())
    return found


def test_a_recipe_for_matrices_runs_and_explains_its_options(data: Path) -> None:
    words = ["--data", "my matrices.npz", "--task", "spd_arrays"]
    answer = run_toolkit("init", *words, folder=data)
    assert answer.code == 0 and "toolkit search recipe.yaml" in answer.out, answer.err
    text = (data / "recipe.yaml").read_text()
    words = " ".join(text.replace("\n# ", " ").split())
    assert "SPD matrices of 4 x 4, 1 channel; 2 classes" in words and "validation: folds" in text
    assert "# ridge: 0.0" in text and max(map(len, text.splitlines())) <= 100
    small = ["budget.trials=2", "train.final.seeds=1", "train.final.random=0", "validation=own"]
    here = ["--plugin", IN_PROCESS, "resources.executor=in_process", *small]
    quick = ["train.final.baselines=false", "space.classifiers=[shrunken_lda]"]
    answer = run_toolkit("search", "recipe.yaml", *here, *quick, folder=data)
    assert answer.code == 0, answer.err
    assert (data / "runs/my_matrices/best/model.py").is_file()


def test_arrays_of_other_names_are_named_as_options(data: Path) -> None:
    groups = np.arange(60) % 5
    np.savez(data / "eeg.npz", epochs=RNG.standard_normal((60, 3, 64)), side=LABELS, subject=groups)
    answer = run_toolkit("init", "--data", "eeg.npz", folder=data)
    assert answer.code == 2 and "It holds the arrays epochs, side, subject." in answer.err
    names = ["task.x=epochs", "task.y=side", "task.groups=subject"]
    answer = run_toolkit(
        "init", *names, "--data", "eeg.npz", "--task", "series_arrays", folder=data
    )
    assert answer.code == 0, answer.err
    written = read(data / "recipe.yaml")
    options = {"x": "epochs", "y": "side", "groups": "subject"}
    assert written["task"] == {"name": "series_arrays", "data": "eeg.npz", **options}
    # The space's own way is written out, so that it can be changed.
    assert written["strategy"] == "evolution.refine" and written["validation"] == "folds"
    assert written["train"] == {
        "final": {"seeds": 1, "random": 0, "ensemble": 10, "hand_over": "ensemble"}
    }


def test_the_task_is_found_where_one_alone_reads_the_data(data: Path) -> None:
    assert run_toolkit("init", "--data", "images.npz", folder=data).code == 0
    facts = validate(data / "recipe.yaml", overrides=[f"task.data={data}/images.npz"])
    assert facts["points"] is None, "the space has no end"
    assert read(data / "recipe.yaml")["task"] == {"name": "image_arrays", "data": "images.npz"}


@pytest.mark.parametrize(
    ("file", "task", "others"),
    [
        ("series", "recordings", "series_arrays"),
        ("ungrouped", "recordings", "series_arrays"),
        ("my matrices", "spd_arrays", "recordings and series_arrays"),
        ("grey", "image_arrays", "recordings and series_arrays"),
    ],
)
def test_of_several_tasks_the_one_that_data_look_meant_for_is_taken(
    file: str, task: str, others: str, data: Path
) -> None:
    with np.load(data / "series.npz") as series:
        np.savez(data / "ungrouped.npz", X=series["X"], y=LABELS)
    np.savez(data / "grey.npz", X=RNG.random((60, 8, 8)), y=LABELS)
    said = f"is read by {task}, as .*; --task {others} can read it, too"
    with pytest.warns(ToolkitWarning, match=said):
        answer = run_toolkit("init", "--data", f"{file}.npz", folder=data)
    assert answer.code == 0, answer.err
    assert read(data / "recipe.yaml")["task"]["name"] == task  # type: ignore[index]


def test_a_recipe_says_where_groups_are_not_recentred(data: Path) -> None:
    words = ["--data", "series.npz", "--task", "series_arrays"]
    assert run_toolkit("init", *words, folder=data).code == 0
    recipe, here = data / "recipe.yaml", f"task.data={data}/series.npz"
    with pytest.warns(ToolkitWarning, match="recentring of groups is off.* `task.grouped=true`"):
        validate(recipe, overrides=[here])
    for silent in ("task.grouped=true", "task.grouped=false", "space=spd_cell"):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            validate(recipe, overrides=[here, silent, "strategy=random"])
        assert not any("recentring" in str(each.message) for each in told), silent


def test_images_keep_their_size_in_a_first_recipe(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "png" / name).mkdir(parents=True)
        for index in range(12):
            pixels = draw.integers(0, 256, (16, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "png" / name / f"{index}.png")
    assert run_toolkit("init", "--data", "png", folder=tmp_path).code == 0
    assert read(tmp_path / "recipe.yaml")["task"] == {
        "name": "image_folder",
        "data": "png",
        "size": 16,
    }


def test_a_first_recipe_for_small_grey_images_fits_two_cores(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / "png" / name).mkdir(parents=True)
        for index in range(420):
            Image.fromarray(draw.integers(0, 256, (8, 8), np.uint8)).save(
                tmp_path / "png" / name / f"{index}.png"
            )
    assert run_toolkit("init", "--data", "png", folder=tmp_path).code == 0
    written: Any = read(tmp_path / "recipe.yaml")
    assert written["task"] == {"name": "image_folder", "data": "png", "size": 8, "channels": 1}
    assert "validation" not in written, "504 images need no folds"
    assert written["space"]["only"]["backbone"] == "smallcnn"
    assert written["train"]["final"] == {"seeds": 1, "random": 1}
    assert written["fidelity"]["epochs"] < written["train"]["epochs"]
    with pytest.warns(ToolkitWarning, match="are grey, and each is repeated"):
        validate(
            tmp_path / "recipe.yaml", overrides=[f"task.data={tmp_path}/png", "task.channels=null"]
        )


def test_without_data_a_task_that_brings_them_is_taken(tmp_path: Path) -> None:
    assert run_toolkit("init", "-o", "first.yaml", folder=tmp_path).code == 0
    assert read(tmp_path / "first.yaml")["name"] == "first"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data", "either.npz"], "by several tasks:\n  image_arrays"),
        (["--data", "series.npz", "train.lr=1"], "expected options of the task, as"),
        (["--data", "absent.npz"], "There are no data at absent.npz"),
        (["--data", "text.txt"], "No task can read text.txt"),
        (["--data", "series.npz", "--task", "spd_arrays"], "Square matrices"),
        (["--task", "spd_array"], "Did you mean spd_arrays?"),
        (["-o", "series.npz"], "is there already"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_left(
    words: list[str], says: str, data: Path
) -> None:
    (data / "text.txt").write_text("no data")
    np.savez(data / "either.npz", X=RNG.random((60, 4, 9)), y=LABELS)
    answer = run_toolkit("init", *words, folder=data)
    assert answer.code == 2 and says in answer.err
    assert not (data / "recipe.yaml").exists()
