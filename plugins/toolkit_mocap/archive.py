"""Reading an archive of joint sequences, and dividing its sequences by subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.arrays import Split, encode_labels, make_split, read_arrays, read_headers
from toolkit.datasets.names import class_names, find_label, find_names, read_labels, tidied
from toolkit.errors import DataError
from toolkit_mocap.options import MocapOptions, SubjectOptions

HINT = "Write the archive with numpy.savez, and name its path as the task's 'data'."


@dataclass(frozen=True)
class Index:
    """What is known of the sequences without reading the frames.

    Attributes:
        joints: how many the frames hold.
        hip: the joint that positions are relative to.
        lengths: frames of each sequence of the archive.
        keep: positions of the sequences to take among those of the archive.
        labels: class indices of the sequences to take.
        class_names: the classes' names.
        subjects: who moves, in words, or None where nobody asks.
        is_train: the archive's own split of them, or None where the recipe names subjects.
    """

    joints: int
    hip: int
    lengths: NDArray[Any]
    keep: NDArray[Any]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    subjects: NDArray[Any] | None
    is_train: NDArray[Any] | None


def read_index(options: MocapOptions) -> Index:
    """Read all but the frames.

    Raises:
        DataError: arrays are missing or do not fit together.
    """
    by_subject = bool(options.train_subjects or options.test_subjects)
    wants_subjects = (
        by_subject or options.validation == "subject" or options.val_subjects or options.grouped
    )
    required = [options.lengths, options.labels]
    required += [options.subjects] if wants_subjects else []
    required += [] if by_subject else [options.split]
    required += [options.keep] if options.keep else []
    shape, dtype = _frames_header(options)
    arrays = read_arrays(options.data, required, ["hip_joint", "class_names"], hint=HINT)
    labels, lengths = read_labels(arrays[options.labels], options.labels), arrays[options.lengths]
    for name in required:
        if arrays[name].shape != (len(labels),):
            raise DataError(
                f"{name!r} has shape {arrays[name].shape}, but there are {len(labels)} labels."
            )
    joints = _joint_count(shape, dtype, options)
    _check_lengths(lengths, shape[0], options)
    names_of = class_names(labels, arrays.get("class_names"), options.labels)
    wanted = None if options.keep is None else arrays[options.keep]
    keep = _kept(labels, names_of, wanted, options)
    codes, names = encode_labels(labels[keep], options.labels)
    subjects = None
    if wants_subjects:
        given = arrays[options.subjects][keep]
        subjects = tidied(given, "Entry", repr(options.subjects)).astype(str)
    return Index(
        joints,
        _hip_joint(arrays.get("hip_joint"), joints, options),
        lengths,
        keep,
        codes,
        tuple(names_of[name] for name in names),
        subjects,
        None if by_subject else _as_booleans(arrays[options.split], options.split)[keep],
    )


def read_sequences(options: MocapOptions, index: Index) -> list[NDArray[np.float64]]:
    """The sequences to take, each (frames, joints, 3).

    Raises:
        DataError: a position is not finite, or a sequence does not move.
    """
    frames = read_arrays(options.data, [options.frames], hint=HINT)[options.frames]
    cut = np.split(frames, np.cumsum(index.lengths)[:-1])
    return [_checked(cut[number], int(number), options.frames) for number in index.keep]


def read_new_subjects(options: MocapOptions, count: int) -> NDArray[Any] | None:
    """Who moves in each of so many new sequences, where the archive says it."""
    subjects = read_arrays(options.data, [], [options.subjects]).get(options.subjects)
    if subjects is not None and subjects.shape != (count,):
        raise DataError(
            f"{options.subjects!r} has shape {subjects.shape}, but there are {count} sequences."
        )
    return subjects


def read_new_sequences(options: MocapOptions) -> tuple[list[NDArray[np.float64]], int]:
    """All sequences of an archive that needs no labels, each (frames, joints, 3), and its hip.

    Raises:
        DataError: arrays are missing or do not fit, or see `read_sequences`.
    """
    shape, dtype = _frames_header(options)
    joints = _joint_count(shape, dtype, options)
    required = [options.frames, options.lengths]
    arrays = read_arrays(options.data, required, ["hip_joint"], hint=HINT)
    lengths = arrays[options.lengths]
    _check_lengths(lengths, shape[0], options)
    cut = np.split(arrays[options.frames], np.cumsum(lengths)[:-1])
    hip = _hip_joint(arrays.get("hip_joint"), joints, options)
    return [_checked(one, number, options.frames) for number, one in enumerate(cut)], hip


def split_sequences(index: Index, options: SubjectOptions, seed: int) -> Split:
    """The one split of the sequences under `seed`.

    Raises:
        DataError: a subject is unknown or on two sides, or a side is empty.
    """
    test = ~index.is_train if index.is_train is not None else _test_part(index, options)
    declared = np.where(test, "test", "train")
    if options.val_subjects or options.validation == "subject":
        assert index.subjects is not None
        declared[~test & np.isin(index.subjects, _val_subjects(index, options, ~test, seed))] = (
            "val"
        )
    return make_split(
        index.labels, index.class_names, (*options.split_ratio, 1), seed, declared=declared
    )


def pieces(index: Index, size: int | None) -> NDArray[np.int64]:
    """How many samples each sequence gives, cut into pieces of `size` frames."""
    lengths = index.lengths[index.keep].astype(np.int64)
    return np.ones_like(lengths) if size is None else lengths // size


def check_segments(index: Index, split: Split, size: int | None) -> None:
    """Check that pieces of `size` frames leave every part, and every class in training, something.

    Raises:
        DataError: all sequences of a part, or of a class, are shorter.
    """
    if size is None:
        return
    hint = "Set a smaller segment."
    for name, part in zip(Split._fields, split, strict=True):
        longest = int(index.lengths[index.keep[part]].max())
        if longest < size:
            raise DataError(
                f"No sequence of the {name} part has {size} frames: the longest has {longest}.",
                hint=hint,
            )
    cut = pieces(index, size)[split.train]
    given = np.bincount(index.labels[split.train], cut, minlength=len(index.class_names))
    for number in np.flatnonzero(given == 0)[:1]:
        raise DataError(
            f"No training sequence of the class {index.class_names[number]!r} has {size} frames.",
            hint=hint,
        )


def _test_part(index: Index, options: SubjectOptions) -> NDArray[np.bool_]:
    assert index.subjects is not None
    train, test = (
        _named_subjects(index, given) for given in (options.train_subjects, options.test_subjects)
    )
    both = sorted(set(train) & set(test))
    if both:
        raise DataError(
            f"Subject {both[0]!r} is among train_subjects and test_subjects.",
            hint="Name each subject once; without test_subjects all others are tested on.",
        )
    if train and test and set(train) | set(test) != set(index.subjects.tolist()):
        left = sorted(set(index.subjects.tolist()) - set(train) - set(test))
        raise DataError(
            f"Subject {left[0]!r} is neither among train_subjects nor among test_subjects.",
            hint="Name the subjects of one side, and all others are on the other one; 'keep' names"
            " an array that leaves sequences out.",
        )
    part: NDArray[np.bool_] = (
        np.isin(index.subjects, test) if test else ~np.isin(index.subjects, train)
    )
    if part.all() or not part.any():
        raise DataError(
            f"The subjects {', '.join(train or test)} are all there are, which leaves nobody to"
            f" {'train' if part.all() else 'test'} on.",
            hint="Name some of the subjects only.",
        )
    return part


def _val_subjects(
    index: Index, options: SubjectOptions, training: NDArray[np.bool_], seed: int
) -> Sequence[str]:
    assert index.subjects is not None
    known = sorted(set(index.subjects[training].tolist()))
    chosen = _named_subjects(index, options.val_subjects)
    for subject in chosen:
        if subject not in known:
            raise DataError(
                f"Subject {subject!r} is to be validated on, but is no training subject.",
                hint=f"The training subjects are {', '.join(known)}.",
            )
    chosen = chosen or [known[int(np.random.default_rng([seed, 0x5B]).integers(len(known)))]]
    if set(chosen) == set(known):
        raise DataError(
            f"Of the training subjects {', '.join(known)} all are for validation.",
            hint="Set validation: sequences, or train on more subjects.",
        )
    return chosen


def _named_subjects(index: Index, given: Sequence[int | str]) -> list[str]:
    assert index.subjects is not None
    return find_names(given, sorted(set(index.subjects.tolist())), "subject")


def _frames_header(options: MocapOptions) -> tuple[tuple[int, ...], np.dtype[Any]]:
    headers = read_headers(options.data, hint=HINT)
    if options.frames not in headers:
        read_arrays(options.data, [options.frames], hint=HINT)
    return headers[options.frames]


def _joint_count(shape: tuple[int, ...], dtype: np.dtype[Any], options: MocapOptions) -> int:
    if len(shape) != 2 or shape[1] % 3 or shape[1] < 6 or dtype.kind not in "iuf":
        raise DataError(
            f"{options.frames!r} has shape {shape} and type {dtype}.",
            hint="Frames are read as numbers (total frames, 3 x joints), at least two joints, with"
            " columns x0 y0 z0 x1 y1 z1 ...; for other series there is the task series_arrays.",
        )
    joints = shape[1] // 3
    for joint in (*options.joints, *(end for bone in options.bones for end in bone)):
        if joint >= joints:
            raise DataError(
                f"There is no joint {joint} among the {joints} of {options.frames!r}.",
                hint=f"Joints are counted from 0, so the last one is {joints - 1}.",
            )
    for bone in options.bones:
        if bone[0] == bone[1]:
            raise DataError(
                f"The bone {list(bone)} joins a joint with itself.", hint="Name two joints."
            )
    return joints


def _hip_joint(stored: NDArray[Any] | None, joints: int, options: MocapOptions) -> int:
    if options.hip_joint is None and stored is None:
        raise DataError(
            f"{options.data} does not tell which joint is the hip.",
            hint="Set the task's hip_joint, or add the number as the array 'hip_joint'.",
        )
    if (
        options.hip_joint is None
        and stored is not None
        and (stored.size != 1 or stored.dtype.kind not in "iu")
    ):
        raise DataError(
            f"'hip_joint' has shape {stored.shape} and type {stored.dtype}, and is no joint.",
            hint="It is one whole number; or set the task's hip_joint.",
        )
    hip = int(stored.item()) if options.hip_joint is None else options.hip_joint  # type: ignore[union-attr]
    if not 0 <= hip < joints:
        raise DataError(
            f"The hip is to be joint {hip}, but {options.frames!r} has {joints} joints.",
            hint=f"Joints are counted from 0, so the last one is {joints - 1}.",
        )
    if options.joints and (hip in options.joints or len(set(options.joints)) < len(options.joints)):
        raise DataError(
            f"The joints {', '.join(map(str, options.joints))} name one twice, or the hip ({hip}).",
            hint="All positions are relative to the hip, so its own are zero: leave it out.",
        )
    return hip


def _check_lengths(lengths: NDArray[Any], frames: int, options: MocapOptions) -> None:
    if lengths.dtype.kind not in "iu":
        raise DataError(f"{options.lengths!r} has type {lengths.dtype}; they are whole numbers.")
    for number in np.flatnonzero(lengths < 2)[:1]:
        raise DataError(
            f"Sequence {number} has {lengths[number]} frames; a covariance needs two.",
            hint="Leave out sequences so short.",
        )
    total = int(lengths.sum(dtype=np.int64))
    if total != frames:
        raise DataError(
            f"{options.lengths!r} add up to {total}, but {options.frames!r} has {frames} rows."
        )


def _kept(
    labels: NDArray[Any],
    names_of: Mapping[str, str],
    wanted: NDArray[Any] | None,
    options: MocapOptions,
) -> NDArray[np.int64]:
    chosen = np.ones(len(labels), bool)
    if wanted is not None:
        chosen = _as_booleans(wanted, str(options.keep))
    if options.classes:
        meant = {name: find_label(name, names_of) for name in options.classes}
        for name in [name for name, label in meant.items() if label is None][:1]:
            raise DataError(
                f"No sequence is labelled {str(name)!r} in {options.labels!r}.",
                hint=f"The labels are {', '.join(list(names_of)[:30])}.",
            )
        chosen &= np.isin(labels.astype(str), [label for label in meant.values() if label])
    if not chosen.any():
        raise DataError(f"{options.keep!r} is true for none of the sequences to take.")
    return np.flatnonzero(chosen)


def _as_booleans(array: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if array.dtype.kind != "b":
        raise DataError(
            f"{name!r} has type {array.dtype}; it is read as true or false for each sequence."
        )
    return np.asarray(array, bool).copy()


def _checked(frames: NDArray[Any], number: int, name: str) -> NDArray[np.float64]:
    values = np.ascontiguousarray(frames, np.float64).reshape(len(frames), -1, 3)
    for time, joint, axis in np.argwhere(~np.isfinite(values))[:1]:
        raise DataError(
            f"Sequence {number} of {name!r} is {values[time, joint, axis]} at frame {time}, joint"
            f" {joint}, {'xyz'[axis]}.",
            hint="Leave such frames out, or fill them in between their neighbours.",
        )
    return values
