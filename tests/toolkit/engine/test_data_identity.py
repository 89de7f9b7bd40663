"""A run knows its data by their content, and plugins are given copies of what is known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from command_line import IN_PROCESS
from tiny import PLUGINS, tiny_recipe
from toolkit.contracts import TaskInfo
from toolkit.run.content import by_content, content_of, contents_of
from toolkit.run.holdings import differences_in_words, holdings_of
from toolkit_arrays.options import SpdOptions

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(48, 3, 9))
X, Y = ROOT @ ROOT.transpose(0, 2, 1) / 9, np.arange(48) % 2


def search(folder: Path, run: str, **more: Any) -> toolkit.Run:
    recipe = {
        "name": "own",
        "task": {"name": "spd_arrays", "data": str(folder / "mine.npz")},
        "space": {"name": "spd_cell", "nodes": 1, "cells": ["reduction"]},
        "strategy": "random",
        "budget": {"trials": 1},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 1, "final": {"seeds": 1, "random": 0, "baselines": False}},
    }
    return toolkit.search(recipe, plugins=[IN_PROCESS], output=folder / run, **more)


def test_other_content_is_refused_and_a_moved_project_goes_on(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    np.savez(project / "mine.npz", X=X, y=Y)
    search(project, "run")
    for X_now, y_now, said in (
        (X, 1 - Y, r"\(y has other values\)"),
        (X[:30], Y[:30] + 1, r"48 samples there, 30 now, 2 classes \(0, 1\) there, .*\(1, 2\) now"),
        (X[:, :2, :2], Y, r"3 x 3.* there, .*2 x 2.* X had the shape \(48, 3, 3\), and has \(48, "),
    ):
        np.savez(project / "mine.npz", X=X_now, y=y_now)
        with pytest.raises(toolkit.ToolkitError, match=rf"task\.data holds .*{said}") as told:
            search(project, "run", budget={"trials": 2})
        assert int(told.value.exit_code) == 7
    np.savez(project / "mine.npz", X=X, y=Y)

    moved = Path(shutil.move(project, tmp_path / "moved"))
    assert search(moved, "run", budget={"trials": 2}).status["trials"] == {"done": 2}
    warm = search(moved, "warm", warm_start=moved / "run")
    assert warm.status["warm_started"] == 2
    assert warm.rows(all=True)[0]["number"] == 1
    said = [e.facts["message"] for e in warm.events() if e.name == "warning"]
    assert not [text for text in said if "answer no repeats" in text], "they mean the same here"


def test_a_folder_is_its_files_with_their_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "a").mkdir(parents=True)
        (folder / "a" / "x.bin").write_bytes(b"12345")
        (folder / "a" / "y.bin").write_bytes(b"678")
    assert content_of(one).digest == content_of(other).digest
    (other / "a" / "y.bin").rename(other / "a" / "z.bin")
    assert content_of(one).digest != content_of(other).digest
    (other / "a" / "z.bin").rename(other / "a" / "y.bin")
    (other / "a" / "x.bin").write_bytes(b"12346")
    assert content_of(one).digest != content_of(other).digest


def test_large_data_are_known_by_their_sizes_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.run import content

    monkeypatch.setattr(content, "WHOLE_BYTES", 10)
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 3_000_000)
    before = content_of(path).digest
    path.write_bytes(b"x" * 2_999_999 + b"y")
    assert content_of(path).digest != before


MUTATING = """
from tiny_plugin import TinySpace

class MutatingSpace(TinySpace):
    name = "mutating"

    def build(self, architecture, task):
        learner = super().build(architecture, task)
        architecture["width"] = 1
        return learner

    def graph(self, architecture, task):
        found = super().graph(architecture, task)
        architecture["width"] = 1
        return found
"""


@pytest.mark.faults
def test_a_space_that_changes_its_argument_changes_a_copy(tmp_path: Path) -> None:
    plugin = tmp_path / "mutating.py"
    plugin.write_text(MUTATING)
    run = toolkit.search(
        tiny_recipe(
            space={"name": "mutating", "trained": True}, strategy="random", budget={"trials": 3}
        ),
        plugins=[*PLUGINS, plugin],
        output=tmp_path / "run",
    )
    widths = [row["point"]["architecture"]["width"] for row in run.rows()]
    assert len(set(widths)) == 3
    assert run.architecture == run.outcome.architecture  # type: ignore[union-attr]
    assert run.architecture["width"] in widths  # type: ignore[index]


def test_what_systems_add_and_how_an_archive_is_packed_are_no_other_data(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.png").write_bytes(b"1")
    before = content_of(folder).digest
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "1.png").write_bytes(b"x")
    (folder / "cat" / "self").symlink_to(folder)
    assert content_of(folder).digest == before
    one, other = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(one, X=np.arange(4), y=np.arange(3))
    np.savez_compressed(other, y=np.arange(3), X=np.arange(4))
    assert content_of(one).digest == content_of(other).digest
    np.savez(other, X=np.arange(4), y=np.arange(3) + 1)
    assert content_of(one).digest != content_of(other).digest


def test_runs_that_know_data_by_an_earlier_digest_are_compared_by_path(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=np.ones(3))
    recipe = {"task": {"name": "spd_arrays", "data": str(path)}}
    own, earlier = {"task.data": content_of(path).digest}, {"task.data": "0123456789abcdef"}
    assert by_content(recipe, own, earlier) == by_content(recipe, earlier, own) == recipe
    assert by_content(recipe, own, own)["task"]["data"] != str(path)
    assert by_content(recipe, earlier, earlier)["task"]["data"] == "content 0123456789abcdef"


def test_what_differs_between_folders_is_told_by_name(tmp_path: Path) -> None:
    info = TaskInfo("spd", (1, 3, 3), 2, 4)

    def holds(**files: str) -> Any:
        folder = tmp_path / "data"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return holdings_of(contents_of(SpdOptions.model_validate({"data": folder})), info, None)

    def told(old: Any, new: Any) -> str:
        return differences_in_words({"task.data": ("content a", "content b")}, old, new)

    first = holds(a="1", b="2", c="3")
    assert told(first, holds(a="1", b="2")) == (
        "task.data holds other data (3 files there, 2 now, c is missing now)"
    )
    assert told(first, holds(a="1", b="x", d="3")) == (
        "task.data holds other data (c is missing now, d was not there, b has other content)"
    )
    assert told({}, first) == 'task.data: "content a" there, "content b" now'
    renamed = holds(a="1", x="2", y="3")
    assert "(b is missing now, and 1 more, x was not there, and 1 more)" in told(first, renamed)
