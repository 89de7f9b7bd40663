"""`toolkit runs`, `delete` and `reproduce`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import toolkit
from command_line import run_toolkit
from tiny import PLUGINS, tiny_recipe
from toolkit.contracts import Outcome, TrialState
from toolkit.run.lock import lock


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds runs/tiny."""
    home = tmp_path_factory.mktemp("home")
    toolkit.search(tiny_recipe(), plugins=PLUGINS, output=home / "runs/tiny")
    return home


def test_runs_are_listed_beside_each_other(finished: Path, run_folder: Path) -> None:
    answer = run_toolkit("runs", "--json", folder=finished)
    (row,) = map(json.loads, answer.out.splitlines())
    assert (row["run"], row["state"], row["trials"]) == ("runs/tiny", "done", 2)
    assert row["objective"] == "accuracy" and row["best"] is not None and row["test"] is not None
    (run_folder.parent / "broken").mkdir()
    (run_folder.parent / "broken/ledger.sqlite").write_bytes(b"no ledger" * 100)
    (run_folder / "kept/trial-1").mkdir(parents=True)
    (run_folder / "kept/trial-1/ledger.sqlite").write_bytes(b"within a run")
    answer = run_toolkit("runs", run_folder.parent, "--json")
    rows = {Path(row["run"]).name: row for row in map(json.loads, answer.out.splitlines())}
    assert {name: row["state"] for name, row in rows.items()} == {
        "broken": "damaged",
        "half": "stopped",
    }
    assert run_toolkit("runs", folder=finished).out.splitlines()[1].startswith("runs/tiny")
    answer = run_toolkit("runs", folder=run_folder)
    assert answer.code == 1 and "There is no folder runs" in answer.err


def test_delete_asks(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run_toolkit("delete", run_folder).code == 1 and run_folder.exists()
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run_toolkit("delete", run_folder).code == 1 and run_folder.exists()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run_toolkit("delete", run_folder).code == 0 and not run_folder.exists()


def test_what_is_no_run_or_more_than_one_is_not_deleted(run_folder: Path) -> None:
    answer = run_toolkit("delete", "-y", run_folder.parent)
    assert answer.code == 2 and "no run folder" in answer.err
    for folder in (run_folder, run_folder / "trials"):
        answer = run_toolkit("delete", "-y", run_folder, folder=folder)
        assert answer.code == 1 and "holds the working directory" in answer.err
    link = run_folder.parent / "link"
    link.symlink_to(run_folder)
    assert "is a link" in run_toolkit("delete", "-y", link).err
    with lock(run_folder):
        assert run_toolkit("delete", "-y", run_folder).code == 6
    (run_folder / "pyproject.toml").touch()
    assert "holds pyproject.toml" in run_toolkit("delete", "-y", run_folder).err
    assert (run_folder / "ledger.sqlite").is_file()


def test_a_trial_is_reproduced_to_the_bit(finished: Path) -> None:
    answer = run_toolkit("reproduce", "runs/tiny", "1", "--json", folder=finished)
    again = json.loads(answer.out)
    assert answer.code == 0 and again["same"] is True and again["recorded"]
    shown = run_toolkit("reproduce", "runs/tiny", "1", folder=finished).out
    assert shown.startswith("1  ") and "same" in shown
    assert run_toolkit("reproduce", "runs/tiny", "smoke", folder=finished).code == 0
    answer = run_toolkit("reproduce", "runs/tiny", "one", folder=finished)
    assert answer.code == 1 and "no trial one" in answer.err


@pytest.mark.parametrize(("accuracy", "same"), [(0.5, True), (0.6, False)])
def test_a_latency_that_is_measured_anew_makes_no_difference(
    accuracy: float, same: bool, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SimpleNamespace(values={"accuracy": 0.5, "latency_ms": 1.0})
    outcome = Outcome(TrialState.DONE, {"accuracy": accuracy, "latency_ms": 2.0})
    monkeypatch.setattr("toolkit.engine.reproduce.rerun", lambda *_: (outcome, known))
    assert toolkit.Run(run_folder).reproduce(1)["same"] is same
