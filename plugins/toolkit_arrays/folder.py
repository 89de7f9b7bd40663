"""A folder of one matrix per file, as the HDM05 and AFEW sets are published, read as an archive.

Layouts::

    12_148_3.npy                the class after the last underscore of the name (HDM05)
    3/some_name.mat             the class as the name of the folder
    train/3/001.mat             either of these in given parts; of train/ and val/ alone, train/ is
    val/3/002.mat               divided into training and validation data, and val/ is tested on
                                (AFEW)

Which names are parts, and what is skipped, is said in `toolkit.datasets.folders`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.datasets.folders import File, Kind, Listing, files_below, list_folder
from toolkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.datasets.arrays import Header

FOLDER_HINT = (
    "Put one matrix into each .npy or .mat file, and its class after the last underscore of the"
    " file's name, 12_148_3.npy, or into the name of its folder, 3/012.mat."
)
SUFFIXES = (".npy", ".mat")


def read_folder_headers(folder: Path, x: str, y: str) -> dict[str, Header]:
    """Headers that an archive of the same matrices would have, from the first file.

    Raises
    ------
    DataError
        If there are no such files, or the first is no array.
    """
    import numpy as np

    from toolkit.datasets.arrays import Header

    files = list_matrices(folder).files
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

    Where the folder has parts, `split` (N,) names the part of each matrix.

    Raises
    ------
    DataError
        If a file is missing its label, is no array, or differs in shape from the first.
    """
    listing = list_matrices(folder)
    arrays: dict[str, NDArray[Any]] = {y: _labels(listing.files)}
    if listing.parts:
        arrays[split] = _given_parts(listing)
    if x in required:
        arrays[x] = read_matrices(listing.files)
    return arrays


def read_matrices(files: Sequence[File]) -> NDArray[Any]:
    """The matrices of some files (N, n, n).

    Raises
    ------
    DataError
        If a file is no array, or differs in shape from the first.
    """
    import numpy as np

    first = _matrix(files[0].path)
    matrices = np.empty((len(files), *first.shape), first.dtype)
    for position, file in enumerate(files):
        matrix = _matrix(file.path)
        if matrix.shape != first.shape:
            raise DataError(
                f"{file.path} holds an array of shape {matrix.shape}, but {files[0].path.name}"
                f" one of {first.shape}."
            )
        matrices[position] = matrix
    return matrices


def list_new_matrices(folder: Path) -> list[File]:
    """Every matrix of a folder, in order, for which no class is looked for.

    Raises
    ------
    DataError
        If there is none.
    """
    kind = Kind("matrices", SUFFIXES, FOLDER_HINT)
    files = [File(path, "", "") for path in files_below(folder, kind)]
    if not files:
        raise DataError(f"There is no matrix in {folder}.", hint=kind.endings_in_words)
    return files


def list_matrices(folder: Path) -> Listing:
    """Every matrix of a folder, sorted by part, class and name.

    Raises
    ------
    DataError
        If there is none, or a name has no class; see `toolkit.datasets.folders.list_folder`.
    """
    return list_folder(folder, Kind("matrices", SUFFIXES, FOLDER_HINT, _label_of))


def _given_parts(listing: Listing) -> NDArray[Any]:
    import numpy as np

    tested = "val" if listing.parts == {"train", "val"} else "test"
    return np.array(["test" if file.part == tested else file.part for file in listing.files])


def _label_of(file: Path) -> str:
    label = file.stem.rpartition("_")[2]
    if not label.isdecimal():
        raise DataError(f"The name of {file} does not end in a class number.", hint=FOLDER_HINT)
    return label


def _labels(files: Sequence[File]) -> NDArray[Any]:
    """Whole numbers where all are, else text."""
    import numpy as np

    labels = [file.label for file in files]
    numbers = all(label.isdecimal() for label in labels)
    if numbers and len({int(label) for label in labels}) == len(set(labels)):
        return np.array([int(label) for label in labels])
    return np.array(labels)


def _matrix(path: Path) -> NDArray[Any]:
    from toolkit.datasets.arrays import read_array

    return _read_mat(path) if path.suffix.lower() == ".mat" else read_array(path, hint=FOLDER_HINT)


def _read_mat(path: Path) -> NDArray[Any]:
    """The one matrix of a MATLAB file (before version 7.3); scalars and texts beside it are none.

    Raises
    ------
    DataError
        If it cannot be read, or holds no matrix or several.
    """
    import numpy as np
    from scipy.io import loadmat, whosmat

    from toolkit.datasets.bounds import refuse_too_large

    hint = "Save one matrix in it, without the option -v7.3."
    try:
        for name, shape, _ in whosmat(str(path), appendmat=False):
            refuse_too_large(f"The array {name!r} of {path}", 8 * math.prod(shape))
        content = loadmat(str(path), appendmat=False)
    except DataError:
        raise
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
