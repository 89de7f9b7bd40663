"""What `validate`, and the start of a run, say of a user's data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny import PLUGIN

RECIPE = """\
version: 1
name: own
task: {name: spd_arrays, data: own.npz}
space: spd_cell
strategy: random
"""
TINY = """\
version: 1
name: tiny
task: odd_task
space: tiny_space
strategy: draw
budget: {trials: 2}
train: {epochs: 1, final: {seeds: 1, random: 0}}
"""
ODD = """\
from tiny_plugin import TinyTask
from toolkit.contracts import Survey

class OddTask(TinyTask):
    def survey(self, seed):
        return Survey({"train": {"0": 16, "1": 16}}, warnings=["All 32 samples look odd."])
"""
EMPTY = """\
from torch.utils.data import TensorDataset
import torch
from dataclasses import replace
from tiny_plugin import TinyTask

class OddTask(TinyTask):
    def load(self, data_dir, seed):
        nothing = TensorDataset(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
        return replace(super().load(data_dir, seed), val=nothing)
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.yaml"
    path.write_text(RECIPE)
    return path


def _data(path: Path, **more: object) -> None:
    factor = np.random.default_rng(0).standard_normal((48, 3, 9))
    labels = np.array(["left", "right"])[np.arange(48) % 2]
    arrays = {"X": factor @ factor.swapaxes(1, 2), "y": labels, **more}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})


def test_validate_says_how_many_of_each_class_are_where_and_who_is_held_out(
    recipe: Path, toolkit: Any
) -> None:
    _data(recipe.with_name("own.npz"), groups=np.repeat([b"S1", b"S2", b"S3", b"S4"], 12))
    chosen = ["task.test_groups=[S2]", "task.val_groups=[S4]"]
    lines = toolkit("validate", "own.yaml", *chosen).out.splitlines()
    assert [" ".join(line.split()) for line in lines[3:7]] == [
        "training 24 (left: 12, right: 12)",
        "validation 12 (left: 6, right: 6)",
        "test 12 (left: 6, right: 6)",
        "held out test S2; validation S4",
    ]
    facts = json.loads(toolkit("validate", "own.yaml", *chosen, "--json").out)
    assert facts["parts"]["test"] == {"left": 6, "right": 6}
    assert facts["groups"] == {"train": ["S1", "S3"], "val": ["S4"], "test": ["S2"]}
    assert facts["warnings"] == []


def test_validate_finds_what_only_the_data_show(recipe: Path, toolkit: Any) -> None:
    matrices = np.stack([np.eye(3)] * 48)
    matrices[7, 0, 1] = 5
    for arrays, words in (
        ({"X": matrices}, "Matrix 7 of 'X' is not symmetric"),
        ({"X": np.where(matrices == 5, np.nan, matrices)}, "Matrix 7 of 'X' holds nan"),
        ({"X": matrices[:40]}, "'X' holds 40 matrices, but 'y' 48 labels"),
    ):
        _data(recipe.with_name("own.npz"), **arrays)
        answer = toolkit("validate", "own.yaml")
        assert answer.code == 2
        assert answer.err.startswith(f"error: own.yaml:3:1: task: {words}")
    assert not Path("runs").exists()


def test_validate_asks_for_no_more_gpus_than_there_are(recipe: Path, toolkit: Any) -> None:
    _data(recipe.with_name("own.npz"))
    for command in ("validate", "search"):
        answer = toolkit(command, "own.yaml", "resources.gpus=4096")
        assert answer.code == 2
        assert "resources.gpus: a trial asks for 4096 GPUs" in answer.err
    assert not Path("runs").exists()


def test_data_beside_the_recipe_are_pointed_to(
    recipe: Path, toolkit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _data(recipe.with_name("own.npz"))
    _data(recipe.with_name("two #2.npz"))
    (recipe.parent / "else").mkdir()
    monkeypatch.chdir(recipe.parent / "else")
    for override, name in (((), "own.npz"), (("task.data=two #2.npz",), "two #2.npz")):
        answer = toolkit("validate", "../own.yaml", *override)
        assert answer.code == 2
        assert f"{name} lies beside the recipe" in answer.err
        assert f"write ${{recipe_dir}}/{name}" in answer.err
        there = toolkit("validate", "../own.yaml", f"task.data=${{recipe_dir}}/{name}")
        assert there.code == 0, there.err
    absent = toolkit("validate", "../own.yaml", "task.data=absent.npz")
    assert "beside the recipe" not in absent.err
    assert "Write the archive with numpy.savez" in absent.err


def test_a_part_that_a_task_leaves_empty_is_refused(recipe: Path, toolkit: Any) -> None:
    recipe.write_text(TINY)
    recipe.with_name("odd.py").write_text(EMPTY)
    answer = toolkit("validate", "own.yaml", "--plugin", PLUGIN, "--plugin", "odd.py")
    assert answer.code == 2
    assert "task: The validation part of the data is empty." in answer.err


def test_what_a_task_does_not_say_is_counted(recipe: Path, toolkit: Any) -> None:
    recipe.write_text(TINY.replace("odd_task", "tiny_task"))
    facts = json.loads(toolkit("validate", "own.yaml", "--plugin", PLUGIN, "--json").out)
    assert facts["parts"] == {"train": {"0": 16, "1": 16}, "val": {"0": 8, "1": 8}}


def test_a_run_warns_once_and_its_workers_do_not_also_where_the_terminal_cannot_name_its_folder(
    recipe: Path,
) -> None:
    recipe.write_text(TINY)
    recipe.with_name("odd.py").write_text(ODD)
    plugins = ["--plugin", str(PLUGIN), "--plugin", "odd.py"]
    command = [sys.executable, "-m", "toolkit", "search", "own.yaml", *plugins, "--workers", "1"]
    answer = subprocess.run(
        [*command, "-o", "猫"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    warning = "warning: All 32 samples look odd."
    assert answer.stderr.splitlines().count(warning) == 1
    assert Path("猫/best/model.py").is_file()
    logs = [log.read_text() for log in Path("猫").rglob("*.log")]
    assert logs
    assert not any("look odd" in log for log in logs)
