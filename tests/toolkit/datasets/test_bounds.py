"""Data that would never end, or never fit: a sentence, before anything is read of them."""

from __future__ import annotations

import io
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.base.memory import CAP, allowed_bytes
from toolkit.datasets.arrays import read_array, read_arrays, read_first, read_headers
from toolkit.datasets.folders import Kind, list_folder
from toolkit.errors import DataError, ToolkitError

pytestmark = pytest.mark.faults


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    stream = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, described)
    return stream.getvalue()


def bomb(path: Path, shape: tuple[int, ...], name: str = "X.npy") -> None:
    """An archive that says it holds an array, of which a few bytes are there."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, header(shape) + bytes(1 << 16))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "a FIFO"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (make_socket, "a socket"),
    ],
    ids=["fifo", "device", "socket"],
)
def test_what_is_no_file_is_never_opened(
    make: Callable[[Path], None], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("d.npz")
    make(path)
    for read in (read_headers, read_array, lambda path: read_arrays(path, ["X"])):
        with pytest.raises(DataError, match=f"is {what}, expected a file"):
            read(path)
    path.rename("1.png")
    with pytest.raises(DataError, match=f"1.png is {what}"):
        list_folder(tmp_path, Kind("images", [".png"], ""))
    recipe = {"task": {"name": "spd_arrays", "data": "1.png"}, "space": "spd_cell"}
    with pytest.raises(ToolkitError, match=f"1.png is {what}, expected a file or a folder"):
        import toolkit

        toolkit.validate(recipe)


def test_an_array_that_fits_into_no_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    bomb(path, (10**7, 1000, 1000))
    with pytest.raises(DataError, match=r"takes 80 TB of memory, and .* are free"):
        read_arrays(path, ["X"])
    with pytest.raises(DataError, match="TB of memory"):
        read_first(path, "X", 10**7)


def test_a_workers_cap_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.npz"
    np.savez_compressed(path, X=np.zeros((1000, 1000)))
    assert read_arrays(path, ["X"])["X"].shape == (1000, 1000)
    monkeypatch.setenv(CAP, "1000000")
    assert allowed_bytes() == 10**6
    with pytest.raises(DataError, match=r"1 MB resources\.memory allows"):
        read_arrays(path, ["X"])


def test_a_header_is_read_up_to_its_usual_size(tmp_path: Path) -> None:
    path = tmp_path / "header.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        content = b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b" " * (1 << 20)
        archive.writestr("X.npy", content)
    with pytest.raises(DataError, match="damaged"):
        read_headers(path)


def test_an_npy_file_that_is_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.npy"
    path.write_bytes(header((10**12,)) + bytes(100))
    with pytest.raises(DataError, match=r"no complete \.npy file"):
        read_array(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_first_rows_are_those_of_the_array(order: str, tmp_path: Path) -> None:
    array = np.asarray(np.random.default_rng(0).normal(size=(300, 70)), order=order)
    np.savez(tmp_path / "a.npz", X=array)
    for count in (1, 7, 299, 1000):
        assert np.array_equal(read_first(tmp_path / "a.npz", "X", count), array[:count])
