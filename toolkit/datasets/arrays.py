"""Labelled arrays for task plugins: safe reading, seeded splits, metrics of classification.

Import this inside functions: it imports NumPy, which `import toolkit` must not.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.base.errors import DataError
from toolkit.base.files import replacing
from toolkit.base.spelling import nearest
from toolkit.datasets.bounds import Header, read_header, refuse_special, refuse_too_large
from toolkit.datasets.folders import PARTS, part_called
from toolkit.datasets.names import EXACT, find_names, read_labels, tidied

Indices = NDArray[np.int64]
Labels: TypeAlias = NDArray[Any]
"""Class indices (N,), or continuous targets (N,) of double precision."""


class Split(NamedTuple):
    """Indices of the samples of each part, disjoint, in seeded random order."""

    train: Indices
    val: Indices
    test: Indices


def read_headers(path: Path, *, hint: str = "") -> dict[str, Header]:
    """Shapes and types of the arrays in an `.npz` archive, without reading the arrays.

    Args:
        path: the archive.
        hint: how to get the data, said where there is nothing at `path`.

    Raises:
        DataError: there is no archive at `path`, or it is damaged.
    """
    _check_archive(path, hint)
    headers = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as stream:
                        headers[member.removesuffix(".npy")] = read_header(stream)[0]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error
    return headers


def read_arrays(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, hint: str = ""
) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` archive; optional ones that are not there are left out.

    Pickled objects are never loaded.

    Raises:
        DataError: there is no archive at `path`, it is damaged, or it lacks a required array.
    """
    headers = read_headers(path, hint=hint)
    for name in required:
        if name not in headers:
            raise DataError(
                f"{path} has no array {name!r}; it holds {', '.join(sorted(headers)) or 'none'}.",
                hint=_nearest(name, headers),
            )
    names = [name for name in (*required, *optional) if name in headers]
    for name in names:
        if headers[name].dtype.hasobject:
            raise DataError(
                f"The array {name!r} of {path} holds Python objects, which are never loaded.",
                hint=f"Save it as one array of numbers, or of strings by {name}.astype(str);"
                " samples of unequal length go one after the other into one array, with their"
                " lengths in a second one.",
            )
    named = f"What is read of {path} ({', '.join(names)})"
    refuse_too_large(named, sum(headers[name].size for name in names))
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def read_first(path: Path, name: str, count: int) -> NDArray[Any]:
    """The first `count` rows of an array of an archive, without reading the rest.

    Raises:
        DataError: the archive is damaged, or lacks the array.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            header, by_column, begun = read_header(stream)
            if header.shape and not by_column and not header.dtype.hasobject:
                first = header._replace(shape=(min(count, header.shape[0]), *header.shape[1:]))
                refuse_too_large(f"The array {name!r} of {path}", first.size)
                content = begun + stream.read(max(first.size - len(begun), 0))
                return np.frombuffer(content[: first.size], first.dtype).reshape(first.shape)
    except KeyError:
        pass  # Said below.
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error
    return read_arrays(path, [name])[name][:count]


def read_array(path: Path, *, hint: str = "") -> NDArray[Any]:
    """Read an `.npy` file of numbers; pickled objects are never loaded.

    Raises:
        DataError: it is no such file.
    """
    refuse_special(path, hint)
    try:
        with path.open("rb") as stream:
            size = read_header(stream)[0].size
        if size > path.stat().st_size:
            raise ValueError("it is cut short")
        refuse_too_large(f"The array of {path}", size)
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no complete .npy file of numbers.",
            hint=hint or "Write it with numpy.save, from an array of numbers.",
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufcb":
        raise DataError(f"{path} does not hold one array of numbers.", hint=hint)
    return array


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write an `.npz` archive so that a reader sees all of it or nothing."""
    plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **plain)


def encode_labels(labels: NDArray[Any], name: str = "y") -> tuple[Indices, tuple[str, ...]]:
    """Number labels from 0 in sorted order.

    Args:
        labels: (N,) integers, whole floats, booleans or strings.
        name: what to call them in an error.

    Returns:
        Class indices (N,) and the classes' names.

    Raises:
        DataError: they are not one label a sample, or fewer than two classes.
    """
    labels = read_labels(labels, name)
    if labels.dtype.kind == "f":
        wrong = int(np.argmax((labels != np.round(labels)) | (np.abs(labels) > EXACT)))
        raise DataError(
            f"Label {wrong} of {name!r} is {labels[wrong]}, not a whole number.",
            hint="Labels are whole numbers or strings; where numbers are to be predicted, add"
            " `target: continuous` to the task.",
        )
    values, codes = np.unique(labels, return_inverse=True)
    if len(values) < 2:
        only = f"only the class {str(values[0])!r}" if len(values) else "no label"
        raise DataError(
            f"{name!r} holds {only}; at least two classes are needed.",
            hint="Look at the labels, or at which array is read for them.",
        )
    return codes.astype(np.int64), tuple(str(value) for value in values)


def read_targets(targets: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Continuous targets, one number a sample.

    Args:
        targets: as they are stored.
        name: what to call them in an error.

    Raises:
        DataError: they are not one finite number a sample, or are all the same.
    """
    if targets.ndim != 1:
        raise DataError(
            f"{name!r} must hold one number a sample, but has shape {targets.shape}.",
            hint="Several targets are predicted one at a time: save one column.",
        )
    if targets.dtype.kind not in "iuf":
        first = f", such as {str(targets[0])!r}" if len(targets) else ""
        raise DataError(
            f"{name!r} has type {targets.dtype}{first}; continuous targets are numbers.",
            hint="Save numbers, or leave `target: continuous` out to tell classes apart.",
        )
    values = targets.astype(np.float64)
    for index in np.flatnonzero(~np.isfinite(values))[:1]:
        raise DataError(
            f"Target {index} of {name!r} is {values[index]}, and"
            f" {int((~np.isfinite(values)).sum())} of {len(values)} are not finite.",
            hint="Leave these samples out.",
        )
    if len(np.unique(values)) < 2:
        only = f"only the number {values[0]:g}" if len(values) else "no target"
        raise DataError(
            f"{name!r} holds {only}; at least two different ones are needed.",
            hint="Look at the targets, or at which array is read for them.",
        )
    return values


def make_split(
    labels: Labels,
    names: Sequence[str],
    ratio: Sequence[float],
    seed: int,
    *,
    declared: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    test_groups: Sequence[object] = (),
) -> Split:
    """Split samples into training, validation and test.

    Equal arguments give equal splits. Classes keep their shares in every part that is drawn.

    Args:
        labels: class indices (N,), or continuous targets.
        names: the classes' names, for errors; none of continuous targets.
        ratio: shares of training : validation : test; where the test part is given, the first
            two share the rest.
        seed: of the draw.
        declared: (N,) of `train`, `val`, `test`, or booleans (True is training); where it names
            no validation part, one is drawn from the training part.
        groups: (N,) of group names; used where nothing is declared. The test part is whole groups.
        test_groups: which ones; the last in sorted order if empty.

    Raises:
        DataError: a class has too few samples, or `declared`, `groups` or `test_groups` do not
            fit.
    """
    split = _make_split(labels, names, ratio, seed, declared, groups, test_groups)
    check_parts(split, labels, names)
    return split


def check_parts(split: Split, labels: Labels, names: Sequence[str]) -> None:
    """Checks that no part is empty, and that every class is trained on.

    Raises:
        DataError: naming the part or the class.
    """
    for part, members in zip(("training", "validation", "test"), split, strict=True):
        if not len(members):
            raise DataError(
                f"The {part} part of the data is empty.", hint="Give it samples, or another split."
            )
    if names:
        _check_trained(labels[split.train], names)


def _make_split(
    labels: Labels,
    names: Sequence[str],
    ratio: Sequence[float],
    seed: int,
    declared: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    test_groups: Sequence[object],
) -> Split:
    everything = np.arange(len(labels))
    if test_groups and (groups is None or declared is not None):
        why = "there are no groups" if groups is None else "a given split says what to test on"
        raise DataError(
            f"test_groups are {', '.join(map(str, test_groups))}, but {why}.",
            hint="Leave test_groups out, or give the data an array of groups and no split.",
        )
    if declared is not None:
        part = _declared_parts(declared, len(labels))
        if (part == 1).any():
            return _shuffled(Split(*(np.flatnonzero(part == index) for index in range(3))), seed)
        rest, test = everything[part == 0], everything[part == 2]
    elif groups is not None:
        in_test = _in_test_groups(groups, test_groups, len(labels))
        rest, test = everything[~in_test], everything[in_test]
    else:
        return Split(*stratified_parts(labels, everything, names, ratio, seed))
    train, val = stratified_parts(labels, rest, names, ratio[:2], seed)
    return _shuffled(Split(train, val, test), seed)


def classification_metrics(scores: Any, labels: Any) -> dict[str, float]:
    """Accuracy, balanced accuracy and cross-entropy of scores before softmax.

    Args:
        scores: (N, classes), a tensor or an array.
        labels: (N,) class indices.

    Returns:
        `accuracy`; `balanced_accuracy` (mean recall of the classes present); `loss` (mean
        cross-entropy, nats). NaN in a score gives a NaN loss.
    """
    values, truth = to_numpy(scores).astype(np.float64), to_numpy(labels)
    hits = values.argmax(axis=1) == truth
    recalls = [hits[truth == label].mean() for label in np.unique(truth)]
    shifted = values - values.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, truth[:, None], axis=1)[:, 0]
    losses = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return {
        "accuracy": float(hits.mean()),
        "balanced_accuracy": float(np.mean(recalls)),
        "loss": float(losses.mean()),
    }


def stratified_parts(
    labels: Labels, members: Indices, names: Sequence[str], ratio: Sequence[float], seed: int
) -> list[Indices]:
    """Returns parts of `members`, each class divided by `ratio`, none left empty.

    Args:
        labels: class indices of all samples (N,), or continuous targets.
        members: indices of the samples to divide.
        names: the classes' names, for errors; none of continuous targets, which are divided all
            together.
        ratio: shares of the parts.
        seed: of the draw.

    Raises:
        DataError: a class has fewer samples than there are parts.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    shares = np.asarray(ratio, np.float64) / np.sum(ratio)
    parts: list[list[Indices]] = [[] for _ in shares]
    if not names:
        if len(members) < len(shares):
            raise DataError(
                f"There are {len(members)} samples to divide into {len(shares)} parts; each part"
                " needs at least one.",
                hint="Add samples.",
            )
        ends = np.cumsum(_apportion(len(members), shares))[:-1]
        return np.split(rng.permutation(members), ends)
    for label, name in enumerate(names):
        own = rng.permutation(members[labels[members] == label])
        if not len(own):
            raise DataError(
                f"Class {name!r} has samples in the test part alone, and none to train on.",
                hint="Look at how it is written there, or leave it out.",
            )
        if len(own) < len(shares):
            raise DataError(
                f"Class {name!r} has {len(own)} {'sample' if len(own) == 1 else 'samples'} to"
                f" divide into {len(shares)} parts; each part needs at least one.",
                hint="Add samples of this class or leave it out.",
            )
        counts = _apportion(len(own), shares)
        for part, piece in zip(parts, np.split(own, np.cumsum(counts)[:-1]), strict=True):
            part.append(piece)
    return [rng.permutation(np.concatenate(part)) for part in parts]


def _apportion(total: int, shares: NDArray[np.float64]) -> Indices:
    """Whole numbers of sum `total`, none zero, nearest to the shares (largest remainder)."""
    quotas = shares * total
    counts = np.floor(quotas).astype(np.int64)
    counts[np.argsort(counts - quotas, kind="stable")[: total - counts.sum()]] += 1
    while counts.min() == 0:
        counts[counts.argmin()] += 1
        counts[counts.argmax()] -= 1
    return counts


def _check_trained(labels: Indices, names: Sequence[str]) -> None:
    counts = np.bincount(labels, minlength=len(names)).tolist()
    if 0 in counts:
        raise DataError(
            f"Class {names[counts.index(0)]!r} has no sample marked 'train' in the split.",
            hint="A class that is to be told from others is among the training samples.",
        )


def _shuffled(split: Split, seed: int) -> Split:
    rng = np.random.default_rng([seed, 0xA11])
    return Split(*(rng.permutation(part) for part in split))


def _declared_parts(declared: NDArray[Any], count: int) -> Indices:
    """0, 1, 2 per sample for training, validation, test."""
    if declared.shape != (count,):
        raise DataError(
            f"The split has shape {declared.shape}, but there are {count} samples.",
            hint="Give one entry a sample; split.ravel() makes (N,) of (N, 1).",
        )
    if declared.dtype.kind == "b":
        part = np.where(declared, 0, 2)
    else:
        words = tidied(declared, "Entry", "the split").astype(str).tolist()
        parts = [part_called(word) for word in words]
        part = np.array([PARTS.index(name) if name else -1 for name in parts], np.int64)
        wrong = np.flatnonzero(part < 0)
        if len(wrong):
            raise DataError(
                f"Entry {wrong[0]} of the split is {words[wrong[0]]!r}.",
                hint="Each entry is 'train', 'val' or 'test', or true for training.",
            )
    for index, name in enumerate(PARTS):
        if name == "val":
            continue
        if not (part == index).any():
            raise DataError(
                f"The split marks no sample as {name!r}.",
                hint="Samples are marked 'train' and 'test', and 'val' if none are to be drawn"
                " from the training samples for validation.",
            )
    return part


def _in_test_groups(
    groups: NDArray[Any], test_groups: Sequence[object], count: int
) -> NDArray[np.bool_]:
    if groups.shape != (count,):
        raise DataError(
            f"The groups have shape {groups.shape}, but there are {count} samples.",
            hint="Give one entry a sample; groups.ravel() makes (N,) of (N, 1).",
        )
    groups = tidied(groups, "Entry", "the groups")
    known = [str(group) for group in np.unique(groups)]
    chosen = find_names(test_groups, known, "group", " to test on") or known[-1:]
    if set(chosen) == set(known):
        raise DataError(
            f"All groups ({', '.join(known)}) would be for testing and none for training.",
            hint="Give data with at least two groups, or fewer test_groups.",
        )
    return np.isin(groups.astype(str), chosen)


def to_numpy(values: Any) -> NDArray[Any]:
    """Returns a tensor's values, or an array as it is."""
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(detached)


def _check_archive(path: Path, hint: str) -> None:
    if not path.exists():
        raise DataError(f"There are no data at {path}.", hint=_beside(path) or hint)
    refuse_special(path, hint)
    if path.is_dir():
        raise DataError(f"{path} is a folder, but an .npz file is read.", hint=hint)
    if not zipfile.is_zipfile(path):
        what, how = _kind_of(path)
        raise DataError(f"{path} {what}.", hint=how)


def _beside(path: Path) -> str:
    """Which file of a similar name lies there, if any: mistyped, or encoded in another way."""
    with suppress(OSError), os.scandir(path.parent) as entries:
        names = {Path(entry.name).stem: entry.name for entry in islice(entries, 1000)}
        near = nearest(path.stem, names, cutoff=0.65)
        return f"Is it {names[near]!r}, which lies there?" if near else ""
    return ""


_KINDS = (
    (b"\x93NUMPY", "one array (.npy)", "numpy.load(FILE)"),
    (b"\x89HDF", "an HDF5 file (as .h5, and .mat of MATLAB 7.3)", "h5py.File(FILE)"),
    (b"MATLAB 5.0", "a MATLAB file", "scipy.io.loadmat(FILE)"),
    (b"PAR1", "a Parquet file", "pandas.read_parquet(FILE)"),
    (b"\x80", "a pickle", "what wrote it, if you trust it"),
)
"""First bytes of files that are not archives, what these are, and what reads them."""


def _kind_of(path: Path) -> tuple[str, str]:
    """What is to be said of a file that is no archive, and what to do."""
    with path.open("rb") as stream:
        begins = stream.read(16)
    save = "save what it holds by numpy.savez('data.npz', X=..., y=...)"
    for mark, what, reader in _KINDS:
        if begins.startswith(mark):
            return f"is {what}, and an .npz archive is read", f"Read it by {reader} and {save}."
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".json"):
        what = f"is text ({path.suffix.lower()}), and an .npz archive is read"
        return what, f"Read it by pandas or numpy.loadtxt and {save}."
    return "is not a complete .npz archive", "Write it once more, by numpy.savez."


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged: {error}.", hint="Get or write the file again.")


def _nearest(name: str, headers: Mapping[str, Header]) -> str:
    near = nearest(name, headers, cutoff=0.4)
    if near:
        return f"Is it {near!r}? Rename it, or name it in the task's options."
    return (
        "Add it, or name the array to read in the task's options, as in task.x=NAME. New data for a"
        " model have the names of those it was trained on."
    )
