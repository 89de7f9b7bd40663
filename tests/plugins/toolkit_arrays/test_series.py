"""The task series_arrays: estimators, unequal lengths, and what it says of wrong series."""

import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.covariance import OAS, LedoitWolf

from toolkit.errors import DataError
from toolkit_arrays.estimators import covariances
from toolkit_arrays.series import SeriesArraysTask

Y = np.arange(12) % 2
RNG = np.random.default_rng(0)
SERIES = RNG.standard_normal((12, 3, 20)) @ np.diag(np.linspace(1, 2, 20))
LENGTHS = np.arange(5, 17)
RAGGED = np.concatenate([one[:, :end].T for one, end in zip(SERIES, LENGTHS, strict=True)])


def _task(**options: object) -> SeriesArraysTask:
    return SeriesArraysTask(SeriesArraysTask.Options.model_validate(options))


def _archive(folder: Path, **arrays: object) -> Path:
    path = folder / "a.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def _all(task: SeriesArraysTask, folder: Path) -> list[np.ndarray]:
    splits = task.load(folder, 0)
    parts = (splits.train, splits.val, splits.load_test())
    return [x.numpy()[0] for part in parts for x in part.tensors[0]]  # type: ignore[attr-defined]


def _stacked(task: SeriesArraysTask, folder: Path) -> np.ndarray:
    """All inputs (N, channels, n, n), in the order of the parts."""
    splits = task.load(folder, 0)
    parts = (splits.train, splits.val, splits.load_test())
    return np.concatenate([part.tensors[0].numpy() for part in parts])  # type: ignore[attr-defined]


def _same_set(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    order = [sorted(each, key=lambda matrix: matrix[0, 0]) for each in (found, expected)]
    return all(np.allclose(a, b, rtol=1e-12) for a, b in zip(*order, strict=True))


def test_equal_lengths_give_sample_covariances(tmp_path: Path) -> None:
    task = _task(data=_archive(tmp_path, X=SERIES, y=Y), ridge=0, scale="none")
    assert task.info().shape == (1, 3, 3)
    assert _same_set(_all(task, tmp_path), [np.cov(one) for one in SERIES])


def test_unequal_lengths_are_cut_where_they_say(tmp_path: Path) -> None:
    expected = [np.cov(one[:, :end]) for one, end in zip(SERIES, LENGTHS, strict=True)]
    padded = np.where(np.arange(20) < LENGTHS[:, None, None], SERIES, 1e6)
    for x in (RAGGED, padded):
        path = _archive(tmp_path, frames=x, y=Y, n=LENGTHS)
        task = _task(data=path, x="frames", lengths="n", ridge=0, scale="none")
        assert task.info().shape == (1, 3, 3)
        assert _same_set(_all(task, tmp_path), expected)


def test_shrinkage_is_that_of_scikit_learn() -> None:
    series = [np.ascontiguousarray(one.T) for one in SERIES]
    for name, estimator in (("ledoit_wolf", LedoitWolf()), ("oas", OAS())):
        found = covariances(series, name, ridge=0)  # type: ignore[arg-type]
        for one, matrix in zip(series, found, strict=True):
            assert np.allclose(matrix, estimator.fit(one).covariance_, rtol=1e-12)


def test_ridge_is_a_fraction_of_the_mean_variance() -> None:
    series = [SERIES[0].T]
    plain, ridged = (covariances(series, "sample", ridge)[0] for ridge in (0, 0.1))
    assert np.allclose(ridged - plain, 0.1 * np.trace(plain) / 3 * np.eye(3))


def test_fewer_samples_than_channels_are_usable_by_default(tmp_path: Path) -> None:
    wide = RNG.standard_normal((12, 8, 4))
    for estimator in ("sample", "ledoit_wolf", "oas"):
        matrices = _all(_task(data=_archive(tmp_path, X=wide, y=Y), estimator=estimator), tmp_path)
        assert min(np.linalg.eigvalsh(matrix)[0] for matrix in matrices) > 0
    with pytest.raises(DataError, match="Matrix 0 of 'covariances of X' is not positive definite"):
        _task(data=_archive(tmp_path, X=wide, y=Y), ridge=0).load(tmp_path, 0)


def test_separate_test_series_are_the_test_set(tmp_path: Path) -> None:
    path = _archive(tmp_path, x=RAGGED, y=Y, n=LENGTHS, tx=RAGGED[:11], ty=["0", "1"], tn=[5, 6])
    task = _task(data=path, x="x", lengths="n", test_x="tx", test_y="ty", test_lengths="tn")
    splits = task.load(tmp_path, 0)
    assert len(splits.load_test()) == 2  # type: ignore[arg-type]
    assert task.info().classes == 2


def _with(number: int, value: float) -> np.ndarray:
    series = SERIES.copy()
    series[number, 2, 7] = value
    return series


CONSTANT = SERIES.copy()
CONSTANT[9] = 4.0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": Y}, "no array 'X'"),
        ({"X": RAGGED, "y": Y}, "no lengths are given"),
        ({"X": RAGGED, "y": Y, "lengths": LENGTHS - 1}, "add up to 114, but it has 126 rows"),
        ({"X": RAGGED, "y": Y, "lengths": LENGTHS[1:]}, r"shape \(11,\) .* there are 12 labels"),
        ({"X": RAGGED, "y": Y, "lengths": LENGTHS * 1.0}, "type float64"),
        (
            {"X": RAGGED, "y": Y, "lengths": np.where(LENGTHS == 8, 1, LENGTHS)},
            "Series 3 of 'X' has 1 sample; a covariance needs two",
        ),
        ({"X": SERIES, "y": Y, "lengths": LENGTHS + 9}, "Series 7 .* has length 21.* to 20"),
        ({"X": _with(6, np.nan), "y": Y}, "Series 6 of 'X' is nan at time 7, channel 2"),
        ({"X": CONSTANT, "y": Y}, "Series 9 of 'X' is constant"),
        ({"X": SERIES[..., :1], "y": Y}, "Series 0 of 'X' has 1 samples"),
        ({"X": SERIES[:-1], "y": Y}, "holds 11 series, but there are 12 labels"),
        ({"X": SERIES * 1j, "y": Y}, "type complex128"),
        ({"X": SERIES[None], "y": Y}, "Series are read as"),
        ({"X": SERIES, "y": [0] * 10 + [1] * 2}, "Class '1' has 2 samples"),
    ],
)
def test_wrong_series_are_named_in_one_sentence(
    tmp_path: Path, arrays: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        _task(data=_archive(tmp_path, **arrays)).load(tmp_path, 0)


def test_lengths_that_are_named_must_be_there(tmp_path: Path) -> None:
    task = _task(data=_archive(tmp_path, X=SERIES, y=Y, n=Y), lengths="nn")
    with pytest.raises(DataError, match=r"no array 'nn'.*Is it 'n'"):
        task.load(tmp_path, 0)


def test_one_channel_has_no_correlations(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shape \(12, 1, 20\). Series of at least two channels"):
        _task(data=_archive(tmp_path, X=SERIES[:, :1], y=Y)).info()


@pytest.mark.skipif("TOOLKIT_DATA" not in os.environ, reason="needs the real data sets")
@pytest.mark.parametrize(
    ("file", "options", "sizes"),
    [
        ("eegmmidb_s001_21ch.npz", {"x": "x", "y": "label", "groups": "run"}, (21, 5)),
        (
            "japanesevowels.npz",
            {"x": "x_train", "y": "y_train", "lengths": "len_train", "test_x": "x_test"}
            | {"test_y": "y_test", "test_lengths": "len_test"},
            (12, 9),
        ),
        ("basicmotions.npz", {"x": "x_train", "y": "y_train", "lengths": "len_train"}, (6, 4)),
        ("msr_action3d.npz", {"x": "frames", "y": "labels", "split": "is_train"}, (60, 20)),
    ],
)
def test_real_data_sets_load(
    tmp_path: Path, file: str, options: dict[str, object], sizes: tuple[int, int]
) -> None:
    extra = {"classes": ["bothfists", "feet"]} if "eeg" in file else {}
    task = _task(data=Path(os.environ["TOOLKIT_DATA"]) / file, **options, **extra)
    info, splits = task.info(), task.load(tmp_path, 0)
    assert info.shape == (1, sizes[0], sizes[0])
    assert info.classes == (2 if extra else sizes[1])
    assert len(splits.load_test()) > 0  # type: ignore[arg-type]


def test_positions_relative_to_a_joint_lose_what_the_whole_body_does(tmp_path: Path) -> None:
    walk = np.cumsum(RNG.standard_normal((12, 1, 3, 20)), axis=-1)
    joints = RNG.standard_normal((12, 4, 3, 20))
    joints[:, 1] = 0
    still, moving = joints.reshape(12, 12, 20), (joints + 100 * walk).reshape(12, 12, 20)
    kept = np.delete(joints, 1, axis=1).reshape(12, 9, 20)
    task = _task(data=_archive(tmp_path, X=moving, y=Y), root_joint=1, ridge=0, scale="none")
    assert task.info().shape == (1, 9, 9)
    found, expected = _all(task, tmp_path), [np.cov(one) for one in kept]
    order = [sorted(each, key=lambda matrix: matrix[0, 0]) for each in (found, expected)]
    assert all(np.allclose(a, b, atol=1e-9) for a, b in zip(*order, strict=True))
    for joint, data in ((4, still), (1, SERIES)):
        bad = _task(data=_archive(tmp_path, X=data, y=Y), root_joint=joint)
        with pytest.raises(DataError, match=f"no joint {joint}"):
            bad.info()


def _eight_channels(count: int) -> np.ndarray:
    return RNG.standard_normal((count, 3, 20))


def test_labels_are_merged_into_classes_and_others_left_out(tmp_path: Path) -> None:
    labels = np.array(["rest", "left", "right", "feet"] * 6)
    data = _archive(tmp_path, X=_eight_channels(24), y=labels)
    task = _task(data=data, merge={"still": ["rest"], "hand": ["left", "right"]})
    info, splits = task.info(), task.load(tmp_path, 0)
    assert info.class_names == ("hand", "still")
    parts = (splits.train, splits.val, splits.load_test())
    counts = np.bincount(np.concatenate([part.tensors[1] for part in parts]))  # type: ignore[attr-defined]
    assert counts.tolist() == [12, 6]


def test_validation_groups_are_whole(tmp_path: Path) -> None:
    runs = np.repeat([3, 4, 5, 6], 6)
    series = _eight_channels(24)
    data = _archive(tmp_path, X=series, y=np.arange(24) % 2, run=runs)
    task = _task(data=data, groups="run", val_groups=[4], test_groups=[3], ridge=0, scale="none")
    splits = task.load(tmp_path, 0)
    for part, groups in ((splits.train, [5, 6]), (splits.val, [4]), (splits.load_test(), [3])):
        found = [x.numpy()[0] for x in part.tensors[0]]  # type: ignore[attr-defined]
        assert _same_set(found, [np.cov(one) for one in series[np.isin(runs, groups)]])
    default = _task(data=data, groups="run", val_groups=[4]).load(tmp_path, 0)
    assert len(default.load_test()) == 6  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"merge": {"a": [0], "b": [7]}}, "No sample of .* is labelled '7'"),
        ({"merge": {"a": [0, 1]}}, "only the class 'a'"),
        ({"groups": "run", "val_groups": [9]}, "no group '9'"),
        ({"groups": "run", "val_groups": [6]}, "'6' is for validation and for testing"),
        ({"groups": "run", "val_groups": [3, 4, 5]}, "All groups .* none for training"),
        ({"val_groups": [3]}, "val_groups are 3, but there are no groups"),
        ({"groups": "run", "split": "is", "val_groups": [3]}, "but a given split says"),
    ],
)
def test_labels_and_groups_that_do_not_fit_are_named(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    extra = {"is": np.arange(24) % 3 > 0} if "split" in options else {}
    runs = np.repeat([3, 4, 5, 6], 6)
    data = _archive(tmp_path, X=_eight_channels(24), y=np.arange(24) % 2, run=runs, **extra)
    with pytest.raises(DataError, match=words):
        _task(data=data, **options).load(tmp_path, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"merge": {"a": [0], "b": [0]}}, "names the label '0' twice"),
        ({"merge": {"a": [0], "b": []}}, "a class without labels"),
        ({"merge": {"a": [0], "b": [1]}, "classes": [0, 1]}, "classes must be left out"),
    ],
)
def test_merging_is_checked_before_anything_is_read(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        _task(data="nothing.npz", **options)


def test_a_band_keeps_its_frequencies_alone(tmp_path: Path) -> None:
    time = np.arange(400) / 100
    slow, inside = np.sin(2 * np.pi * 2 * time), np.sin(2 * np.pi * 12 * time)
    noise = 1e-3 * RNG.standard_normal((12, 2, 400))
    series = noise + np.stack([5 * slow + inside, inside])
    task = _task(
        data=_archive(tmp_path, X=series, y=Y), band=[8, 20], rate=100, ridge=0, scale="none"
    )
    # Both rows hold one oscillation of variance 1/2; its ends suffer from the filter.
    for matrix in _all(task, tmp_path):
        assert np.allclose(matrix, 0.5, atol=0.03)
    assert "8 to 20 Hz" in task.load(tmp_path, 0).preparation


def test_bands_of_a_filter_bank_are_channels(tmp_path: Path) -> None:
    series = np.random.default_rng(0).standard_normal((12, 2, 400))
    data, bands = _archive(tmp_path, X=series, y=Y), [[8, 12], [12, 30]]
    bank = _task(data=data, band=bands, rate=100, scale="none")
    assert bank.info().shape == (2, 2, 2)
    alone = [_stacked(_task(data=data, band=b, rate=100, scale="none"), tmp_path) for b in bands]
    assert np.allclose(_stacked(bank, tmp_path), np.concatenate(alone, axis=1))
    assert "from 8 to 12 Hz and from 12 to 30 Hz" in bank.load(tmp_path, 0).preparation
    with pytest.raises(ValidationError, match="lower frequency comes first"):
        _task(data=data, band=[[8, 12], [30, 12]], rate=100)


def test_windows_of_series_are_channels(tmp_path: Path) -> None:
    halves = [[0, 0.5], [0.5, 1]]
    task = _task(data=_archive(tmp_path, X=SERIES, y=Y), windows=halves, scale="none", ridge=0)
    assert task.info().shape == (2, 3, 3)
    found = _stacked(task, tmp_path)
    for channel, part in enumerate((SERIES[..., :10], SERIES[..., 10:])):
        expected = [np.cov(one) for one in part]
        assert _same_set(list(found[:, channel]), expected)
    assert "from 0 to 0.5 and from 0.5 to 1 of its length" in task.load(tmp_path, 0).preparation
    with pytest.raises(DataError, match="Of series 0 of 'X' the window from 0 to"):
        _task(data=_archive(tmp_path, X=SERIES, y=Y), windows=[[0, 0.05]]).load(tmp_path, 0)
    with pytest.raises(ValidationError, match="ends before it begins"):
        _task(data=_archive(tmp_path, X=SERIES, y=Y), windows=[[0.5, 0.2]])


def test_the_mean_may_stand_beside_the_covariance(tmp_path: Path) -> None:
    data = _archive(tmp_path, X=SERIES, y=Y)
    plain = _stacked(_task(data=data, ridge=0.1, scale="none"), tmp_path)[:, 0]
    task = _task(data=data, ridge=0.1, scale="none", mean=0.5)
    n = plain.shape[-1]
    assert task.info().shape == (1, n + 1, n + 1)
    embedded = _stacked(task, tmp_path)[:, 0]
    means = embedded[:, :n, n]
    assert np.allclose(embedded[:, n, n], 1)
    assert np.allclose(embedded[:, :n, :n], plain + means[:, :, None] * means[:, None])
    expected = 0.5 * SERIES.mean(-1)
    assert np.allclose(sorted(means[:, 0]), sorted(expected[:, 0]))
    assert "[[C + 0.5^2 mm', 0.5 m], [., 1]]" in task.load(tmp_path, 0).preparation


def test_a_band_must_fit_the_series(tmp_path: Path) -> None:
    data = _archive(tmp_path, X=SERIES, y=Y)
    with pytest.raises(DataError, match="does not lie below half the rate of 30"):
        _task(data=data, band=[8, 20], rate=30).load(tmp_path, 0)
    with pytest.raises(DataError, match="Series 0 has 20 samples; this filter needs 28"):
        _task(data=data, band=[8, 20], rate=100).load(tmp_path, 0)
    with pytest.raises(ValidationError, match="band needs the rate"):
        _task(data=data, band=[8, 20])
    with pytest.raises(ValidationError, match="lower frequency comes first"):
        _task(data=data, band=[20, 8], rate=100)


def test_refit_trains_on_validation_as_well_and_never_on_test(tmp_path: Path) -> None:
    data = _archive(tmp_path, X=SERIES, y=Y)
    plain, refit = (_task(data=data, refit=flag) for flag in (False, True))
    sizes = [[len(part) for part in _split(task, tmp_path)] for task in (plain, refit)]
    assert sizes == [[6, 4, 2], [10, 4, 2]]
    assert refit.info().train_size == 10
    assert np.array_equal(_split(plain, tmp_path)[2], _split(refit, tmp_path)[2])


def _split(task: SeriesArraysTask, folder: Path) -> list[np.ndarray]:
    splits = task.load(folder, 0)
    parts = (splits.train, splits.val, splits.load_test())
    return [part.tensors[1].numpy() for part in parts]  # type: ignore[attr-defined]


def test_new_channels_in_another_order_are_refused_where_they_are_named(tmp_path: Path) -> None:
    from toolkit_arrays.channels import check_channels

    known = ["Fz", "Cz", "Pz"]
    for fine in (None, known, ["FZ", "CZ", "PZ"]):
        check_channels(fine, known)
        check_channels(fine, None)
    with pytest.raises(DataError, match="in another order, Cz, Pz, Fz, than") as told:
        check_channels(["Cz", "Pz", "Fz"], known)
    assert told.value.hint.startswith("Put them in that order: [2, 0, 1]")
    with pytest.raises(DataError, match="Channel 1 of the new data is 'Oz', and was 'Cz'"):
        check_channels(["Fz", "Oz", "Pz"], known)
    names = {"ch_names": [b"Fz", b"Cz", b"Pz"]}
    fitted = _task(data=_archive(tmp_path, X=SERIES, y=Y, **names)).load(tmp_path, 0).fitted
    assert fitted["channels"] == known and fitted["lengths"] == [20, 20]
    plain = _task(data=_archive(tmp_path, X=SERIES[:2])).new_inputs(fitted)
    assert len(plain.inputs) == 2 and not plain.warnings
    turned = _archive(tmp_path, X=SERIES[:2, ::-1], channel_names=known[::-1])
    with pytest.raises(DataError, match="in another order, Pz, Cz, Fz"):
        _task(data=turned).new_inputs(fitted)
