"""Status: read from the ledger alone, without any plugin, also where that leaves things open."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from toolkit.errors import LedgerError
from toolkit.run.facts import OBJECTIVES
from toolkit.run.ledger import Ledger
from toolkit.run.status import best_so_far, front, summary

VERSION_3 = Path(__file__).parent / "ledger_v3.sqlite"


def test_the_status_of_an_earlier_version_is_what_that_version_said() -> None:
    ledger = Ledger.open(VERSION_3, read_only=True)
    accuracy = 2 / 3
    assert summary(ledger) == {
        "recipe": "spd_drone_quick",
        "strategy": "optuna.random",
        "trials": {"invalid": 1, "done": 3},
        "budget": 3,
        "reused": 1,
        "rejected": 1,
        "warm_started": 1,
        "epochs_paid": 2.0,
        "search_s": 39.03571665000004,
        "best": {
            "number": 1,
            "parameters": 11519.0,
            "train_loss": 0.8725336207807478,
            "accuracy": accuracy,
            "balanced_accuracy": accuracy,
            "loss": 0.8822303820423876,
        },
        "front": [1],
        "hypervolume": 0.0,
        "final_trainings": {"done": 10},
        "tested": True,
        "exported": True,
        "best_holds": "what the search found",
    }
    found = front(ledger)
    assert found is not None
    assert list(found) == ["objectives", "reference", "trials", "hypervolume", "results", "points"]
    assert [point["trial"] for point in found["points"]] == [1]


def test_what_a_run_of_an_earlier_version_is_judged_by_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    shutil.copy(VERSION_3, path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE meta SET value = json_set(value, '$.objectives', json('{}'))"
            " WHERE key = 'recipe'"
        )
        connection.execute("DELETE FROM meta WHERE key = 'directions'")
    ledger = Ledger.open(path, read_only=True)
    assert summary(ledger)["best"] is None
    with pytest.raises(LedgerError, match="does not say which metric") as caught:
        best_so_far(ledger)
    assert "once more" in caught.value.hint


def test_reading_a_run_imports_no_plugin_that_it_names(tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    path = tmp_path / "ledger.sqlite"
    shutil.copy(VERSION_3, path)
    with sqlite3.connect(path) as connection:
        paths = json.dumps([str(evil)])
        connection.execute("UPDATE meta SET value = ? WHERE key = 'plugin_paths'", (paths,))
        connection.execute("DELETE FROM meta WHERE key IN ('outcome', 'directions')")
    ledger = Ledger.open(path, read_only=True)
    assert summary(ledger)["best"] == {"number": 1, **ledger.trials()[0].values}
    assert list(ledger.get(OBJECTIVES)) == ["accuracy", "parameters"]
    assert not (tmp_path / "ran").exists()
