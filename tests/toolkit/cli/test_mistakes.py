"""Paths, arrays and values that a user gives by mistake are answered, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import run_toolkit
from toolkit.base.room import free_bytes
from toolkit.cli.guard import guarded
from toolkit.datasets.live import to_array
from toolkit.errors import DataError

LONG = "a" * 300
TINY = (
    "{version: 1, name: t, task: {name: spd_arrays, data: x.npz}, space: spd_cell,"
    " strategy: random}"
)


@pytest.mark.parametrize(
    "words",
    [
        ["validate", f"{LONG}.yaml"],
        ["validate", "t.yaml", f"task.data={LONG}.npz"],
        ["validate", "t.yaml", "--plugin", f"{LONG}.py"],
        ["search", "t.yaml", "-o", LONG],
        ["status", LONG],
        ["predict", LONG, "x.npz"],
    ],
    ids=lambda words: words[0] + str(len(words)),
)
def test_a_path_that_is_too_long_is_answered_in_a_sentence(
    tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "t.yaml").write_text(TINY)
    answer = run_toolkit(*words, folder=tmp_path)
    assert answer.code != 0
    assert "Unexpected" not in answer.err and "Traceback" not in answer.err
    assert "long" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["t.yaml"]


def test_predictions_never_take_the_place_of_the_data(tmp_path: Path) -> None:
    data = tmp_path / "new.npz"
    data.write_bytes(b"the only copy")
    answer = run_toolkit("predict", "run", data, "-o", "new.npz", folder=tmp_path)
    assert answer.code == 2 and "holds the data" in answer.err
    assert data.read_bytes() == b"the only copy"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("task.classes=[true, no]", "in quotes it is text: 'true'"),
        ("task.test_groups=[0.5]", "in quotes it is text: '0.5'"),
        ("task.classes=0,1", "as in [0, 1]"),
        (f"name={'n' * 300}", "expected a text of at most"),
    ],
)
def test_an_override_of_another_type_is_shown_as_it_must_be(
    tmp_path: Path, override: str, words: str
) -> None:
    (tmp_path / "t.yaml").write_text(TINY)
    assert words in run_toolkit("validate", "t.yaml", override, folder=tmp_path).err


def test_a_file_system_without_a_size_is_not_taken_for_a_full_one() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc")
    assert free_bytes(Path("/proc/self")) > 0


def test_arrays_with_masked_entries_are_refused() -> None:
    with pytest.raises(DataError, match="'X' is masked in 1 entries"):
        to_array(np.ma.masked_less(np.arange(4), 1), "X")
    assert to_array(np.ma.masked_less(np.arange(4), 0), "X").tolist() == [0, 1, 2, 3]


def test_a_working_folder_that_is_gone_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    def look() -> None:
        Path.cwd()

    with pytest.raises(SystemExit):
        guarded(look)()
    assert "The working folder is not there any more" in capsys.readouterr().err
