"""The run folder: one recipe a folder, files whole or not there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.files import write_atomically
from toolkit.contracts import Direction
from toolkit.errors import LedgerError, ResumeError
from toolkit.run.differences import differing
from toolkit.run.facts import DIRECTIONS, OBJECTIVES, RECIPE, SMOKE_JOB, SMOKE_PASSED
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger

PLAIN = {"name": "a", "budget": {"trials": 3, "time": None}, "train": {"seed": 0, "lr": {}}}


def claim(
    run: RunFolder, ledger: Ledger, recipe: dict[str, Any], text: str | None, **more: Any
) -> bool:
    directions: dict[str, Direction] = {"accuracy": "maximize", "loss": "minimize"}
    objectives: dict[str, Direction] = {"loss": "minimize"}
    return run.claim(ledger, recipe, text, objectives=objectives, directions=directions, **more)


def test_differences_are_dotted_keys_with_both_values() -> None:
    assert differing(PLAIN, PLAIN) == {}
    other = {"name": "a", "budget": {"trials": 4}, "train": {"seed": 0, "lr": {"log": [1, 2]}}}
    assert differing(PLAIN, other) == {
        "budget.trials": (3, 4),
        "budget.time": (None, "(absent)"),
        "train.lr": ({}, "(absent)"),
        "train.lr.log": ("(absent)", [1, 2]),
    }


def test_a_folder_is_resumed_with_another_budget_but_not_another_recipe(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.lock():
        ledger = Ledger.open(run.ledger)
        assert claim(run, ledger, PLAIN, "name: a\n") is False
        raised = {**PLAIN, "budget": {"trials": 9, "time": 60}, "resources": {"workers": 3}}
        assert claim(run, ledger, raised, "name: a\n") is True
        assert ledger.get(RECIPE) == raised
        assert ledger.get(OBJECTIVES) == {"loss": "minimize"}
        assert list(ledger.get(DIRECTIONS)) == ["accuracy", "loss"]
        assert "trials: 9" in run.resolved.read_text()
        with pytest.raises(ResumeError, match='name: "a" there, "b" now'):
            claim(run, ledger, {**raised, "name": "b"}, None)
        assert ledger.get(RECIPE) == raised
        ledger.close()
    assert run.recipe.read_text() == "name: a\n"
    assert '"python"' in run.manifest.read_text()


def test_a_start_is_taken_back_but_nothing_else(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.lock(), closing(Ledger.open(run.ledger)) as ledger:
        claim(run, ledger, PLAIN, "name: a\n")
    (run.path / "trials/smoke").mkdir(parents=True)
    (run.path / "trials/smoke/stderr.log").touch()
    archive = run.path / "data" / f"{'0' * 64}.npz"
    mine = [run.path / name for name in ("notes.txt", "trials/mine/notes.txt", "data/mine.npz")]
    for path in (archive, *mine):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    checkpoint = run.path / "trials/prepare/checkpoint/state.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    before = sorted(run.path.rglob("*"))
    run.take_back()
    assert sorted(run.path.rglob("*")) == before, "hours of a pre-training may be in it"
    checkpoint.unlink()
    with closing(Ledger.open(run.ledger)) as ledger:
        ledger.put_fact(SMOKE_PASSED, True)
    run.take_back()
    assert run.recipe.exists()
    with closing(Ledger.open(run.ledger)) as ledger:
        ledger.put_fact(SMOKE_PASSED, False)
    run.take_back()
    assert sorted(path for path in run.path.rglob("*") if path.is_file()) == sorted(mine)


def test_a_run_whose_first_batch_failed_may_have_another_recipe(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    mended = {**PLAIN, "strategy": {"name": "random"}}
    with run.lock(), closing(Ledger.open(run.ledger)) as ledger:
        claim(run, ledger, {**PLAIN, "strategy": {"name": "supernet", "lr": 1}}, "name: a\n")
        ledger.put_fact(SMOKE_JOB, {"kind": "smoke"})
        ledger.commit()
        assert claim(run, ledger, mended, "name: mended\n") is False, "nothing was begun"
        assert ledger.get(RECIPE) == mended and run.recipe.read_text() == "name: mended\n"
        ledger.put_fact(SMOKE_PASSED, True)
        ledger.commit()
        other = {**PLAIN, "strategy": {"name": "supernet", "lr": 1}}
        with pytest.raises(ResumeError, match='name: "random" there, "supernet"') as caught:
            claim(run, ledger, other, None)
    assert "strategy.lr" not in caught.value.message, "another plugin has other options"


def test_a_run_whose_ledger_was_emptied_is_not_begun_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.lock():
        with closing(Ledger.open(run.ledger)) as ledger:
            claim(run, ledger, PLAIN, None)
        run.ledger.write_bytes(b"")
        with pytest.raises(LedgerError, match="is empty"):
            Ledger.open(run.ledger, read_only=True)
        with closing(Ledger.open(run.ledger)) as ledger, pytest.raises(LedgerError, match="holds"):
            claim(run, ledger, PLAIN, None)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    with pytest.raises(TypeError):
        write_atomically(path, 3)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
