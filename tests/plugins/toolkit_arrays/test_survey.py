"""What archives and folders are said to hold before anything runs, and names in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.contracts import Survey
from toolkit.errors import DataError
from toolkit.testing import check_task
from toolkit_arrays.series import SeriesArraysTask
from toolkit_arrays.spd import SpdArraysTask

RNG = np.random.default_rng(0)
Y = np.arange(48) % 2
PEOPLE = np.repeat(np.arange(1, 5), 12)


def _matrices(count: int = 48, size: int = 4, rank: int = 8) -> np.ndarray:
    factor = RNG.standard_normal((count, size, rank))
    return factor @ factor.swapaxes(1, 2)


def _spd(folder: Path, arrays: dict[str, object], **options: object) -> SpdArraysTask:
    np.savez(folder / "a.npz", **{"X": _matrices(), "y": Y, **arrays})  # type: ignore[arg-type]
    return SpdArraysTask(
        SpdArraysTask.Options.model_validate({"data": folder / "a.npz", **options})
    )


def _series(folder: Path, arrays: dict[str, object], **options: object) -> SeriesArraysTask:
    np.savez(folder / "a.npz", **{"y": Y, **arrays})  # type: ignore[arg-type]
    given = {"data": folder / "a.npz", **options}
    return SeriesArraysTask(SeriesArraysTask.Options.model_validate(given))


def _sizes(survey: Survey) -> list[int]:
    return [sum(survey.counts[part].values()) for part in ("train", "val", "test")]


@pytest.mark.parametrize("options", [{}, {"refit": True}, {"split_ratio": (3, 1, 2)}])
def test_what_is_counted_is_what_is_loaded(tmp_path: Path, options: dict[str, object]) -> None:
    check_task(_spd(tmp_path, {"groups": PEOPLE}, **options), tmp_path, seed=3)
    check_task(_series(tmp_path, {"X": RNG.standard_normal((48, 3, 9))}, **options), tmp_path)


@pytest.mark.parametrize(
    "stored",
    [PEOPLE, PEOPLE.astype(float), PEOPLE.astype("S"), PEOPLE.astype("U"), PEOPLE.astype(np.uint8)],
)
@pytest.mark.parametrize("wanted", [2, 2.0, "2"])
def test_groups_are_named_alike_however_they_are_stored(
    tmp_path: Path, stored: np.ndarray, wanted: object
) -> None:
    last = _spd(tmp_path, {"groups": stored}).survey(0)
    assert last.groups == {"train": ["1", "2", "3"], "test": ["4"]}
    chosen = _spd(tmp_path, {"groups": stored}, test_groups=[wanted], val_groups=[3.0])
    assert chosen.survey(0).groups == {"train": ["1", "4"], "val": ["3"], "test": ["2"]}
    assert len(chosen.load(tmp_path, 0).load_test()) == 12  # type: ignore[arg-type]


@pytest.mark.parametrize("stored", [Y, Y.astype(float), Y.astype("S"), np.char.mod("%.1f", Y)])
def test_labels_are_named_alike_however_they_are_stored(tmp_path: Path, stored: np.ndarray) -> None:
    for options in ({"classes": [0, 1.0]}, {"merge": {"a": [0.0], "b": ["1"]}}):
        task = _spd(tmp_path, {"y": stored}, **options)
        assert _sizes(task.survey(0)) == [24, 12, 12]


def test_words_keep_their_classes_and_numbers_take_listed_names(tmp_path: Path) -> None:
    words = np.array(["left", "right"])[Y]
    for listed in (["right", "left"], np.array(["right", "left"], "S")):
        task = _spd(tmp_path, {"y": words, "class_names": listed})
        assert task.info().class_names == ("left", "right")
        numbered = _spd(tmp_path, {"y": Y.astype(float), "class_names": listed})
        assert numbered.info().class_names == ("right", "left")
        assert _spd(tmp_path, {"class_names": listed}, classes=["left", 0]).info().classes == 2
    with pytest.raises(DataError, match="which is not among 'class_names': links, rechts"):
        _spd(tmp_path, {"y": words, "class_names": ["links", "rechts"]}).info()
    with pytest.raises(DataError, match="'class_names' names 2 classes, 0 to 1"):
        _spd(tmp_path, {"y": Y + 1, "class_names": ["left", "right"]}).info()


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"y": np.where(Y, 1, np.nan)}, {}, "Label 0 of 'y' is nan"),
        ({"groups": np.where(Y, 1, np.nan)}, {}, "Entry 0 of the groups is nan"),
        ({"groups": np.where(Y, 1, np.nan)}, {"val_groups": [1]}, "Entry 0 of 'groups' is nan"),
        ({"groups": np.where(Y, "a", "nan")}, {}, "Entry 0 of the groups is 'nan'"),
        ({"t": _matrices(0), "ty": Y[:0]}, {"test_x": "t", "test_y": "ty"}, "'ty' holds no label"),
        ({"split": np.repeat([b"train", b"tset"], 24)}, {}, "Entry 24 of the split is 'tset'"),
        (
            {"t": _matrices(4), "ty": [0, 1, 2, 2]},
            {"test_x": "t", "test_y": "ty"},
            "Class '2' has samples in the test part alone",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_runs(
    tmp_path: Path, arrays: dict[str, object], options: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        _spd(tmp_path, arrays, **options).info()


def test_a_split_in_bytes_is_a_split(tmp_path: Path) -> None:
    split = np.array([b"Training", b"valid ", b"TEST"])[np.arange(48) // 2 % 3]
    assert _sizes(_spd(tmp_path, {"split": split}).survey(0)) == [16, 16, 16]


@pytest.mark.parametrize("name", ["subject", "Subjects", "session", "run", "patient_id", "trials"])
def test_an_unused_array_of_people_is_named_with_the_line_to_add(tmp_path: Path, name: str) -> None:
    (warning,) = _spd(tmp_path, {name: PEOPLE.astype("S")}).survey(0).warnings
    assert f"holds the array {name!r}, which no option uses: samples of 4 of its 4" in warning
    assert f"`groups: {name}`" in warning
    assert not _spd(tmp_path, {name: PEOPLE}, groups=name).survey(0).warnings


def test_arrays_that_the_division_respects_or_uses_are_not_named(tmp_path: Path) -> None:
    whole = np.repeat(["train", "train", "val", "test"], 12)
    assert not _spd(tmp_path, {"subject": PEOPLE, "split": whole}).survey(0).warnings
    broken = np.array(["train", "val", "test"])[np.arange(48) // 2 % 3]
    (warning,) = _spd(tmp_path, {"subject": PEOPLE, "split": broken}).survey(0).warnings
    assert "Give a split that keeps them whole" in warning
    for unlike in (np.arange(48), PEOPLE[:4]):
        assert not _spd(tmp_path, {"trial": unlike}).survey(0).warnings
    within = {"groups": PEOPLE, "session": np.arange(48) % 3}
    assert not _spd(tmp_path, within).survey(0).warnings, "sessions lie within their groups"


def _only_warning(task: SpdArraysTask | SeriesArraysTask) -> str:
    (warning,) = task.survey(0).warnings
    return warning


def test_more_channels_than_samples_are_told_with_both_numbers(tmp_path: Path) -> None:
    series = RNG.standard_normal((48, 30, 6))
    swapped = _only_warning(_series(tmp_path, {"X": series}))
    assert "48 of the 48 series of 'X' have more channels than samples" in swapped
    assert "30 channels of 6 samples" in swapped and "at most rank 5 of 30" in swapped
    assert "X.transpose(0, 2, 1)" in swapped
    lengths = np.where(np.arange(48) < 3, 4, 30)
    some = _only_warning(_series(tmp_path, {"X": series.swapaxes(1, 2)[:, :6], "lengths": lengths}))
    assert "3 of the 48 series" in some and "6 channels of 4 samples" in some
    assert not _series(tmp_path, {"X": series.swapaxes(1, 2)}).survey(0).warnings


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_rank_that_a_ridge_hides_is_told(tmp_path: Path, kind: type) -> None:
    series = RNG.standard_normal((48, 6, 50))
    averaged = (series - series.mean(axis=1, keepdims=True)).astype(kind)
    warning = _only_warning(_series(tmp_path, {"X": averaged}))
    assert "48 of the 48 covariances of 'X' looked at have rank 5 of 6" in warning
    assert "The ridge (0.001) fills the rest" in warning
    thin = {"X": _matrices(rank=3).astype(kind)}
    assert "have rank 3 of 4" in _only_warning(_spd(tmp_path, thin, ridge=1e-3))
    assert not _series(tmp_path, {"X": series.astype(kind)}).survey(0).warnings
    assert not _spd(tmp_path, {}, ridge=1e-3).survey(0).warnings


def test_a_ridge_that_matrices_came_with_is_told(tmp_path: Path) -> None:
    ridged = _matrices(size=9, rank=5) + 1e-3 * np.eye(9)
    warning = _only_warning(_spd(tmp_path, {"X": ridged}))
    assert "have 4 of 9 eigenvalues in common, 0.001 at most" in warning
    assert "matrices of rank 5" in warning


def test_volts_without_a_scale_are_told(tmp_path: Path) -> None:
    volts = 1e-6 * RNG.standard_normal((48, 6, 500))
    warning = _only_warning(_series(tmp_path, {"X": volts}, scale="none"))
    assert "a mean eigenvalue of 1e-12" in warning
    assert not _series(tmp_path, {"X": volts}).survey(0).warnings
    factors = np.linspace(0.999, 1.001, 48)[:, None, None]
    tiny = {"X": factors * np.diag([1.0, 2, 3, 6]) * 1e-12}
    assert "of 3e-12" in _only_warning(_spd(tmp_path, tiny, scale="none"))


def _folder(root: Path, parts: dict[str, int], ending: str = "npy") -> Path:
    for level, (part, each) in enumerate(parts.items()):
        for label in "ab":
            folder = root / part / label
            folder.mkdir(parents=True)
            for number in range(each):
                with (folder / f"{number}.{ending}").open("wb") as stream:
                    np.save(stream, (1 + level) * np.eye(3))
    return root


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Train", "VALID", "Testing")])
def test_all_three_parts_of_a_folder_are_what_they_are_called(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    data = _folder(tmp_path, dict(zip(names, (6, 3, 2), strict=True)), "NPY")
    task = SpdArraysTask(SpdArraysTask.Options.model_validate({"data": data, "scale": "none"}))
    splits = task.load(tmp_path, 0)
    found = [
        {float(x[0, 0, 0]) for x, _ in p} for p in (splits.train, splits.val, splits.load_test())
    ]  # type: ignore[attr-defined]
    assert found == [{1}, {2}, {3}]
    assert _sizes(task.survey(0)) == [12, 6, 4]


def test_a_folder_without_test_is_tested_on_its_validation_part(tmp_path: Path) -> None:
    data = _folder(tmp_path, {"train": 6, "val": 3})
    task = SpdArraysTask(
        SpdArraysTask.Options.model_validate({"data": data, "split_ratio": (2, 1, 1)})
    )
    assert _sizes(task.survey(0)) == [8, 4, 6]
    (data / "train" / "c").mkdir()
    with pytest.raises(DataError, match="train/c gives no class: it holds nothing"):
        task.survey(0)


def test_arrays_of_people_that_cannot_be_looked_at_are_named(tmp_path: Path) -> None:
    (column,) = _spd(tmp_path, {"subject": PEOPLE[:, None]}).survey(0).warnings
    assert "subject.ravel()" in column
    (objects,) = _spd(tmp_path, {"subject": PEOPLE.astype(object)}).survey(0).warnings
    assert "subject.astype(str)" in objects


def test_test_samples_that_no_option_uses_are_named(tmp_path: Path) -> None:
    more = {"X_test": _matrices(8), "y_test": Y[:8]}
    (text,) = _spd(tmp_path, more).survey(0).warnings
    assert "`test_x: X_test`" in text and "`test_y: y_test`" in text
    assert not _spd(tmp_path, more, test_x="X_test", test_y="y_test").survey(0).warnings


def test_groups_that_look_alike_are_warned_of(tmp_path: Path) -> None:
    names = np.array(["", "S1", "s1", "S2", "S3"])[PEOPLE]
    (text,) = _spd(tmp_path, {"groups": names}).survey(0).warnings
    assert "'S1' and 's1' are taken for 2 groups" in text


def test_classes_that_are_listed_and_not_there_are_warned_of(tmp_path: Path) -> None:
    (text,) = _spd(tmp_path, {"class_names": np.array(["a", "b", "c"])}).survey(0).warnings
    assert "No sample is of 'c'" in text


def test_what_classes_leaves_is_said_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="classes keeps the class '1' alone"):
        _spd(tmp_path, {}, classes=["1"]).survey(0)
    with pytest.raises(DataError, match="The labels are 0, 1, and the classes are l, r"):
        _spd(tmp_path, {"class_names": np.array(["l", "r"])}, classes=["left"]).survey(0)


def test_no_series_and_series_of_one_sample_are_answered(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no series"):
        _series(tmp_path, {"X": np.empty((0, 3, 9))}).new_inputs({"scale": 1.0})
    with pytest.raises(DataError, match="has 1 sample"):
        _series(tmp_path, {"X": RNG.standard_normal((48, 3, 1))}).new_inputs({"scale": 1.0})


def test_folders_whose_names_are_one_number_stay_two_classes(tmp_path: Path) -> None:
    for name in ("01", "1", "2"):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(6):
            np.save(folder / f"{number}.npy", np.eye(3) * (1 + number))
    task = SpdArraysTask(SpdArraysTask.Options(data=tmp_path))
    assert task.info().class_names == ("01", "1", "2")
