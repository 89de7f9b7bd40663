"""The task mocap: covariances of joint sequences, splits by subject, and faults in the data."""

import os
from pathlib import Path

import numpy as np
import pytest

from toolkit.datasets.matrices import add_ridge
from toolkit.errors import DataError
from toolkit.testing import check_task
from toolkit_mocap import covariance, sequences
from toolkit_mocap.task import MocapTask

RNG = np.random.default_rng(0)
JOINTS, COUNT, HIP = 5, 48, 1
LENGTHS = RNG.integers(8, 30, COUNT)
LABELS = np.arange(COUNT) % 3
SUBJECTS = np.repeat([1, 2, 3, 4], COUNT // 4)
FRAMES = RNG.standard_normal((LENGTHS.sum(), 3 * JOINTS))
ARRAYS = {
    "frames": FRAMES,
    "lengths": LENGTHS,
    "labels": LABELS,
    "subjects": SUBJECTS,
    "is_train": SUBJECTS < 3,
    "hip_joint": HIP,
}


def _archive(folder: Path, **changes: object) -> Path:
    path = folder / "a.npz"
    arrays = {**ARRAYS, **changes}
    np.savez(path, **{name: np.asarray(a) for name, a in arrays.items() if a is not None})
    return path


def _task(data: Path, **options: object) -> MocapTask:
    return MocapTask(MocapTask.Options.model_validate({"data": data, **options}))


def _parts(task: MocapTask, folder: Path, seed: int = 0) -> list[np.ndarray]:
    splits = task.load(folder, seed)
    parts = (splits.train, splits.val, splits.load_test())
    return [part.tensors[0].numpy() for part in parts]  # type: ignore[attr-defined]


def _relative(number: int, frames: np.ndarray = FRAMES) -> np.ndarray:
    one = np.split(frames, np.cumsum(LENGTHS)[:-1])[number].reshape(-1, JOINTS, 3)
    return np.delete(one - one[:, HIP : HIP + 1], HIP, axis=1).reshape(len(one), -1)


def _same_set(found: np.ndarray, expected: list[np.ndarray]) -> bool:
    ours = sorted(found[:, 0], key=lambda matrix: matrix[0, 0])
    theirs = sorted(expected, key=lambda matrix: matrix[0, 0])
    return len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation": "subject"},
        {"velocities": True, "time_rows": 2, "mean": True, "windows": [1, 2], "components": 7},
        {"segment": 4, "joints": [0, 4], "scale": "trace"},
        {"bones": [[0, 2], [2, 3]], "train_subjects": [4, 2], "val_subjects": [2]},
        {"classes": [0, 2], "refit": True, "ridge": 0.5},
    ],
)
def test_what_is_described_is_what_is_loaded(options: dict[str, object], tmp_path: Path) -> None:
    task = _task(_archive(tmp_path), **options)
    check_task(task, tmp_path)
    for part in _parts(task, tmp_path):
        assert np.linalg.eigvalsh(part).min() > 0
        assert np.allclose(part, part.swapaxes(-1, -2))


def test_an_input_is_the_covariance_relative_to_the_hip(tmp_path: Path) -> None:
    walk = np.repeat(np.cumsum(RNG.standard_normal((len(FRAMES), 1, 3)), 0), JOINTS, 1)
    walking = FRAMES + 100 * walk.reshape(len(FRAMES), -1)
    task = _task(_archive(tmp_path, frames=walking), ridge=0.1, scale="none")
    test = _parts(task, tmp_path)[2]
    plain = [np.cov(_relative(number).T) for number in np.flatnonzero(SUBJECTS > 2)]
    unit = task.transform(0).position_scale ** 2
    ridged = [one + 0.1 * np.trace(one) / 12 * np.eye(12) for one in plain]
    assert _same_set(test, [one / unit for one in ridged])


def test_subjects_are_never_on_two_sides(tmp_path: Path) -> None:
    data = _archive(tmp_path, is_train=None)
    expected = {s: np.flatnonzero(s == SUBJECTS) for s in (1, 2, 3, 4)}
    task = _task(data, train_subjects=[1, 3], validation="subject", ridge=0.1, scale="none")
    drawn = set()
    for seed in range(8):
        train, val, test = _parts(task, tmp_path, seed)
        unit = task.transform(seed).position_scale ** 2
        for part, choices in ((train, [1, 3]), (val, [1, 3]), (test, [(2, 4)])):
            owners = [
                subject
                for subject in choices
                if _same_set(
                    part * unit,
                    [
                        add_ridge(np.cov(_relative(number).T), 0.1)
                        for who in np.atleast_1d(subject)
                        for number in expected[who]
                    ],
                )
            ]
            assert len(owners) == 1
        drawn.add(train[:, 0, 0, 0].round(6).min())
    assert len(drawn) == 2


def test_sequences_are_not_cut_across_parts(tmp_path: Path) -> None:
    """Segments of one sequence resemble each other: they go to the same side."""
    still = np.repeat(np.arange(COUNT), LENGTHS)[:, None] * np.array([0, 0, 0] * 4 + [1.0, 0, 0])
    frames = 1e-3 * FRAMES + still
    task = _task(_archive(tmp_path, frames=frames), segment=4, mean=True, scale="none")
    unit = task.transform(0).position_scale
    owners = [
        set(np.round(part[:, 0, 9, -1] * unit).astype(int)) for part in _parts(task, tmp_path)
    ]
    assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
    assert set.union(*owners) == set(range(COUNT))


def test_refit_trains_on_validation_as_well(tmp_path: Path) -> None:
    plain, refit = (_task(_archive(tmp_path), refit=flag) for flag in (False, True))
    assert [len(part) for part in _parts(plain, tmp_path)] == [18, 6, 24]
    assert [len(part) for part in _parts(refit, tmp_path)] == [24, 6, 24]
    assert refit.info().train_size == 24


def test_nothing_is_learned_of_test_sequences(tmp_path: Path) -> None:
    options = {"velocities": True, "components": 5, "mean": True}
    before = _task(_archive(tmp_path), **options).transform(0)
    louder = FRAMES * np.repeat(np.where(SUBJECTS < 3, 1.0, 50.0), LENGTHS)[:, None]
    after = _task(_archive(tmp_path, frames=louder), **options).transform(0)
    assert before.projection is not None and after.projection is not None
    assert np.array_equal(before.projection, after.projection)
    scales = ("position_scale", "velocity_scale", "scaling")
    assert all(getattr(before, name) == getattr(after, name) for name in scales)


def test_body_size_does_not_matter_with_bones(tmp_path: Path) -> None:
    taller = FRAMES * np.repeat(SUBJECTS / 2, LENGTHS)[:, None]
    found = [
        _parts(_task(_archive(tmp_path, frames=frames), bones=[[0, 2]], mean=True), tmp_path)
        for frames in (FRAMES, taller)
    ]
    for ours, theirs in zip(*found, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-9)


def test_time_rows_tell_a_movement_from_its_reverse(tmp_path: Path) -> None:
    backwards = np.concatenate([one[::-1] for one in np.split(FRAMES, np.cumsum(LENGTHS)[:-1])])
    for rows in (0, 1):
        ours, theirs = (
            _parts(_task(_archive(tmp_path, frames=frames), time_rows=rows), tmp_path)[0]
            for frames in (FRAMES, backwards)
        )
        assert np.allclose(ours, theirs, rtol=1e-9) == (rows == 0)
    cosines = sequences.cosines_of_time(40, 3)
    assert np.allclose(cosines.T @ cosines, 40 * np.eye(3))


@pytest.mark.parametrize("length", [2, 3, 7, 100])
def test_windows_cover_a_sequence_and_hold_two_frames(length: int) -> None:
    found = list(sequences.windows(length, [1, 2, 3]))
    assert len(found) == 6
    assert all(one.start >= 0 and one.start + 2 <= one.stop <= length for one in found)
    for level in (found[:1], found[1:3], found[3:]):
        assert {frame for one in level for frame in range(one.start, one.stop)} == set(
            range(length)
        )


def test_the_embedding_of_a_normal_distribution_has_its_determinant() -> None:
    matrix = np.cov(RNG.standard_normal((4, 20)))
    extended = covariance.embed_gaussians(RNG.standard_normal(4), matrix)
    assert np.isclose(np.linalg.det(extended), np.linalg.det(matrix))


def _with(frame: int, value: float) -> np.ndarray:
    frames = FRAMES.copy()
    frames[frame, 7] = value
    return frames


FROZEN = FRAMES.copy()
FROZEN[: LENGTHS[0]] = FRAMES[0]


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"frames": None}, {}, "no array 'frames'"),
        ({"subjects": None}, {"train_subjects": [1]}, "no array 'subjects'"),
        ({"is_train": None}, {}, "no array 'is_train'"),
        ({"frames": FRAMES[:, :14]}, {}, r"'frames' has shape \(\d+, 14\)"),
        ({"frames": FRAMES[None]}, {}, r"'frames' has shape \(1, "),
        ({"frames": FRAMES * 1j}, {}, "type complex128"),
        ({"frames": _with(LENGTHS[0] + 3, np.nan)}, {}, "Sequence 1 .* nan at frame 3, joint 2, y"),
        ({"frames": FROZEN}, {}, "Sequence 0 does not move in window 0"),
        ({"hip_joint": None}, {}, "does not tell which joint is the hip"),
        ({"hip_joint": [0, 1]}, {}, r"'hip_joint' has shape \(2,\)"),
        ({"hip_joint": 5}, {}, "hip is to be joint 5, but 'frames' has 5 joints"),
        ({}, {"hip_joint": 9}, "hip is to be joint 9"),
        ({}, {"joints": [0, 1]}, "name one twice, or the hip"),
        ({}, {"joints": [0, 5]}, "no joint 5 among the 5"),
        ({}, {"bones": [[0, 7]]}, "no joint 7 among the 5"),
        ({}, {"bones": [[2, 2]]}, "joins a joint with itself"),
        ({"lengths": LENGTHS + 1}, {}, "add up to"),
        ({"lengths": LENGTHS * 1.0}, {}, "type float64"),
        ({"lengths": np.where(np.arange(COUNT) == 4, 1, LENGTHS)}, {}, "Sequence 4 has 1 frames"),
        ({"lengths": LENGTHS[1:]}, {}, r"'lengths' has shape \(47,\), but there are 48 labels"),
        ({"is_train": SUBJECTS}, {}, "'is_train' has type int64"),
        ({"is_train": SUBJECTS > 0}, {}, "marks no sample as 'test'"),
        ({}, {"classes": [0, 8]}, "No sequence is labelled '8'"),
        ({"ok": SUBJECTS < 0}, {"keep": "ok"}, "'ok' is true for none"),
        ({}, {"train_subjects": [7]}, "no subject '7'"),
        ({}, {"train_subjects": [1], "test_subjects": [1]}, "'1' is among train_subjects and"),
        ({}, {"train_subjects": [1], "test_subjects": [2]}, "'3' is neither among"),
        ({}, {"train_subjects": [1, 2, 3, 4]}, "leaves nobody to test on"),
        ({}, {"test_subjects": [1, 2, 3, 4]}, "leaves nobody to train on"),
        ({}, {"train_subjects": [1, 2], "val_subjects": [3]}, "'3' is to be validated on"),
        ({}, {"train_subjects": [1, 2], "val_subjects": [1, 2]}, "all are for validation"),
        ({}, {"train_subjects": [1], "validation": "subject"}, "all are for validation"),
        ({}, {"segment": 99}, "No sequence of the train part has 99 frames"),
        ({}, {"components": 13}, "components are 13, but there are 12 rows"),
        ({}, {"ridge": 0}, "is not positive definite"),
    ],
)
def test_faults_are_named_in_one_sentence(
    tmp_path: Path, arrays: dict[str, object], options: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        _task(_archive(tmp_path, **arrays), **options).load(tmp_path, 0).load_test()


@pytest.mark.skipif("TOOLKIT_DATA" not in os.environ, reason="needs the real data sets")
@pytest.mark.parametrize(
    ("file", "options", "shape", "sizes"),
    [
        ("msr_action3d.npz", {"keep": "in_cvpr12_list"}, (1, 57, 57), (284, 273)),
        (
            "hdm05_11.npz",
            {"segment": 12, "joints": list(range(2, 31, 2))},
            (1, 45, 45),
            (853, 508),
        ),
    ],
)
def test_real_data_sets_are_split_as_published(
    tmp_path: Path,
    file: str,
    options: dict[str, object],
    shape: tuple[int, ...],
    sizes: tuple[int, int],
) -> None:
    task = _task(Path(os.environ["TOOLKIT_DATA"]) / file, refit=True, **options)
    assert task.info().shape == shape
    train, _, test = _parts(task, tmp_path)
    assert (len(train), len(test)) == sizes


@pytest.mark.parametrize("stored", [SUBJECTS.astype(float), SUBJECTS.astype("S"), SUBJECTS])
def test_subjects_and_labels_are_named_alike_however_they_are_stored(
    stored: np.ndarray, tmp_path: Path
) -> None:
    data = _archive(tmp_path, subjects=stored, labels=LABELS.astype(float))
    task = _task(data, test_subjects=[4.0], val_subjects=["3"], classes=[0, 2.0])
    survey = task.survey(0)
    assert survey.groups == {"train": ["1", "2"], "val": ["3"], "test": ["4"]}
    assert survey.counts["test"] == {"0": 4, "2": 4}
    named = _task(_archive(tmp_path, class_names=["run", "sit", "go"]), classes=["go", 0])
    assert named.info().class_names == ("run", "go")


def test_what_may_be_meant_otherwise_is_told_with_numbers(tmp_path: Path) -> None:
    enough, short = 3 * JOINTS, 6
    lengths = np.where(np.arange(COUNT) < 5, short, enough)
    frames = RNG.standard_normal((lengths.sum(), 3 * JOINTS))
    data = _archive(
        tmp_path, frames=frames, lengths=lengths, is_train=np.arange(COUNT) // 3 % 4 > 0
    )
    leak, rank = _task(data).survey(0).warnings
    assert "'subjects', which no option uses: samples of 4 of its 4 values" in leak
    assert "5 of 48 sequences have at most as many frames" in rank
    assert "(6 frames, 12 rows)" in rank and "rank is at most 5" in rank
    assert not _task(data, test_subjects=[4], components=4).survey(0).warnings


def test_a_class_whose_training_sequences_are_too_short_is_named(tmp_path: Path) -> None:
    lengths = np.where((LABELS == 2) & (SUBJECTS < 3), 9, 20)
    frames = RNG.standard_normal((lengths.sum(), 3 * JOINTS))
    with pytest.raises(DataError, match="No training sequence of the class '2' has 10 frames"):
        _task(_archive(tmp_path, frames=frames, lengths=lengths), segment=10).info()


def test_pieces_of_sequences_know_whose_they_are(tmp_path: Path) -> None:
    """Learners keep subjects together in folds of their own: one entry for each piece."""
    from toolkit.problem.source import DataSource
    from toolkit.recipe.schema import Validation

    rng = np.random.default_rng(0)
    lengths, subjects = np.full(24, 17), np.repeat([1, 2, 3, 4], 6)
    path = tmp_path / "joints.npz"
    np.savez(
        path,
        frames=rng.normal(size=(int(lengths.sum()), 15)),
        lengths=lengths,
        labels=np.arange(24) % 2,
        subjects=subjects,
        is_train=subjects < 4,
        hip_joint=0,
    )
    options = {"data": path, "segment": 5, "output": "series", "grouped": True}
    task = MocapTask(MocapTask.Options.model_validate(options))
    source = DataSource("key", task, task.info(), 0, Validation(folds=5))
    for splits in (*source.load_folds(), source.load_whole()):
        inputs, labels = splits.train.tensors  # type: ignore[attr-defined]
        assert splits.groups is not None and len(splits.groups) == len(labels) == len(inputs)
        assert splits.groups.astype(float).tolist() == inputs[:, -1, 0].tolist()
    assert len(source.load_folds()) == 3


def test_pieces_of_sequences_move_as_the_whole_does(tmp_path: Path) -> None:
    """Velocities at the ends of a piece are those of the sequence that it was cut from."""
    import torch

    from toolkit_spd.pipeline.rows import RowsSpec, moments

    task = _task(_archive(tmp_path), segment=4, output="series")
    info = task.info()
    assert (info.shape[-1], info.shortest, info.context) == (6, 4, 1)
    test = torch.from_numpy(_parts(task, tmp_path)[2])
    spec = RowsSpec(
        size=12, bands=[], crop=[0, 1], windows=[1], velocities=True, time_rows=0, context=1
    )
    found = moments(test, spec).covariance[:, 0].numpy()
    expected = []
    for number in np.flatnonzero(SUBJECTS >= 3):
        moving = _relative(number)
        rows = np.hstack([moving, np.gradient(moving, axis=0)])
        pieces = [rows[start : start + 4] for start in range(0, len(rows) - 3, 4)]
        expected += [np.cov(piece, rowvar=False, bias=True) for piece in pieces]
    assert _same_set(found[:, None], expected)


def test_a_new_piece_is_prepared_for_a_model_as_the_task_does(tmp_path: Path) -> None:
    """Whoever has a piece alone gets its ends extrapolated, by task and module alike."""
    import torch

    data = _archive(tmp_path, lengths=np.full(COUNT, 8), frames=FRAMES[: 8 * COUNT])
    task = _task(data, segment=8, output="series")
    splits = task.load(tmp_path, 0)
    assert splits.make_preparer is not None
    given = FRAMES[: 8 * COUNT].reshape(COUNT, 8, JOINTS, 3)
    made = splits.make_preparer()([torch.from_numpy(one) for one in given[SUBJECTS >= 3]])
    assert _same_set(made.numpy()[:, None], list(_parts(task, tmp_path)[2]))
