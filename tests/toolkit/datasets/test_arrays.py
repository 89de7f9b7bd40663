"""Reading, splitting and judging labelled arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.datasets.arrays import (
    classification_metrics,
    encode_labels,
    make_split,
    read_arrays,
    read_first,
    read_headers,
    write_arrays,
)
from toolkit.errors import DataError

NAMES = ("a", "b", "c")


@given(
    counts=st.lists(st.integers(3, 60), min_size=2, max_size=5),
    ratio=st.tuples(*[st.floats(0.1, 10)] * 3),
    seed=st.integers(0, 2**32),
)
def test_split_is_a_stratified_partition(
    counts: list[int], ratio: tuple[float, float, float], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [str(label) for label in range(len(counts))]
    split = make_split(labels, names, ratio, seed)
    assert sorted(np.concatenate(split).tolist()) == list(range(len(labels)))
    for part, share in zip(split, np.array(ratio) / sum(ratio), strict=True):
        for label, count in enumerate(counts):
            found = (labels[part] == label).sum()
            assert found >= 1
            # Largest remainder is within one of the quota; at most two samples then move so
            # that no part is empty.
            assert abs(found - share * count) < 1 + 2


def test_split_of_the_published_sizes_is_exact() -> None:
    labels = np.repeat(np.arange(3), 1000)
    split = make_split(labels, NAMES, (2, 1, 1), 0)
    assert [np.bincount(labels[part]).tolist() for part in split] == [
        [500] * 3,
        [250] * 3,
        [250] * 3,
    ]


def test_split_is_a_function_of_its_seed() -> None:
    labels = np.arange(60) % 3
    for groups in (None, np.arange(60) // 20):
        one, two, other = (
            make_split(labels, NAMES, (2, 1, 1), s, groups=groups) for s in (4, 4, 5)
        )
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert not np.array_equal(one.train, other.train)


@given(seed=st.integers(0, 1000), chosen=st.sets(st.integers(0, 3), min_size=1, max_size=3))
def test_groups_are_never_on_both_sides(seed: int, chosen: set[int]) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(4), 30))
    split = make_split(
        np.arange(120) % 2, "ab", (2, 1, 1), seed, groups=groups, test_groups=sorted(chosen)
    )
    assert set(groups[split.test]) == chosen
    assert not set(groups[np.concatenate([split.train, split.val])]) & chosen
    assert sorted(np.concatenate(split).tolist()) == list(range(120))


def test_declared_split_wins_and_gains_a_validation_part() -> None:
    labels = np.arange(24) % 2
    for declared in (np.arange(24) < 18, np.where(np.arange(24) < 18, "Train", "test")):
        split = make_split(labels, "ab", (2, 1, 1), 0, declared=declared, groups=labels)
        assert sorted(split.test.tolist()) == list(range(18, 24))
        assert [len(part) for part in split] == [12, 6, 6]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (["train"] * 23 + ["tset"], "Entry 23 of the split is 'tset'"),
        (["train"] * 24, "no sample as 'test'"),
        (["train"] * 8, r"shape \(8,\), but there are 24"),
        (["train", "test", "val"] * 8, "Class 'b' has no sample marked 'train'"),
    ],
)
def test_wrong_declared_split_is_named(declared: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_split(np.arange(24) % 3, NAMES, (2, 1, 1), 0, declared=np.array(declared))


def test_too_few_samples_of_a_class_are_named() -> None:
    with pytest.raises(DataError, match="Class 'c' has 2 samples to divide into 3 parts"):
        make_split(np.array([0] * 9 + [1] * 9 + [2] * 2), NAMES, (2, 1, 1), 0)


@pytest.mark.parametrize(
    "values", [[3, 7, 3], ["x", "y", "x"], [3.0, 7.0, 3.0], [b"x", b"y", b"x"]]
)
def test_labels_are_numbered_in_sorted_order(values: list[object]) -> None:
    codes, names = encode_labels(np.array(values))
    assert codes.tolist() == [0, 1, 0]
    assert names in {("3", "7"), ("x", "y")}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 1.5], "Label 1 of 'y' is 1.5"),
        ([0.0, np.nan], "Label 1 of 'y' is nan"),
        ([1j, 2j], "type complex128"),
        ([[0, 1]], r"shape \(1, 2\)"),
        ([2, 2], "only the class '2'"),
    ],
)
def test_wrong_labels_are_named(values: list[object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        encode_labels(np.array(values))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.npz"
    write_arrays(path, {"x": np.ones((2, 3)), "s": "word"})
    headers = read_headers(path)
    assert headers["x"].shape == (2, 3)
    arrays = read_arrays(path, ["x"], ["s", "absent"])
    assert set(arrays) == {"x", "s"}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.npz"]


def test_the_first_rows_are_read_however_an_array_is_stored(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(10, 3, 2)
    columns = np.asfortranarray(values)
    for save in (np.savez, np.savez_compressed):
        save(
            tmp_path / "a.npz", x=values, columns=columns, big=values.astype(">i2"), none=values[:0]
        )
        for name in ("x", "columns", "big"):
            assert np.array_equal(read_first(tmp_path / "a.npz", name, 4), values[:4])
        assert len(read_first(tmp_path / "a.npz", "x", 99)) == 10
        assert read_first(tmp_path / "a.npz", "none", 4).shape == (0, 3, 2)
    with pytest.raises(DataError, match="no array 'y'"):
        read_first(tmp_path / "a.npz", "y", 1)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": [1]})
    with pytest.raises(ValueError, match="inhomogeneous"):
        write_arrays(path, {"x": [[1], [2, 3]]})
    assert read_arrays(path, ["x"])["x"].tolist() == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_each_unreadable_file_has_its_sentence(tmp_path: Path) -> None:
    text, half, objects = (tmp_path / name for name in ("t.npz", "h.npz", "o.npz"))
    text.write_text("not an archive")
    write_arrays(half, {"x": np.ones(1000)})
    content = bytearray(half.read_bytes())
    content[500] ^= 0xFF
    half.write_bytes(content)
    np.savez(objects, x=np.array([np.ones(2), np.ones(3)], dtype=object))
    for path, words in (
        (tmp_path / "none.npz", r"no data at .*none.npz\. Fetch it"),
        (tmp_path, "is a folder"),
        (text, "not a complete .npz archive"),
        (half, "is damaged"),
        (objects, "holds Python objects"),
    ):
        with pytest.raises(DataError, match=words):
            read_arrays(path, ["x"], hint="Fetch it.")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.npy", b"\x93NUMPY\x01\x00", r"is one array \(.npy\), and .* Read it by numpy.load"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", r"is an HDF5 file .* h5py.File"),
        ("a.mat", b"MATLAB 5.0 MAT-file", r"is a MATLAB file.* scipy.io.loadmat"),
        ("a.csv", b"1,2\n", r"is text \(.csv\).* numpy.savez\('data.npz', X="),
        ("a.pkl", b"\x80\x04K\x01.", r"is a pickle, and an .npz archive is read"),
    ],
)
def test_files_of_other_kinds_are_called_by_their_name(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_arrays(tmp_path / name, ["x"])


def test_missing_array_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"x_train": [1], "labels": [1]})
    with pytest.raises(DataError, match=r"no array 'X'; it holds labels, x_train\."):
        read_arrays(tmp_path / "a.npz", ["X"])
    with pytest.raises(DataError, match="Is it 'labels'"):
        read_arrays(tmp_path / "a.npz", ["label"])


def test_metrics_equal_their_definitions() -> None:
    scores = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 2, 0], [9, 0, 0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1])
    found = classification_metrics(scores, labels)
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == 0.75
    assert found["loss"] == pytest.approx(
        float(torch.nn.functional.cross_entropy(scores, labels)), rel=1e-14
    )
    uneven = classification_metrics(scores[1:], labels[1:])
    assert uneven["accuracy"] == pytest.approx(2 / 3)
    assert uneven["balanced_accuracy"] == 0.75


@pytest.mark.parametrize("present", [[0, 1, 2, 3], [1, 3]])
def test_metrics_equal_those_of_scikit_learn(present: list[int]) -> None:
    from scipy.special import softmax
    from sklearn.metrics import accuracy_score, log_loss, recall_score

    rng = np.random.default_rng(0)
    scores, labels = 3 * rng.normal(size=(200, 4)), rng.choice(present, 200)
    guessed, found = scores.argmax(1), classification_metrics(scores, labels)
    recalls = recall_score(labels, guessed, labels=present, average="macro")
    losses = log_loss(labels, softmax(scores, axis=1), labels=range(4))
    assert found["accuracy"] == accuracy_score(labels, guessed)
    assert found["balanced_accuracy"] == pytest.approx(recalls, abs=1e-12)
    assert found["loss"] == pytest.approx(losses, abs=1e-12)


def test_a_score_that_is_not_a_number_spoils_the_loss() -> None:
    scores = torch.tensor([[1.0, 0.0], [float("nan"), 0.0]])
    assert np.isnan(classification_metrics(scores, torch.tensor([0, 1]))["loss"])


def test_a_file_of_a_similar_name_is_pointed_out(tmp_path: Path) -> None:
    decomposed = tmp_path / "cafe\u0301.npz"
    np.savez(decomposed, X=np.ones(2))
    with pytest.raises(DataError, match="There are no data at") as told:
        read_headers(tmp_path / "caf\u00e9.npz", hint="Write one.")
    assert told.value.hint == f"Is it {decomposed.name!r}, which lies there?"
    with pytest.raises(DataError) as told:
        read_headers(tmp_path / "other" / "x.npz", hint="Write one.")
    assert told.value.hint == "Write one."
