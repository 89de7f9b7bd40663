"""The task drone_radar: splits, recorded signals, and what it says of wrong ones."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from toolkit.errors import DataError
from toolkit.testing import check_task
from toolkit_drone.task import DroneRadarTask

SMALL = {"signals_per_class": 20, "test_signals": 10, "radar": {"samples": 200}}


def _task(**options: object) -> DroneRadarTask:
    return DroneRadarTask(DroneRadarTask.Options.model_validate(options))


def _recorded(count: int = 24, samples: int = 60, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, count, samples))
    return (noise[0] + 1j * noise[1]).astype(np.complex64)


def _archive(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def _rows(dataset: object) -> set[bytes]:
    return {row.numpy().tobytes() for row in dataset.tensors[0]}  # type: ignore[attr-defined]


def test_parts_are_stratified_disjoint_and_as_described(tmp_path: Path) -> None:
    task = _task(**SMALL)
    info, splits = task.info(), task.load(tmp_path, 0)
    test = splits.load_test()
    assert (info.kind, info.shape, info.classes, info.train_size) == ("spd", (1, 20, 20), 3, 30)
    assert info.class_names == ("helicopter", "quadrotor", "propeller")
    x, y = splits.train.tensors  # type: ignore[attr-defined]
    assert x.shape == (30, 1, 20, 20)
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    assert y.bincount().tolist() == [10, 10, 10]
    assert splits.val.tensors[1].bincount().tolist() == [5, 5, 5]  # type: ignore[attr-defined]
    assert test.tensors[1].bincount().tolist() == [4, 3, 3]  # type: ignore[attr-defined]
    parts = [_rows(splits.train), _rows(splits.val), _rows(test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 55


def test_the_real_embedding_loads_what_it_describes(tmp_path: Path) -> None:
    check_task(_task(**SMALL, covariance={"embedding": "real_embedding"}), tmp_path)


def test_equal_seeds_give_equal_splits_and_others_give_others(tmp_path: Path) -> None:
    task = _task(**SMALL)
    first, again, other = (task.load(tmp_path / str(seed), seed) for seed in (0, 0, 1))
    for part in ("train", "val"):
        for one, two in zip(
            getattr(first, part).tensors, getattr(again, part).tensors, strict=True
        ):
            assert torch.equal(one, two)
    assert not _rows(first.train) & _rows(other.train)


def test_without_fresh_signals_the_split_has_a_test_part(tmp_path: Path) -> None:
    splits = _task(**SMALL | {"test_signals": 0}).load(tmp_path, 0)
    test = splits.load_test()
    assert test.tensors[1].bincount().tolist() == [5, 5, 5]  # type: ignore[attr-defined]
    assert not _rows(test) & (_rows(splits.train) | _rows(splits.val))


def test_embedding_doubles_the_size(tmp_path: Path) -> None:
    task = _task(**SMALL, covariance={"embedding": "real_embedding", "window": 8, "hop": 4})
    assert task.info().shape == (1, 16, 16)
    assert task.load(tmp_path, 0).train[0][0].shape == (1, 16, 16)


def test_windows_of_several_lengths_give_one_matrix(tmp_path: Path) -> None:
    task = _task(**SMALL, covariance={"window": [8, 12], "hop": 4})
    assert task.info().shape == (1, 20, 20)
    splits = task.load(tmp_path, 0)
    assert splits.train[0][0].shape == (1, 20, 20)
    assert "windows of 8 and 12 samples" in splits.preparation
    with pytest.raises(ValidationError):
        _task(**SMALL, covariance={"window": []})


def test_windows_longer_than_simulated_signals_are_refused_before_anything_runs() -> None:
    with pytest.raises(DataError, match=r"signals have 45 samples; .* need at least 50"):
        _task(**{**SMALL, "radar": {"samples": 45}}, covariance={"window": 40}).info()


def test_groups_are_never_on_both_sides(tmp_path: Path) -> None:
    signals, groups = _recorded(), np.arange(24) % 3
    signals[groups == 2] *= 1e-3  # so that a group can be told from its matrices
    path = _archive(tmp_path / "a.npz", signals=signals, y=np.arange(24) // 12, groups=groups)
    for chosen, expected in (((), {2}), ((0, 1), {0, 1}), (("2",), {2})):
        task = _task(data=path, test_groups=chosen, covariance={"scale": "none"})
        splits = task.load(tmp_path, 0)
        test = splits.load_test()
        assert len(test) == 8 * len(expected)  # type: ignore[arg-type]
        assert _faint(test) == {2 in expected}
        assert _faint(splits.train) == _faint(splits.val) == {2 not in expected}
        assert task.info().train_size == len(splits.train)  # type: ignore[arg-type]


def _faint(dataset: object) -> set[bool]:
    return {bool(x.abs().max() < 1e-3) for x in dataset.tensors[0]}  # type: ignore[attr-defined]


def test_given_split_is_kept(tmp_path: Path) -> None:
    split = np.array(["train"] * 12 + ["val"] * 6 + ["test"] * 6)
    path = _archive(tmp_path / "a.npz", signals=_recorded(), y=np.arange(24) % 2, split=split)
    splits = _task(data=path).load(tmp_path, 5)
    assert [len(part) for part in (splits.train, splits.val, splits.load_test())] == [12, 6, 6]


def test_published_folder_is_read_by_label(tmp_path: Path) -> None:
    for number, signal in enumerate(_recorded(12)):
        np.save(tmp_path / f"signal_{number}_{number % 3 + 1}.npy", signal[:, None])
    task = _task(data=tmp_path)
    assert task.info().class_names == ("1", "2", "3")
    splits = task.load(tmp_path, 0)
    assert [len(part) for part in (splits.train, splits.val, splits.load_test())] == [6, 3, 3]


Y = np.arange(24) % 2


def _with(number: int, sample: int, value: complex) -> np.ndarray:
    signals = _recorded()
    signals[number, sample] = value
    return signals


CONSTANT = _recorded()
CONSTANT[7] = 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"signals": _recorded()}, "no array 'y'"),
        ({"signal": _recorded(), "y": Y}, "no array 'signals'.*Is it 'signal'"),
        ({"signals": _recorded().real, "y": Y}, "float32, not complex"),
        ({"signals": _recorded(23), "y": Y}, r"shape \(23, 60\), but 'y' has 24 labels"),
        ({"signals": _recorded(24, 25), "y": Y}, "25 samples.*at least 30.*shorter"),
        ({"signals": _with(3, 5, np.nan), "y": Y}, "Signal 3 of .* is .*nan.* at sample 5"),
        ({"signals": CONSTANT, "y": Y}, "Signal 7 of .* throughout"),
        ({"signals": _recorded(), "y": Y * 0}, "only the class '0'"),
        ({"signals": _recorded(), "y": Y + 0.5}, "Label 0 of 'y' is 0.5"),
        ({"signals": _recorded(), "y": [0] * 22 + [1] * 2}, "Class '1' has 2 samples"),
        ({"signals": _recorded(), "y": Y, "groups": Y[:5]}, r"groups have shape \(5,\)"),
        ({"signals": _recorded(), "y": Y, "groups": Y * 0}, "none for training"),
        ({"signals": _recorded(), "y": Y, "split": ["tain"] * 24}, "Entry 0 .* 'tain'"),
    ],
)
def test_wrong_archive_is_named_in_one_sentence(
    tmp_path: Path, arrays: dict[str, object], words: str
) -> None:
    path = _archive(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=words):
        _task(data=path).load(tmp_path, 0)


def test_unknown_test_group_is_answered_with_the_known(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.npz", signals=_recorded(), y=Y, groups=Y + 7)
    with pytest.raises(DataError, match=r"no group '3' to test on\. The groups are 7, 8"):
        _task(data=path, test_groups=[3]).info()


def test_missing_path_is_said_with_how_to_get_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data at .*nowhere.npz. Name a folder"):
        _task(data=tmp_path / "nowhere.npz").info()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (None, None, "holds no .npy file"),
        ("signal.npy", np.ones(60, complex), "signal.npy in .* ends in no label"),
        ("a_1.npy", np.ones((30, 2), complex), r"a_1.npy holds no vector: its shape is \(30, 2\)"),
        ("a_1.npy", np.ones(59, complex), "59 samples, but|60 samples, but"),
        ("a_1.npy", np.array([None]), "a_1.npy is no complete .npy file of numbers"),
        ("a_1.npy", np.ones(60), "a_1.npy is of type float64, not complex"),
    ],
)
def test_wrong_folder_is_named_in_one_sentence(
    tmp_path: Path, name: str | None, content: np.ndarray, words: str
) -> None:
    if name is not None:
        np.save(tmp_path / name, content)
        for number, signal in enumerate(_recorded(12)):
            np.save(tmp_path / f"s{number}_{number % 2}.npy", signal)
    with pytest.raises(DataError, match=words):
        _task(data=tmp_path).load(tmp_path, 0)


def test_new_signals_are_read_as_those_of_the_training_are(tmp_path: Path) -> None:
    np.save(tmp_path / "._a_1.npy", np.ones(3))
    for number, signal in enumerate(_recorded(4)):
        np.save(tmp_path / f"s{number}.npy", signal)
    (tmp_path / "s3.npy").rename(tmp_path / "s3.NPY")
    new = _task(data=tmp_path).new_inputs({})
    assert new is not None and list(new.names) == ["s0.npy", "s1.npy", "s2.npy", "s3.NPY"]
    flat = _archive(tmp_path / "a.npz", signals=_recorded(4)[0], y=Y)
    with pytest.raises(DataError, match=r"'signals' of .* has shape \(60,\), expected \(N, L\)"):
        _task(data=flat).new_inputs({})


@pytest.mark.skipif("TOOLKIT_DATA" not in os.environ, reason="needs rotor_radar.npz")
def test_real_radar_is_split_by_carrier(tmp_path: Path) -> None:
    task = _task(data=Path(os.environ["TOOLKIT_DATA"]) / "rotor_radar.npz")
    splits = task.load(tmp_path, 0)
    assert task.info().classes == 4
    assert len(splits.load_test()) == 500  # type: ignore[arg-type]


def test_recorded_groups_and_names_are_read_from_bytes(tmp_path: Path) -> None:
    groups = np.repeat([b"R1", b"R2", b"R3"], 8)
    arrays = {"signals": _recorded(24, 900), "y": Y.astype(float), "groups": groups}
    path = _archive(tmp_path / "a.npz", **arrays, class_names=[b"bird", b"drone"])
    task = _task(data=path, test_groups=["R2"])
    assert task.info().class_names == ("bird", "drone")
    survey = task.survey(0)
    assert survey.groups == {"train": ["R1", "R3"], "test": ["R2"]}
    assert survey.counts["test"] == {"bird": 4, "drone": 4}
    assert not survey.warnings


def test_doubtful_recordings_are_told_with_numbers(tmp_path: Path) -> None:
    path = _archive(
        tmp_path / "a.npz", signals=1e-6 * _recorded(), y=Y, session=np.arange(24) // 2 % 3
    )
    leak, rank, scale = _task(data=path, covariance={"scale": "none"}).survey(0).warnings
    assert "samples of 3 of its 3 values" in leak and "as the array 'groups'" in leak
    assert "have rank 8 of 20. The ridge (1e-05)" in rank  # real parts of 5 windows less their mean
    assert "a mean eigenvalue of" in scale


def test_hidden_recordings_are_skipped_and_endings_may_be_capital(tmp_path: Path) -> None:
    for number, signal in enumerate(_recorded(12)):
        with (tmp_path / f"s{number}_{number % 2}.NPY").open("wb") as stream:
            np.save(stream, signal)
    (tmp_path / "._s0_0.npy").write_bytes(b"left by a Mac")
    assert len(_task(data=tmp_path).load(tmp_path, 0).train) == 6  # type: ignore[arg-type]
