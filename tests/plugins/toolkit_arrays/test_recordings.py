"""`recordings`: series or matrices, and what of them is refused or warned of, in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.errors import DataError
from toolkit.problem.source import DataSource
from toolkit.recipe.schema import Validation
from toolkit_arrays.recordings import RecordingsTask
from toolkit_arrays.series import SeriesArraysTask

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(24, 3, 20))
LABELS = np.arange(24) % 2
GROUPS = np.arange(24) // 6


def task(path: Path, **arrays: Any) -> RecordingsTask:
    np.savez(path / "mine.npz", **{"X": SERIES, "y": LABELS, **arrays})
    return RecordingsTask(RecordingsTask.Options(data=path / "mine.npz"))


def source(own: RecordingsTask, **asked: Any) -> DataSource:
    return DataSource("key", own, own.info(), 0, Validation(**asked))


def test_what_is_square_and_symmetric_is_matrices(tmp_path: Path) -> None:
    matrices = SERIES @ SERIES.swapaxes(1, 2)
    assert task(tmp_path).info().kind == "series"
    assert task(tmp_path, groups=GROUPS).info().kind == "grouped_series"
    assert task(tmp_path, X=matrices).info().kind == "spd"
    assert task(tmp_path, X=matrices, groups=GROUPS).info().kind == "grouped_spd"
    assert task(tmp_path, X=matrices.astype(np.complex64)).info().kind == "spd"
    assert task(tmp_path, X=SERIES[:, :, :3]).info().kind == "series", "square is not enough"


def test_series_are_handed_over_as_they_are(tmp_path: Path) -> None:
    lengths = np.arange(24) % 5 + 10
    own = task(tmp_path, lengths=lengths, groups=GROUPS)
    info = own.info()
    assert (info.shape, info.shortest) == ((4, 14), 10)
    splits = own.load(tmp_path, 0)
    inputs, labels = splits.train.tensors
    assert inputs.shape[1:] == info.shape and len(labels) == info.train_size
    finite = inputs.isfinite().all(1).sum(1)
    for one, length, index in zip(inputs, finite.tolist(), splits.train.index, strict=True):
        assert length == lengths[index]
        np.testing.assert_array_equal(one[:3, :length], SERIES[index][:, :length])
        assert set(one[3, :length].tolist()) == {1.0 + GROUPS[index]}


def test_two_groups_leave_one_to_learn_from_and_folds_are_stratified(tmp_path: Path) -> None:
    own = source(task(tmp_path, groups=np.arange(24) // 12), folds=5)
    assert own.folds_in_words() == "5 folds, stratified"
    asked = source(task(tmp_path, groups=np.arange(24) // 12), groups=True)
    with pytest.raises(DataError, match=r"validation: .*group"):
        asked.load_folds()


def test_one_group_cannot_be_tested_on_others(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="group"):
        task(tmp_path, groups=np.zeros(24, int)).load(tmp_path, 0)


def test_a_group_may_miss_a_class(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[GROUPS == 0] = 0
    folds = source(task(tmp_path, y=labels, groups=GROUPS), folds=5).load_folds()
    assert len(folds) == 3
    assert sorted(len(set(fold.val.tensors[1].tolist())) for fold in folds) == [1, 2, 2]


def test_a_class_of_fewer_samples_than_folds_makes_them_fewer(tmp_path: Path) -> None:
    labels = np.array([0] * 16 + [1] * 8)
    labels[23] = 1
    own = source(task(tmp_path, y=labels), folds=5)
    assert own.folds_in_words() in {"5 folds, stratified", "4 folds, stratified"}
    with pytest.raises(DataError, match=r"validation: .*(sample|class)"):
        source(task(tmp_path, y=np.array([0] * 20 + [1] * 4)), stratified=9).load_folds()


def test_epochs_with_holes_are_named(tmp_path: Path) -> None:
    holes = SERIES.copy()
    holes[7, 1, 4] = np.nan
    with pytest.raises(DataError, match="Series 7 of 'X' is nan at time 4, channel 1"):
        task(tmp_path, X=holes).load(tmp_path, 0)
    still = SERIES.copy()
    still[5] = 2.0
    with pytest.raises(DataError, match="Series 5 of 'X' is constant"):
        task(tmp_path, X=still).load(tmp_path, 0)


def test_a_constant_channel_is_no_fault(tmp_path: Path) -> None:
    still = SERIES.copy()
    still[:, 1] = 2.0
    assert task(tmp_path, X=still).load(tmp_path, 0).train.tensors[0].isfinite().all()


def test_how_covariances_are_made_is_left_to_the_space() -> None:
    with pytest.raises(ValueError, match="ridge is about matrices, and output is series"):
        SeriesArraysTask.Options(data="x.npz", output="series", ridge=0.5)
