"""Samples that are there twice are told of: they make a test too good, or contradict themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.datasets.arrays import Split
from toolkit.datasets.copies import marks_of_files, marks_of_rows, warn_of_copies
from toolkit_arrays.spd import SpdArraysTask
from toolkit_images.arrays import ImageArraysTask
from toolkit_images.folder import ImageFolderTask

X = np.random.default_rng(0).normal(size=(12, 3, 8))
SPD = X @ X.transpose(0, 2, 1)
Y = np.arange(12) % 2


def parts(*test: int) -> np.ndarray:
    return np.array(["test" if index in test else "train" for index in range(12)])


def split(trained: int, tested: int) -> Split:
    """The first samples are trained on, the next tested on."""
    none = np.arange(0)
    return Split(np.arange(trained), none, np.arange(trained, trained + tested))


def test_an_archive_tells_of_equal_samples_on_both_sides(tmp_path: Path) -> None:
    data = SPD.copy()
    data[9] = data[2]
    path = tmp_path / "a.npz"
    np.savez(path, X=data, y=np.where(np.arange(12) == 9, Y[2], Y), split=parts(8, 9, 10, 11))
    task = SpdArraysTask(SpdArraysTask.Options(data=path, split="split"))
    (warning,) = [w for w in task.survey(0).warnings if "equal" in w]
    assert warning.startswith("1 of the 4 test samples equal a sample that is trained or")
    assert "number 9, from 0, equals number 2" in warning


def test_equal_samples_of_two_classes_are_told_of(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 255, (12, 8, 8), dtype=np.uint8)
    data[3] = data[2]
    path = tmp_path / "a.npz"
    np.savez(path, X=data, y=Y, split=parts(10, 11))
    task = ImageArraysTask(ImageArraysTask.Options(data=path, split="split"))
    (warning,) = [w for w in task.survey(0).warnings if "equal" in w]
    assert warning.startswith("1 samples equal another one that has another label (number ")


def test_a_file_in_two_folders_is_told_of(tmp_path: Path) -> None:
    drawing = np.random.default_rng(2)
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = drawing.integers(0, 255, (64, 64), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "test/cat/4.png").hardlink_to(tmp_path / "train/cat/0.png")
    task = ImageFolderTask(ImageFolderTask.Options(data=tmp_path))
    (warning,) = [w for w in task.survey(0).warnings if "equal" in w]
    assert warning.startswith("1 of the 9 test samples equal a sample")


def test_where_all_differ_nothing_is_said(tmp_path: Path) -> None:
    marks = marks_of_rows([SPD[:6], SPD[6:]])
    assert len(set(marks)) == 12
    assert warn_of_copies(marks, Y, split(8, 4)) == []
    path = tmp_path / "there"
    path.write_bytes(b"x")
    assert len(set(marks_of_files([path, tmp_path / "gone", tmp_path / "gone too"]))) == 3


def test_repeated_measurements_of_a_value_contradict_nothing() -> None:
    marks = marks_of_rows([np.ones((2, 3))])
    assert warn_of_copies(marks, np.array([0.1, 0.2]), split(2, 0)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_samples_that_are_copied_within_training_are_no_matter(count: int) -> None:
    marks = marks_of_rows([np.ones((count, 3)), np.zeros((1, 3))])
    labels = np.zeros(count + 1, dtype=np.int64)
    assert warn_of_copies(marks, labels, split(count, 1)) == []
