"""File systems without locks, ledgers that others hold, users without a home."""

from __future__ import annotations

import errno
import fcntl
import sqlite3
import threading
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.places import data_dir
from toolkit.errors import LedgerError, ToolkitWarning
from toolkit.run import ledger as ledgers
from toolkit.run.facts import SEARCH_S
from toolkit.run.ledger import Ledger
from toolkit.run.lock import holder, lock


@pytest.mark.faults
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_a_run_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(ToolkitWarning, match="keeps no locks"), lock(tmp_path / "run"):
        assert holder(tmp_path / "run") == ""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_SOON_S", 0.1)
    monkeypatch.setattr(ledgers, "PATIENCE_S", 0.4)


@pytest.mark.faults
@pytest.mark.usefixtures("soon")
def test_a_held_ledger_is_waited_for_and_said_to_be_held(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        ledger.put_fact(SEARCH_S, 1.0)
        release = threading.Timer(0.25, lambda: other.execute("ROLLBACK"))
        release.start()
        with pytest.warns(ToolkitWarning, match="Another program holds"):
            ledger.commit()
        release.join()
        assert ledger.get(SEARCH_S) == 1.0
        other.close()


@pytest.mark.faults
@pytest.mark.usefixtures("soon")
def test_a_ledger_that_is_held_for_long_is_a_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ledger.put_fact(SEARCH_S, 1.0)
        began = time.monotonic()
        with (
            pytest.warns(ToolkitWarning),
            pytest.raises(LedgerError, match="locked") as told,
        ):
            ledger.commit()
        assert "Another program holds it" in told.value.hint
        assert time.monotonic() - began > 0.3
        with warnings.catch_warnings(), pytest.raises(LedgerError, match="locked"):
            warnings.simplefilter("error")  # Nobody is waited for twice.
            ledger.commit()


def test_without_a_home_there_is_a_place_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOOLKIT_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    assert data_dir().is_absolute()
