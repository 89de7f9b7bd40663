"""The task spd_arrays: real and complex matrices, and what it says of wrong ones."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from toolkit.errors import DataError
from toolkit_arrays.spd import SpdArraysTask

Y = np.arange(24) % 3


def _task(**options: object) -> SpdArraysTask:
    return SpdArraysTask(SpdArraysTask.Options.model_validate(options))


def _matrices(*shape: int, complex_valued: bool = False) -> np.ndarray:
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((*shape, 8))
    if complex_valued:
        factor = factor + 1j * rng.standard_normal(factor.shape)
    return factor @ factor.swapaxes(-1, -2).conj()


def _archive(folder: Path, **arrays: object) -> Path:
    path = folder / "a.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_three_dimensional_matrices_have_one_channel(tmp_path: Path) -> None:
    matrices, names = _matrices(24, 4), np.array(["rest", "left", "right"])
    task = _task(data=_archive(tmp_path, X=matrices, y=names[Y]), scale="none")
    info, splits = task.info(), task.load(tmp_path, 0)
    assert (info.kind, info.shape, info.classes, info.train_size) == ("spd", (1, 4, 4), 3, 12)
    assert info.class_names == ("left", "rest", "right")
    x, y = splits.train.tensors  # type: ignore[attr-defined]
    assert (x.dtype, y.dtype, x.shape) == (torch.float64, torch.int64, (12, 1, 4, 4))
    for matrix, label in zip(x, y, strict=True):
        (origin,) = np.flatnonzero((matrices == matrix.numpy()[0]).all(axis=(1, 2)))
        assert info.class_names[label] == names[Y[origin]]


def test_channels_are_kept(tmp_path: Path) -> None:
    task = _task(data=_archive(tmp_path, X=_matrices(24, 2, 4), y=Y))
    assert task.info().shape == (2, 4, 4)
    assert task.load(tmp_path, 0).load_test()[0][0].shape == (2, 4, 4)


def test_hermitian_matrices_become_real(tmp_path: Path) -> None:
    matrices = _matrices(24, 4, complex_valued=True)
    path = _archive(tmp_path, X=matrices, y=Y)
    split = {"scale": "none"}
    real = _task(data=path, **split).load(tmp_path, 0).train.tensors[0]  # type: ignore[attr-defined]
    task = _task(data=path, embedding="real_embedding", **split)
    double = task.load(tmp_path, 0).train.tensors[0]  # type: ignore[attr-defined]
    assert task.info().shape == (1, 8, 8)
    for small, large in zip(real[:, 0].numpy(), double[:, 0].numpy(), strict=True):
        (origin,) = np.flatnonzero(np.isclose(matrices.real, small).all(axis=(1, 2)))
        values = np.repeat(np.linalg.eigvalsh(matrices[origin]), 2)
        assert np.allclose(np.linalg.eigvalsh(large), values)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e6])
def test_the_unit_of_the_data_does_not_matter(tmp_path: Path, unit: float) -> None:
    task = _task(data=_archive(tmp_path, X=unit * _matrices(24, 4), y=Y))
    x = task.load(tmp_path, 0).train.tensors[0]  # type: ignore[attr-defined]
    assert float(x.diagonal(dim1=-1, dim2=-2).mean()) == pytest.approx(1, rel=1e-12)


def test_trace_scale_makes_every_mean_eigenvalue_one(tmp_path: Path) -> None:
    task = _task(data=_archive(tmp_path, X=_matrices(24, 4), y=Y), scale="trace")
    x = task.load(tmp_path, 0).train.tensors[0]  # type: ignore[attr-defined]
    assert torch.allclose(x.diagonal(dim1=-1, dim2=-2).mean(-1), torch.ones(12, 1).double())


def test_what_is_done_to_a_matrix_is_said_with_its_numbers(tmp_path: Path) -> None:
    matrices = _matrices(24, 4, complex_valued=True)
    path = _archive(tmp_path, X=matrices, y=Y)
    splits = _task(data=path, ridge=0.5, embedding="real_embedding").load(tmp_path, 0)
    said = re.fullmatch(
        r"An input is a matrix, \[\[A, -B\], \[B, A\]\] of A \+ iB; then 0\.5 x trace / n added to"
        r" the diagonal; then divided by (\S+) \(mean eigenvalue in the training data\)\.",
        splits.preparation,
    )
    assert said is not None
    traces = splits.train.tensors[0].diagonal(dim1=-1, dim2=-2).mean(-1)  # type: ignore[attr-defined]
    raw = 1.5 * np.trace(matrices, axis1=1, axis2=2).real / 4 / float(said[1])
    assert all(np.isclose(raw, trace, rtol=1e-12).any() for trace in traces.flatten().numpy())


def test_a_ridge_is_advised_only_where_it_helps(tmp_path: Path) -> None:
    for smallest, advice in ((0, "Set the task's ridge"), (-1, "no small ridge")):
        matrices = _changed(4, value=np.diag([2, 1, 1, smallest]))
        with pytest.raises(DataError, match=f"Matrix 4 .*{advice}"):
            _task(data=_archive(tmp_path, X=matrices, y=Y)).load(tmp_path, 0)


def test_ridge_makes_a_rank_deficient_matrix_usable(tmp_path: Path) -> None:
    path = _archive(tmp_path, X=_matrices(24, 12), y=Y)
    with pytest.raises(DataError, match=r"not positive definite.*Set the task's ridge"):
        _task(data=path).load(tmp_path, 0)
    _task(data=path, ridge=1e-3).load(tmp_path, 0)


def test_separate_test_arrays_are_the_test_set(tmp_path: Path) -> None:
    path = _archive(
        tmp_path, x=_matrices(24, 4), y=Y, other=_matrices(9, 4) + np.eye(4), other_y=Y[:9]
    )
    task = _task(data=path, x="x", test_x="other", test_y="other_y")
    splits = task.load(tmp_path, 0)
    assert task.info().train_size == len(splits.train) == 15  # type: ignore[arg-type]
    assert len(splits.load_test()) == 9  # type: ignore[arg-type]


def test_separate_test_matrices_of_another_size_are_named(tmp_path: Path) -> None:
    path = _archive(tmp_path, X=_matrices(24, 4), y=Y, t=_matrices(9, 5), ty=Y[:9])
    with pytest.raises(DataError, match=r"Matrix 0 of 't' has .*\(1, 5, 5\).*\(1, 4, 4\)"):
        _task(data=path, test_x="t", test_y="ty").load(tmp_path, 0)
    with pytest.raises(ValidationError, match="must be given together"):
        _task(data=path, test_x="t")


def test_groups_and_given_split_are_kept(tmp_path: Path) -> None:
    matrices = _matrices(24, 4)
    groups = np.arange(24) // 6
    task = _task(data=_archive(tmp_path, X=matrices, y=Y, groups=groups), test_groups=[1, 2])
    assert len(task.load(tmp_path, 0).load_test()) == 12  # type: ignore[arg-type]
    split = np.repeat(["train", "val", "test"], 8)
    task = _task(data=_archive(tmp_path, X=matrices, y=Y, fold=split), split="fold")
    splits = task.load(tmp_path, 0)
    assert [len(part) for part in (splits.train, splits.val, splits.load_test())] == [8, 8, 8]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groups": "subjcet"}, "no array 'subjcet'.*Is it 'subject'"),
        ({"split": "fold"}, "no array 'fold'"),
        ({"test_groups": [1]}, "test_groups are 1, but there are no groups"),
    ],
)
def test_a_wanted_division_that_cannot_be_made_is_refused(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    path = _archive(tmp_path, X=_matrices(24, 4), y=Y, subject=np.arange(24) // 6)
    with pytest.raises(DataError, match=words):
        _task(data=path, **options).info()


def test_classes_can_be_left_out(tmp_path: Path) -> None:
    task = _task(data=_archive(tmp_path, X=_matrices(24, 4), y=Y), classes=[0, 2])
    assert task.info().class_names == ("0", "2")
    assert len(task.load(tmp_path, 0).train) == 8  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"No sample .* is labelled '5' .* labels are 0, 1, 2"):
        _task(data=task.options.data, classes=[5]).info()


def _changed(*place: int, value: complex | np.ndarray, complex_valued: bool = False) -> np.ndarray:
    matrices = _matrices(24, 4, complex_valued=complex_valued)
    matrices[place] = value
    return matrices


NEGATIVE = _matrices(24, 4)
NEGATIVE[5] = np.diag([1, 1, 1, -0.25])
SECOND_CHANNEL = _matrices(24, 2, 4)
SECOND_CHANNEL[6, 1] = 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": Y}, "no array 'X'; it holds y"),
        ({"X": _matrices(24, 4)}, "no array 'y'; it holds X"),
        ({"X": _changed(4, 2, 2, value=np.inf), "y": Y}, "Matrix 4 .* inf at row 2, column 2"),
        (
            {"X": _changed(2, 1, 1, value=1j, complex_valued=True), "y": Y},
            "Matrix 2 of 'X' is not Hermitian",
        ),
        ({"X": NEGATIVE, "y": Y}, r"Matrix 5 .* smallest eigenvalue is -0\.25, its largest 1"),
        ({"X": SECOND_CHANNEL, "y": Y}, "Matrix 6, channel 1, .* eigenvalue is 0"),
        ({"X": _matrices(24, 4)[:, :3], "y": Y}, r"'X' has shape \(24, 3, 4\). Square"),
        ({"X": _matrices(24, 4)[0], "y": Y}, r"'X' has shape \(4, 4\). Square"),
        ({"X": [["a", "b"]], "y": Y}, "'X' is of type <U1"),
        ({"X": _matrices(23, 4), "y": Y}, "'X' holds 23 matrices, but 'y' 24 labels"),
        ({"X": _matrices(24, 4), "y": [0] * 22 + [1] * 2}, "Class '1' has 2 samples"),
        ({"X": _matrices(24, 4), "y": Y * 0}, "'y' holds only the class '0'"),
        ({"X": _matrices(24, 4), "y": Y, "groups": np.where(Y, 1.0, np.nan)}, "Entry 0 .* is nan"),
        ({"X": _matrices(24, 4), "y": Y, "groups": Y[:7]}, r"'groups' has shape \(7,\)"),
        ({"X": np.array([np.eye(2), np.eye(3)], dtype=object), "y": Y}, "Python objects"),
    ],
)
def test_wrong_array_is_named_in_one_sentence(
    tmp_path: Path, arrays: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        _task(data=_archive(tmp_path, **arrays)).load(tmp_path, 0)


def test_asymmetric_matrix_is_named_with_both_entries(tmp_path: Path) -> None:
    matrices = _changed(3, 0, 1, value=99)
    words = f"Matrix 3 of 'X' is not symmetric: .* 99 and entry .* {matrices[3, 1, 0]:.6g}"
    with pytest.raises(DataError, match=words):
        _task(data=_archive(tmp_path, X=matrices, y=Y)).load(tmp_path, 0)


def test_rounding_of_single_precision_is_no_asymmetry(tmp_path: Path) -> None:
    matrices = _matrices(24, 4).astype(np.float32)
    matrices[:, 0, 1] = np.nextafter(matrices[:, 0, 1], np.float32(np.inf))
    x = _task(data=_archive(tmp_path, X=matrices, y=Y)).load(tmp_path, 0).train[0][0]
    assert torch.equal(x, x.mT)


def test_missing_file_is_said_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data at .*none\.npz\. Write the archive"):
        _task(data=tmp_path / "none.npz").info()


def _folder(folder: Path, names: list[str], matrices: np.ndarray) -> Path:
    for name, matrix in zip(names, matrices, strict=True):
        np.save(folder / name, matrix)
    return folder


def test_a_folder_of_matrices_is_labelled_by_the_end_of_the_file_names(tmp_path: Path) -> None:
    names = [f"{number}_{50 + number}_{label}.npy" for number, label in enumerate(Y)]
    matrices = _matrices(24, 4)
    task = _task(data=_folder(tmp_path, names, matrices), scale="none")
    info, splits = task.info(), task.load(tmp_path, 0)
    assert (info.shape, info.classes, info.train_size) == ((1, 4, 4), 3, 12)
    x, y = splits.train.tensors  # type: ignore[attr-defined]
    for matrix, label in zip(x, y, strict=True):
        (origin,) = np.flatnonzero((matrices == matrix.numpy()[0]).all(axis=(1, 2)))
        assert int(info.class_names[label]) == Y[origin]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "holds no matrices"),
        (["1_a.npy", "2_b.npy"], "does not end in a class number"),
    ],
)
def test_a_folder_without_files_or_labels_is_refused(
    tmp_path: Path, names: list[str], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        _task(data=_folder(tmp_path, names, _matrices(len(names), 4))).info()


def test_matrices_of_two_sizes_and_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    names = [f"{number}_{label}.npy" for number, label in enumerate(Y)]
    task = _task(data=_folder(tmp_path, names, _matrices(24, 4)))
    np.save(tmp_path / "7_1.npy", np.eye(5))
    with pytest.raises(DataError, match=r"7_1.npy holds an array of shape \(5, 5\)"):
        task.load(tmp_path, 0)
    (tmp_path / "7_1.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"7_1.npy is no complete .npy"):
        task.load(tmp_path, 0)


def _published(folder: Path, parts: dict[str, list[int]], **more: np.ndarray) -> list[np.ndarray]:
    """Matrices as AFEW is published: part/class/name.mat, the variable called Y1."""
    from scipy.io import savemat

    made = []
    for part, labels in parts.items():
        for number, label in enumerate(labels):
            matrix = _matrices(1, 4)[0] * (1 + len(made))
            path = folder / part / str(label) / f"{number:03}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            savemat(path, {"Y1": matrix, **more})
            made.append(matrix)
    return made


@pytest.mark.parametrize("inside", ["", "spdface_400_inter_histeq"])
def test_class_folders_in_parts_are_read_and_val_is_tested_on(tmp_path: Path, inside: str) -> None:
    parts = {"train": [1, 2] * 10, "val": [1, 2] * 3}
    made = _published(tmp_path / inside, parts, fs=np.array([[30.0]]))
    task = _task(data=tmp_path, scale="none", ridge=0, split_ratio=(4, 1, 1))
    info, splits = task.info(), task.load(tmp_path, 0)
    assert (info.shape, info.classes, info.class_names) == ((1, 4, 4), 2, ("1", "2"))
    sizes = [len(part) for part in (splits.train, splits.val)]  # type: ignore[arg-type]
    assert sizes == [info.train_size, 20 - info.train_size]
    x, y = splits.load_test().tensors  # type: ignore[attr-defined]
    tested = {round(float(matrix[0, 0, 0] / made[0][0, 0])) for matrix in x}
    assert tested == set(range(21, 27)), "val holds the matrices from the 21st on"
    assert sorted(y.tolist()) == [0, 0, 0, 1, 1, 1]


def test_class_folders_alone_are_split_by_lot(tmp_path: Path) -> None:
    _published(tmp_path, {"": [3, 5] * 8})
    info = _task(data=tmp_path).info()
    assert (info.class_names, info.train_size) == (("3", "5"), 8)


def test_matlab_files_without_one_matrix_are_refused_by_name(tmp_path: Path) -> None:
    _published(tmp_path, {"train": [1, 2], "val": [1, 2]}, Y2=np.eye(4))
    with pytest.raises(DataError, match=r"000.mat should hold one matrix, and holds several: Y"):
        _task(data=tmp_path).info()
    (tmp_path / "train/1/000.mat").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"000.mat is no MATLAB file that is read"):
        _task(data=tmp_path).info()
    for path in (tmp_path / "val").rglob("*.mat"):
        path.unlink()
    with pytest.raises(DataError, match=r"val holds no matrices"):
        _task(data=tmp_path).info()
