"""The run folder: one engine at a time, one recipe a folder, files whole or not there."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from toolkit.errors import LedgerError, ResumeError, RunLockedError, ToolkitError
from toolkit.run.folder import RunFolder, differing, write_atomically
from toolkit.run.ledger import Ledger

RECIPE = {"name": "a", "budget": {"trials": 3, "time": None}, "train": {"seed": 0, "lr": {}}}


def test_differences_are_dotted_keys_with_both_values() -> None:
    assert differing(RECIPE, RECIPE) == {}
    other = {"name": "a", "budget": {"trials": 4}, "train": {"seed": 0, "lr": {"log": [1, 2]}}}
    assert differing(RECIPE, other) == {
        "budget.trials": (3, 4),
        "budget.time": (None, "(absent)"),
        "train.lr": ({}, "(absent)"),
        "train.lr.log": ("(absent)", [1, 2]),
    }


def test_a_folder_is_resumed_with_another_budget_but_not_another_recipe(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.lock():
        ledger = Ledger.open(run.ledger)
        assert run.claim(ledger, RECIPE, "name: a\n") is False
        raised = {**RECIPE, "budget": {"trials": 9, "time": 60}, "resources": {"workers": 3}}
        assert run.claim(ledger, raised, "name: a\n") is True
        assert ledger.meta("recipe") == raised
        assert "trials: 9" in run.resolved.read_text()
        with pytest.raises(ResumeError, match='name: "a" there, "b" now'):
            run.claim(ledger, {**raised, "name": "b"}, None)
        assert ledger.meta("recipe") == raised
        ledger.close()
    assert run.recipe.read_text() == "name: a\n"
    assert '"python"' in run.manifest.read_text()


def test_a_run_whose_ledger_was_emptied_is_not_begun_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.lock():
        with closing(Ledger.open(run.ledger)) as ledger:
            run.claim(ledger, RECIPE, None)
        run.ledger.write_bytes(b"")
        with pytest.raises(LedgerError, match="is empty"):
            Ledger.open(run.ledger, read_only=True)
        with closing(Ledger.open(run.ledger)) as ledger, pytest.raises(LedgerError, match="holds"):
            run.claim(ledger, RECIPE, None)


def test_the_lock_is_held_against_others_and_ends_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom toolkit.run.folder import RunFolder\n"
        f"with RunFolder(Path({str(tmp_path)!r})).lock():\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunLockedError, match=f"pid {holder.pid} on "), RunFolder(tmp_path).lock():
        pass
    holder.kill()
    holder.communicate()
    with RunFolder(tmp_path).lock():
        pass


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolkitError, match="cannot be used"), RunFolder(tmp_path / "file").lock():
        pass


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    with pytest.raises(TypeError):
        write_atomically(path, 3)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
