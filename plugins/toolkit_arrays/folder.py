"""A folder of one matrix per file, as the HDM05 and AFEW sets are published, read as an archive.

Layouts::

    12_148_3.npy                the class after the last underscore of the name (HDM05)
    3/some_name.mat             the class as the name of the folder
    train/3/001.mat             the same, with the given parts: train/ is divided into training and
    val/3/002.mat               validation data, val/ (or test/) is tested on (AFEW)

A folder that holds nothing but such a folder is read as that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from toolkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.datasets.arrays import Header

FOLDER_HINT = (
    "Put one matrix into each .npy or .mat file, and its class after the last underscore of the"
    " file's name, 12_148_3.npy, or into the name of its folder, 3/012.mat."
)
SUFFIXES = (".npy", ".mat")
TRAIN, TEST = "train", ("val", "test")


class File(NamedTuple):
    """One matrix: where it is, its class, and whether the given parts leave it to learn from."""

    path: Path
    label: str
    development: bool | None


def read_folder_headers(folder: Path, x: str, y: str) -> dict[str, Header]:
    """Headers that an archive of the same matrices would have, from the first file.

    Raises
    ------
    DataError
        If there are no such files, or the first is no array.
    """
    import numpy as np

    from toolkit.datasets.arrays import Header

    files = list_files(folder)
    first = _matrix(files[0].path)
    labels = _labels(files)
    return {
        x: Header((len(files), *first.shape), np.dtype(first.dtype)),
        y: Header((len(files),), labels.dtype),
    }


def read_folder(
    folder: Path, required: Sequence[str], x: str, y: str, split: str
) -> dict[str, NDArray[Any]]:
    """Matrices `x` (N, n, n) and labels `y` (N,), those of both that are required, by file name.

    Where the folder has parts, `split` (N,) says of each matrix whether it is to learn from.

    Raises
    ------
    DataError
        If a file is missing its label, is no array, or differs in shape from the first.
    """
    import numpy as np

    files = list_files(folder)
    arrays: dict[str, NDArray[Any]] = {y: _labels(files)}
    if files[0].development is not None:
        arrays[split] = np.array([file.development for file in files])
    if x in required:
        first = _matrix(files[0].path)
        arrays[x] = np.empty((len(files), *first.shape), first.dtype)
        for position, file in enumerate(files):
            matrix = _matrix(file.path)
            if matrix.shape != first.shape:
                raise DataError(
                    f"{file.path} holds an array of shape {matrix.shape}, but {files[0].path.name}"
                    f" one of {first.shape}."
                )
            arrays[x][position] = matrix
    return arrays


def list_files(folder: Path) -> list[File]:
    """Every matrix of a folder, sorted by part, class and name.

    Raises
    ------
    DataError
        If there is none, or a name has no class.
    """
    flat = _matrices_in(folder)
    if flat:
        return [File(path, _label_of(path), None) for path in flat]
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    names = [path.name for path in folders]
    tests = [name for name in TEST if name in names]
    if TRAIN in names and tests:
        files = [*_by_class(folder / TRAIN, True), *_by_class(folder / tests[0], False)]
        if {file.development for file in files} != {True, False}:
            raise DataError(
                f"{folder} has {TRAIN}/ and {tests[0]}/, but one of them holds no class folders"
                " with matrices.",
                hint=FOLDER_HINT,
            )
        return files
    files = list(_by_class(folder, None))
    if not files and len(folders) == 1:
        return list_files(folders[0])
    if not files:
        raise DataError(
            f"The folder {folder} holds no .npy files and no .mat files.", hint=FOLDER_HINT
        )
    return files


def _by_class(folder: Path, development: bool | None) -> Iterator[File]:
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in _matrices_in(inner):
            yield File(path, inner.name, development)


def _matrices_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())


def _label_of(file: Path) -> str:
    label = file.stem.rpartition("_")[2]
    if not label.isdecimal():
        raise DataError(f"The name of {file} does not end in a class number.", hint=FOLDER_HINT)
    return label


def _labels(files: Sequence[File]) -> NDArray[Any]:
    """Whole numbers where all are, else text."""
    import numpy as np

    labels = [file.label for file in files]
    if all(label.isdecimal() for label in labels):
        return np.array([int(label) for label in labels])
    return np.array(labels)


def _matrix(path: Path) -> NDArray[Any]:
    from toolkit.datasets.arrays import read_array

    return _read_mat(path) if path.suffix == ".mat" else read_array(path, hint=FOLDER_HINT)


def _read_mat(path: Path) -> NDArray[Any]:
    """The one matrix of a MATLAB file (before version 7.3); scalars and texts beside it are none.

    Raises
    ------
    DataError
        If it cannot be read, or holds no matrix or several.
    """
    import numpy as np
    from scipy.io import loadmat

    hint = "Save one matrix in it, without the option -v7.3."
    try:
        content = loadmat(str(path), appendmat=False)
    except Exception as error:  # A damaged file meets SciPy in many ways.
        raise DataError(f"{path} is no MATLAB file that is read: {error}.", hint=hint) from None
    found = {
        name: value
        for name, value in content.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "iufc" and value.size > 1
    }
    if len(found) != 1:
        names = f"several: {', '.join(found)}" if found else "none"
        raise DataError(f"{path} should hold one matrix, and holds {names}.", hint=hint)
    (matrix,) = found.values()
    return np.asarray(matrix)
