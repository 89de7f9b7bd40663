"""A folder of one matrix per `.npy` file, as the HDM05 set is published, read as an archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.data import Header

FOLDER_HINT = (
    "Put one matrix into each .npy file, and its class after the last underscore of the file's"
    " name: 12_148_3.npy."
)


def read_folder_headers(folder: Path, x: str, y: str) -> dict[str, Header]:
    """Headers that an archive of the same matrices would have, from the first file.

    Raises
    ------
    DataError
        If there are no such files, or the first is no array.
    """
    import numpy as np

    from toolkit.data import Header, read_array

    files = _files(folder)
    first = read_array(files[0], hint=FOLDER_HINT)
    return {
        x: Header((len(files), *first.shape), first.dtype),
        y: Header((len(files),), np.dtype(np.int64)),
    }


def read_folder(folder: Path, required: Sequence[str], x: str, y: str) -> dict[str, NDArray[Any]]:
    """Matrices `x` (N, n, n) and labels `y` (N,), those of both that are required, by file name.

    Raises
    ------
    DataError
        If a file is missing its label, is no array, or differs in shape from the first.
    """
    import numpy as np

    from toolkit.data import read_array

    files = _files(folder)
    arrays: dict[str, NDArray[Any]] = {y: np.array([_label(file) for file in files])}
    if x in required:
        matrices = [read_array(file, hint=FOLDER_HINT) for file in files]
        for file, matrix in zip(files, matrices, strict=True):
            if matrix.shape != matrices[0].shape:
                raise DataError(
                    f"{file} holds an array of shape {matrix.shape}, but {files[0].name} one of"
                    f" {matrices[0].shape}."
                )
        arrays[x] = np.stack(matrices)
    return arrays


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise DataError(f"The folder {folder} holds no .npy files.", hint=FOLDER_HINT)
    return files


def _label(file: Path) -> int:
    label = file.stem.rpartition("_")[2]
    if not label.isdecimal():
        raise DataError(f"The name of {file} does not end in a class number.", hint=FOLDER_HINT)
    return int(label)
