"""The ledger: what is written comes back, damage is said in a sentence, old files are read."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.base.errors import DamagedLedgerError
from toolkit.contracts import TrialState
from toolkit.errors import LedgerError, ResumeError
from toolkit.run.facts import FINAL_S, RECIPE, SEARCH_S
from toolkit.run.ledger import VERSION, Ledger
from toolkit.run.records import TrialRecord

FIXTURES = Path(__file__).parent


def record(number: int) -> TrialRecord:
    return TrialRecord(
        number,
        "search",
        "train",
        TrialState.DONE,
        {"architecture": {"a": [1, {"b": None}]}},
        "abcd",
        7,
        fidelity={"epochs": 3},
        token=["x", 1],
        values={"accuracy": 0.5},
        derived=({"a": 1},),
        parameters=10,
        duration_s=1.5,
        attempts=2,
        folder="trials/0001-abcd",
        created=1.0,
        started=2.0,
        ended=3.0,
        told=1,
    )


def test_trials_metrics_and_facts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    ledger.put(record(1))
    ledger.add_metrics(1, 1, {"loss": 2.0}, {"edges": [1, 2]})
    ledger.add_metrics(1, 1, {"loss": math.nan}, {})
    ledger.put_fact(SEARCH_S, 1.5)
    ledger.close()
    again = Ledger.open(path, read_only=True)
    assert again.trials() == [record(1)] == again.trials("search")
    assert again.trials("final") == []
    assert again.trial(1) == record(1)
    assert again.trial(2) is None
    (metric,) = again.metrics(1)
    assert (metric.step, metric.values) == (1, {"loss": None})
    assert again.get(SEARCH_S) == 1.5
    assert again.get(FINAL_S) == 0.0


def test_readers_see_what_is_committed_while_the_writer_goes_on(tmp_path: Path) -> None:
    writer = Ledger.open(tmp_path / "l.sqlite")
    writer.put(record(1))
    reader = Ledger.open(tmp_path / "l.sqlite", read_only=True)
    assert reader.trials() == []
    writer.commit()
    assert reader.trials() == [record(1)]


@pytest.mark.faults
def test_ten_thousand_trials_load(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l.sqlite")
    for number in range(10_000):
        ledger.put(record(number))
    ledger.commit(durable=True)
    assert len(ledger.trials()) == 10_000


def test_a_ledger_of_version_1_is_read_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    shutil.copy(FIXTURES / "ledger_v1.sqlite", path)
    ledger = Ledger.open(path)
    assert [trial.state for trial in ledger.trials()] == [TrialState.DONE, TrialState.FAILED]
    assert ledger.trials()[0] == record(1)
    assert ledger.metrics(1)[0].records == {"edges": [1]}
    assert ledger.get(RECIPE) == {"name": "old"}
    ledger.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_older_ledger_can_be_read_where_it_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    shutil.copy(FIXTURES / "ledger_v1.sqlite", path)
    before = path.read_bytes()
    ledger = Ledger.open(path, read_only=True)
    assert ledger.trials()[0] == record(1)
    assert ledger.get(RECIPE) == {"name": "old"}
    ledger.close()
    assert path.read_bytes() == before


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ResumeError, match="Upgrade"):
        Ledger.open(path)


@pytest.mark.faults
@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = -3",
        "CREATE VIEW endless AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r)"
        " SELECT n FROM r",
        "CREATE TRIGGER t AFTER UPDATE ON trials BEGIN DELETE FROM metrics; END",
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
def test_what_the_toolkit_never_makes_is_damage(
    tmp_path: Path, statement: str, read_only: bool
) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    with pytest.raises(DamagedLedgerError):
        Ledger.open(path, read_only=read_only)


DEEP = "[" * 300 + "]" * 300


@pytest.mark.faults
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number", -1),
        ("number", 2**63 - 1),
        ("told", 2**63 - 1),
        ("seed", b"7"),
        ("label", b"\xff\xfe"),
        ("parameters", -1),
        ("duration_s", float("inf")),
        ("created", 1e300),
        ("epochs_paid", -1.0),
        ("comparable", 7),
        ("continues", 1),
        ("continues", 9),
        ("source", 1),
        ("point", "null"),
        ("point", DEEP),
        ("token", "[" * 100_000),
        ("token", "NaN"),
        ('"values"', '{"accuracy": NaN}'),
        ('"values"', '{"accuracy": 1e999}'),
        ('"values"', '{"accuracy": ' + "9" * 400 + "}"),
        ('"values"', '{"accuracy": true}'),
        ("fidelity", '{"epochs": "x"}'),
        ("fidelity", '{"data": 0}'),
        ("derived", "[1]"),
        ("violations", '{"x": 1}, {}'),
    ],
)
def test_rows_out_of_all_bounds_are_damage(tmp_path: Path, column: str, value: Any) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    ledger.put(record(1))
    ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        kind = "TEXT" if column == "label" else "BLOB"  # Text that is no UTF-8.
        put = f"CAST(? AS {kind})" if isinstance(value, bytes) else "?"
        connection.execute(f"UPDATE trials SET {column} = {put}", (value,))
    again = Ledger.open(path, read_only=True)
    with pytest.raises(DamagedLedgerError, match="is damaged"):
        again.trials()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("step", "x"),
        ("time", 1e300),
        ("time", "x"),
        ("records", "[]"),
        ("records", f'{{"x": {DEEP}}}'),
        ('"values"', "[]"),
        ('"values"', '{"loss": "x"}'),
        ('"values"', '{"loss": Infinity}'),
    ],
)
def test_reports_that_the_toolkit_would_not_write_are_damage(
    tmp_path: Path, column: str, value: Any
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    ledger.add_metrics(1, 1, {"loss": 1.0}, {"edges": [1]})
    ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE metrics SET {column} = ?", (value,))
    with closing(Ledger.open(path, read_only=True)) as again:
        reads: list[Callable[[], object]] = [
            lambda: again.metrics(1),
            lambda: again.metrics_of([1]),
        ]
        if column in ("step", '"values"'):
            reads.append(again.reports)
        for read in reads:
            with pytest.raises(DamagedLedgerError, match="is damaged"):
                read()


@pytest.mark.faults
@pytest.mark.parametrize(
    "statement", ["DROP TABLE metrics", "ALTER TABLE metrics DROP COLUMN time"]
)
def test_a_ledger_without_what_belongs_into_it_is_damage(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    ledger = Ledger.open(path, read_only=True)
    with pytest.raises(DamagedLedgerError, match="no such"):
        ledger.metrics(1)


@pytest.mark.faults
@pytest.mark.parametrize("end", ["-wal", "-journal", "-shm"])
def test_a_fifo_beside_a_ledger_holds_nobody_up(tmp_path: Path, end: str) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    path.with_name(path.name + end).unlink(missing_ok=True)
    os.mkfifo(path.with_name(path.name + end))
    with pytest.raises(DamagedLedgerError, match="is a FIFO"):
        Ledger.open(path)


@pytest.mark.faults
def test_a_strategy_gets_copies_of_a_trial() -> None:
    known = replace(record(1), point={"architecture": {"widths": [1]}}, token=[[1]])
    seen = known.trial()
    seen.point["architecture"]["widths"].clear()
    seen.token.clear()
    assert known.point == {"architecture": {"widths": [1]}} and known.token == [[1]]


@pytest.mark.faults
@pytest.mark.parametrize("damage", ["text", "cut", "garbled", "directory"])
@pytest.mark.parametrize("read_only", [True, False])
def test_damage_is_said_in_a_sentence(tmp_path: Path, damage: str, read_only: bool) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    for number in range(100):
        ledger.put(record(number))
    ledger.close()
    content = bytearray(path.read_bytes())
    if damage == "text":
        path.write_text("no database at all, but some text that is longer than a header" * 10)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbled":
        content[4096:] = b"\xff" * (len(content) - 4096)
        path.write_bytes(content)
    else:
        path.unlink()
        path.mkdir()
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path, read_only=read_only).trials()
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_missing_ledger_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(tmp_path / "ledger.sqlite", read_only=True)
    assert not (tmp_path / "ledger.sqlite").exists()
