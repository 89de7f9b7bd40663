"""Files of folders from elsewhere are read as files; a run writes to files that are its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.base.files import (
    LARGEST,
    is_inside,
    json_within,
    open_to_append,
    read_within,
    write_atomically,
)

pytestmark = pytest.mark.faults


def test_a_file_and_a_link_within_its_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("[1]")
    (tmp_path / "b").symlink_to("a")
    assert read_within(tmp_path, tmp_path / "b") == b"[1]"
    assert json_within(tmp_path, tmp_path / "a") == [1]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to(path),
        lambda path: path.write_bytes(b"x" * 101),
    ],
    ids=["missing", "folder", "fifo", "device", "outside", "itself", "large"],
)
def test_what_is_no_file_of_the_folder_is_an_os_error(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "a")
    with pytest.raises((OSError, RuntimeError)):
        read_within(tmp_path, tmp_path / "a", most=100)


def test_json_without_end_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("[" * 200_000)
    with pytest.raises(ValueError):
        json_within(tmp_path, tmp_path / "a")


def test_a_file_larger_than_the_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", LARGEST + 1)
    monkeypatch.setattr("toolkit.base.files.allowed_bytes", lambda: LARGEST)
    with pytest.raises(OSError, match="has more than"):
        read_within(tmp_path, tmp_path / "sparse", None)


def test_a_link_that_leads_to_itself_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert not is_inside(tmp_path, tmp_path / "loop" / "file")
    with pytest.raises(OSError, match="leads out"):
        read_within(tmp_path, tmp_path / "loop")


def test_text_that_is_no_utf_8_is_written_with_escapes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "page.html", "caf\udce9 é")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "caf\\udce9 é"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/full"),
        lambda path: path.symlink_to(path.with_name("new")),
    ],
    ids=["folder", "fifo", "device", "link"],
)
def test_nothing_but_a_file_is_appended_to(tmp_path: Path, make: Callable[[Path], object]) -> None:
    os.close(open_to_append(tmp_path / "own"))
    make(tmp_path / "a")
    with pytest.raises(OSError):
        open_to_append(tmp_path / "a")
    assert not (tmp_path / "new").exists()
