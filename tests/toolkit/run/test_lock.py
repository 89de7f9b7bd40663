"""The lock of a run folder: one engine at a time, and who it is can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.errors import RunLockedError, ToolkitError
from toolkit.run.lock import holder, lock


def test_the_lock_is_held_against_others_and_ends_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom toolkit.run.lock import lock\n"
        f"with lock(Path({str(tmp_path)!r})):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RunLockedError, match=f"pid {process.pid} on "), lock(tmp_path):
        pass
    assert holder(tmp_path).startswith(f"pid {process.pid} on "), "no attempt forgets who has it"
    process.kill()
    process.communicate()
    assert holder(tmp_path) == ""
    with lock(tmp_path):
        assert holder(tmp_path).startswith("pid ")


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolkitError, match="cannot be used"), lock(tmp_path / "file"):
        pass


def test_a_folder_without_lock_is_held_by_nobody_and_stays_as_it_is(tmp_path: Path) -> None:
    assert holder(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
