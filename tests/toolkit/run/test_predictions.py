"""Predictions that final trainings leave, read back as a confusion of classes."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from toolkit.run.predictions import by_group, confusion, held_out_of, hits, values_of
from toolkit.run.weights import HELD_OUT


def write(path: Path, labels: np.ndarray, scores: np.ndarray) -> Path:
    half = len(labels) // 2
    part = np.array(["val"] * half + ["test"] * (len(labels) - half))
    np.savez(path, part=part, index=np.arange(len(labels)), label=labels, scores=scores)
    return path


def test_a_confusion_is_scikit_learns_over_all_trainings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels, files = rng.integers(0, 4, 200), []
    true, taken = [], []
    for number in range(3):
        scores = rng.normal(size=(200, 4)) + 2 * np.eye(4)[labels]
        files.append(write(tmp_path / f"{number}.npz", labels, scores))
        true.append(labels[100:])
        taken.append(scores[100:].argmax(axis=1))
    found = confusion(files)
    assert found is not None
    y, z = np.concatenate(true), np.concatenate(taken)
    np.testing.assert_array_equal(found.counts, confusion_matrix(y, z))
    precision, recall, f1, _ = precision_recall_fscore_support(y, z)
    np.testing.assert_allclose(found.precision, precision)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.recall, recall)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.f1, f1)  # type: ignore[arg-type]


def test_a_class_that_is_never_named_has_no_precision(tmp_path: Path) -> None:
    labels = np.array([0, 1, 0, 1])
    found = confusion([write(tmp_path / "p.npz", labels, np.tile([1.0, 0.0, 0.0], (4, 1)))])
    assert found is not None
    assert found.counts == ((1, 0, 0), (1, 0, 0), (0, 0, 0))
    assert (found.precision, found.recall) == ([0.5, None, None], [1.0, 0.0, None])
    assert found.f1 == [pytest.approx(2 / 3), None, None]


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04"])
def test_what_is_no_such_file_is_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    assert confusion([tmp_path / "p.npz", tmp_path / "absent.npz"]) is None
    np.savez(tmp_path / "odd.npz", part=["test"], label=[7], scores=np.zeros((1, 2)))
    assert confusion([tmp_path / "odd.npz"]) is None
    np.savez(tmp_path / "code.npz", part=np.array([print], dtype=object))
    assert confusion([tmp_path / "code.npz"]) is None


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["fifo", "loop", "link", "bomb"])
def test_a_file_from_elsewhere_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    folder, labels = tmp_path / "trial", np.array([0, 1, 0, 1])
    folder.mkdir()
    path = folder / f"{HELD_OUT}1.npz"
    other = write(tmp_path / "other.npz", labels, np.eye(2)[labels])
    assert confusion([other]) is not None
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("part.npy", b"0")
        content = bytearray(path.read_bytes())
        place = content.rindex(b"PK\x01\x02") + 24  # The size that the directory tells.
        content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
        path.write_bytes(content)
    else:
        path.symlink_to(path if kind == "loop" else other)
    assert confusion([path]) is values_of([path]) is None
    assert hits([path]) == by_group([path]) == held_out_of(folder) == []
