"""Recorded radar signals: a folder of the published files, or one archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.arrays import (
    Split,
    encode_labels,
    read_array,
    read_arrays,
    read_first,
    read_headers,
)
from toolkit.datasets.groups import warn_of_unused
from toolkit.datasets.names import class_names, read_labels
from toolkit.errors import DataError

HINT = (
    "Name a folder of files '*_<label>.npy' (the published RADAR set: one complex vector a"
    " file), or an .npz with 'signals' (N, L) complex, 'y' and optionally 'groups' or 'split';"
    " without 'data' the signals are simulated."
)
_FILE_NAME = re.compile(r".*_(\d+)\.npy", re.IGNORECASE)


@dataclass(frozen=True)
class Index:
    """What can be known of recordings without reading the signals: one entry a signal."""

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    groups: NDArray[Any] | None = None
    split: NDArray[Any] | None = None


def read_index(path: Path) -> Index:
    """Labels and groups of the recordings at `path`, a folder or an `.npz`.

    Raises:
        DataError: there are none, or they are malformed.
    """
    if path.is_dir():
        return Index(*_file_labels(_list_files(path), path))
    arrays = read_arrays(path, ["y"], ["groups", "split", "class_names"], hint=HINT)
    labels, names = encode_labels(arrays["y"])
    names_of = class_names(read_labels(arrays["y"], "y"), arrays.get("class_names"))
    named = tuple(names_of[name] for name in names)
    return Index(labels, named, arrays.get("groups"), arrays.get("split"))


def read_signals(path: Path, count: int, min_samples: int) -> NDArray[np.complexfloating]:
    """Read the signals at `path`, in the order of `read_index`.

    Args:
        path: a folder or an `.npz`.
        count: number of labels that `read_index` found.
        min_samples: a shorter signal is an error.

    Returns:
        (N, L) complex.

    Raises:
        DataError: they are malformed; a wrong signal is named.
    """
    signals, names = _read(path)
    if not path.is_dir() and (signals.ndim != 2 or len(signals) != count):
        raise DataError(
            f"'signals' of {path} has shape {signals.shape}, but 'y' has {count} labels.",
            hint="'signals' is (N, L) complex and 'y' is (N,).",
        )
    _check_signals(signals, path, names, min_samples)
    return signals


def read_new_signals(path: Path, min_samples: int) -> tuple[NDArray[np.complexfloating], list[str]]:
    """Read signals without labels, (N, L) complex, and what each is called.

    Raises:
        DataError: they are malformed; a wrong signal is named.
    """
    signals, names = _read(path)
    if signals.ndim != 2:
        raise DataError(
            f"'signals' of {path} has shape {signals.shape}, expected (N, L) complex.", hint=HINT
        )
    _check_signals(signals, path, names, min_samples)
    return signals, names


def _read(path: Path) -> tuple[NDArray[Any], list[str]]:
    """The signals as they lie there, and the file or the number of each."""
    if path.is_dir():
        files = _list_files(path)
        return _stack([_read_vector(file) for file in files], files), [f.name for f in files]
    signals = read_arrays(path, ["signals"], hint=HINT)["signals"]
    return signals, [str(number) for number in range(signals.shape[0] if signals.ndim else 0)]


def some_signals(path: Path, count: int) -> NDArray[Any]:
    """Up to `count` signals: the first of an archive, files from all over a folder."""
    if not path.is_dir():
        return read_first(path, "signals", count)
    files = _list_files(path)
    files = files[:: -(-len(files) // count)]
    return _stack([_read_vector(file) for file in files], files)


def warnings(path: Path, index: Index, split: Split) -> list[str]:
    """Warnings of arrays that say who a signal is from, and that are not read."""
    if path.is_dir():
        return []
    by_group = index.groups is not None and index.split is None
    advice = "To test on others, save it as the array 'groups'; test_groups says which of them."
    if index.split is not None:
        advice = "Give an array 'split' that keeps them whole."
    return warn_of_unused(
        path,
        read_headers(path),
        lambda name: read_arrays(path, [name])[name],
        ["signals", "y", "split", *(["groups"] if by_group else [])],
        split,
        advice,
        by_group=by_group,
    )


def _check_signals(signals: NDArray[Any], path: Path, names: list[str], min_samples: int) -> None:
    def place(number: np.intp) -> str:
        return str(path / names[number]) if path.is_dir() else f"Signal {number} of {path}"

    if signals.dtype.kind != "c":
        raise DataError(f"The signals of {path} are of type {signals.dtype}, not complex.")
    if signals.shape[1] < min_samples:
        raise DataError(
            f"The signals of {path} have {signals.shape[1]} samples; the covariance windows"
            f" need at least {min_samples}.",
            hint="Set a shorter covariance.window.",
        )
    for number in np.flatnonzero(~np.isfinite(signals).all(axis=1)):
        sample = np.flatnonzero(~np.isfinite(signals[number]))[0]
        raise DataError(f"{place(number)} is {signals[number, sample]} at sample {sample}.")
    for number in np.flatnonzero((signals == signals[:, :1]).all(axis=1)):
        raise DataError(
            f"{place(number)} is {signals[number, 0]} throughout, so it has no covariance."
        )


def _stack(vectors: list[NDArray[Any]], files: list[Path]) -> NDArray[Any]:
    for file, vector in zip(files, vectors, strict=True):
        if len(vector) != len(vectors[0]):
            raise DataError(
                f"{file} has {len(vector)} samples, but {files[0].name} has {len(vectors[0])}."
            )
    return np.stack(vectors)


def _list_files(folder: Path) -> list[Path]:
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() == ".npy" and not file.name.startswith(".")
    )
    if not files:
        raise DataError(f"The folder {folder} holds no .npy file.", hint=HINT)
    return files


def _file_labels(files: list[Path], folder: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    digits = []
    for file in files:
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            raise DataError(f"The name {file.name} in {folder} ends in no label.", hint=HINT)
        digits.append(int(match.group(1)))
    return encode_labels(np.array(digits), name=f"the labels in {folder}")


def _read_vector(file: Path) -> NDArray[Any]:
    values = read_array(file, hint=HINT)
    if values.size != max(values.shape, default=0):
        raise DataError(f"{file} holds no vector: its shape is {values.shape}.")
    if values.dtype.kind != "c":
        raise DataError(f"{file} is of type {values.dtype}, not complex.")
    return values.reshape(-1)
