"""The ledger: trials and facts of a run in one SQLite file, written by the engine alone.

States of a trial::

    queued -> running -> done | pruned | failed | oom | timeout | invalid
                 |-> lost (its worker or its engine died) -> queued again, under the same number
                 |-> queued (the engine was asked to stop)

The column `told` orders the ended search trials as the strategy heard of them; a resumed run tells
them again in that order.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from toolkit.base.errors import DamagedLedgerError, LedgerError, ResumeError, ToolkitWarning
from toolkit.base.files import special_kind
from toolkit.base.room import tells_of_full_disk
from toolkit.run.facts import Fact
from toolkit.run.records import MetricRecord, Phase, TrialRecord
from toolkit.run.rows import COLUMNS, dump, records_of, reports_of, results_of, row_of

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE trials (
        number INTEGER PRIMARY KEY, phase TEXT NOT NULL, label TEXT NOT NULL, kind TEXT NOT NULL,
        state TEXT NOT NULL, point TEXT NOT NULL, fingerprint TEXT NOT NULL, seed INTEGER NOT NULL,
        fidelity TEXT NOT NULL, token TEXT NOT NULL, "values" TEXT NOT NULL, derived TEXT NOT NULL,
        parameters INTEGER, duration_s REAL NOT NULL, attempts INTEGER NOT NULL, source INTEGER,
        folder TEXT NOT NULL, error TEXT NOT NULL, created REAL NOT NULL, started REAL, ended REAL,
        told INTEGER
    );
    CREATE TABLE metrics (
        number INTEGER NOT NULL, step INTEGER NOT NULL, "values" TEXT NOT NULL,
        records TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (number, step)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE trials ADD COLUMN continues INTEGER;
    ALTER TABLE trials ADD COLUMN epochs_paid REAL NOT NULL DEFAULT 0;
    ALTER TABLE trials ADD COLUMN origin TEXT NOT NULL DEFAULT '';
    ALTER TABLE trials ADD COLUMN comparable INTEGER NOT NULL DEFAULT 1;
    """,
    """
    ALTER TABLE trials ADD COLUMN violations TEXT NOT NULL DEFAULT '{}';
    """,
    # Objectives had to be looked up: in the recipe, or else the task's first metric stood for them.
    """
    INSERT OR IGNORE INTO meta
        SELECT 'objectives', json_extract(value, '$.objectives') FROM meta
        WHERE key = 'recipe' AND json_extract(value, '$.objectives') <> '{}';
    INSERT OR IGNORE INTO meta
        SELECT 'objectives', json_object(first.key, first.value) FROM (
            SELECT entry.key, entry.value FROM meta, json_each(meta.value) AS entry
            WHERE meta.key = 'directions' ORDER BY entry.id LIMIT 1
        ) AS first;
    """,
)
"""Entry n brings a ledger of version n to version n + 1; entries are never changed."""

VERSION = len(MIGRATIONS)

PATIENCE_S = 60.0
"""Longest time that is waited for a program that holds the ledger."""
_SOON_S = 5.0
"""Time after which it is said that somebody is waited for."""

T = TypeVar("T")
_DAMAGED = "Restore it from a copy, or start again in a new run folder."

_QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)
_UPSERT = f"INSERT OR REPLACE INTO trials ({_QUOTED}) VALUES ({', '.join('?' * len(COLUMNS))})"


class Ledger:
    """Access to one ledger; make it with `Ledger.open`.

    Writes are pending until `commit`, and not read before. `commit(durable=True)` survives a power
    failure, `commit()` survives the death of this process. What cannot be written stays pending.

    Attributes:
        on_full: called where the disk is full, again and again until a commit succeeds; it waits
            for room, or raises. None to have a commit raise at once.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._synchronous = ""
        self._waited_in_vain = False
        self.path = path
        self.on_full: Callable[[BaseException], None] | None = None

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Ledger:
        """Open a ledger; without `read_only` it is made if missing, and migrated.

        An older one that is only read stays as it is: a copy in memory is migrated.

        Raises:
            LedgerError: there is none to read, or it is damaged.
            ResumeError: a newer toolkit wrote it.
        """
        if read_only and not path.is_file():
            raise LedgerError(f"There is no ledger at {path}.", hint="Name a run folder.")
        with _damage_explained(path):
            ledger = cls(_connect(path, read_only), path)
            version = ledger._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                ledger.close()
                raise ResumeError(
                    f"{path} is of version {version}, and this toolkit reads up to {VERSION}.",
                    hint="Upgrade the toolkit (pip install -U nas-toolkit).",
                )
            if version < 0:
                raise ValueError(f"there is no version {version}")
            ledger._refuse_code()
            if read_only and version == 0:
                ledger.close()
                raise DamagedLedgerError(f"{path} is empty.", hint=_DAMAGED)
            if not read_only:
                ledger._prepare(version)
            elif version < VERSION:
                ledger._copy_to_memory()
                ledger._migrate(version)
        return ledger

    @staticmethod
    def begun(path: Path) -> bool:
        """Says whether there is a ledger with something in it.

        Raises:
            LedgerError: what is there is no ledger, or damaged.
        """
        if not os.path.lexists(path):
            return False
        if not path.is_file():
            raise DamagedLedgerError(f"{path} is no file.", hint=_DAMAGED)
        with _damage_explained(path), closing(_connect(path, read_only=True)) as connection:
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                made = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                return True  # Who holds it is waited for elsewhere.
        if made and not version:
            raise DamagedLedgerError(
                f"{path} is another program's database.",
                hint="Name a new or an empty folder with -o; nothing there was touched.",
            )
        return bool(version)

    def _refuse_code(self) -> None:
        """Refuses views and triggers: what is read would be what they make up, without end."""
        made = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') LIMIT 1"
        ).fetchone()
        if made is not None:
            raise ValueError(f"it holds {made[0]!r:.60}, which is no table")

    def _prepare(self, version: int) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        faults = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if faults != "ok":
            raise sqlite3.DatabaseError(faults)
        self._migrate(version)

    def _copy_to_memory(self) -> None:
        memory = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.backup(memory)
        self._connection.close()
        self._connection = memory

    def _migrate(self, version: int) -> None:
        for number in range(version, VERSION):
            self._connection.executescript(
                f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            )

    def trials(self, phase: Phase | None = None) -> list[TrialRecord]:
        """All trials by number, or those of one phase."""
        # A row of no phase there is comes along, to be refused.
        where = " WHERE phase = ? OR phase NOT IN ('search', 'final')" if phase else ""
        values = (phase,) if phase else ()
        with _damage_explained(self.path):
            found = self._connection.execute(
                f"SELECT {_QUOTED} FROM trials{where} ORDER BY number", values
            )
            return [record for rows in _portions(found) for record in records_of(rows)]

    def trials_after(
        self, number: int, up_to: int = sys.maxsize, others: Iterable[int] = ()
    ) -> list[TrialRecord]:
        """Trials with larger numbers than one, up to another, and some others, by number."""
        with _damage_explained(self.path):
            rows = self._connection.execute(
                f"SELECT {_QUOTED} FROM trials WHERE number > ? AND number <= ?"
                " OR number IN (SELECT value FROM json_each(?)) ORDER BY number",
                (number, up_to, json.dumps(sorted(others))),
            ).fetchall()
            return records_of(rows)

    def last_number(self) -> int:
        """The largest number of a trial; 0 where there is none."""
        with _damage_explained(self.path):
            row = self._connection.execute("SELECT max(number) FROM trials").fetchone()
            return row[0] or 0

    def count(self, phase: Phase) -> int:
        """How many trials of a phase there are."""
        with _damage_explained(self.path):
            found = self._connection.execute(
                "SELECT count(*) FROM trials WHERE phase = ?", (phase,)
            ).fetchone()
            return int(found[0])

    def trial(self, number: int) -> TrialRecord | None:
        """One trial."""
        with _damage_explained(self.path):
            row = self._connection.execute(
                f"SELECT {_QUOTED} FROM trials WHERE number = ?", (number,)
            ).fetchone()
            return records_of([row])[0] if row else None

    def metrics(self, number: int) -> list[MetricRecord]:
        """What a trial reported, by step."""
        with _damage_explained(self.path):
            rows = self._connection.execute(
                'SELECT step, "values", records, time FROM metrics WHERE number = ? ORDER BY step',
                (number,),
            ).fetchall()
            return reports_of(rows)

    def metrics_of(self, numbers: Iterable[int]) -> dict[int, list[MetricRecord]]:
        """What some trials reported: by number, in order of the steps."""
        with _damage_explained(self.path):
            rows = self._connection.execute(
                'SELECT number, step, "values", records, time FROM metrics'
                " WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number, step",
                (json.dumps(list(numbers)),),
            ).fetchall()
            found: dict[int, list[MetricRecord]] = {}
            for row, one in zip(rows, reports_of([row[1:] for row in rows]), strict=True):
                found.setdefault(row[0], []).append(one)
            return found

    def reports(
        self, of: Collection[int] | None = None
    ) -> dict[int, list[tuple[int, dict[str, float | None]]]]:
        """What trials reported, all or some: by number, steps and values in order."""
        which = "" if of is None else " WHERE number IN (SELECT value FROM json_each(?))"
        with _damage_explained(self.path):
            reported = self._connection.execute(
                f'SELECT number, step, "values" FROM metrics{which} ORDER BY number, step',
                () if of is None else (json.dumps(list(of)),),
            )
            found: dict[int, list[tuple[int, dict[str, float | None]]]] = {}
            for rows in _portions(reported):
                for row, one in zip(rows, results_of([row[1:] for row in rows]), strict=True):
                    found.setdefault(row[0], []).append(one)
            return found

    def get(self, fact: Fact[T]) -> T:
        """A fact of the run, or its default where nothing was written.

        Raises:
            LedgerError: what was written is of another type.
        """
        with _damage_explained(self.path):
            row = self._connection.execute(
                "SELECT value FROM meta WHERE key = ?", (fact.key,)
            ).fetchone()
        if row is None:
            return fact.default
        try:
            return fact.parse(row[0])
        except ValueError as error:
            raise DamagedLedgerError(
                f"{self.path} is damaged: {_wrong_type(fact, error)}.", hint=_DAMAGED
            ) from error

    def put_fact(self, fact: Fact[T], value: T) -> None:
        """Write a fact of the run, with the next `commit`."""
        text = json.dumps(fact.plain(value), allow_nan=False, separators=(",", ":"))
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (fact.key, text))

    def put(self, record: TrialRecord) -> None:
        """Write a trial, new or known, with the next `commit`."""
        statement, values = self._pending[-1] if self._pending else ("", ())
        if statement == _UPSERT and values[0] == record.number:
            self._pending.pop()  # Nobody has seen that one.
        self._write(_UPSERT, row_of(record))

    def remove(self, number: int) -> None:
        """Forget a trial and what it reported, with the next `commit`."""
        self._write("DELETE FROM trials WHERE number = ?", (number,))
        self._write("DELETE FROM metrics WHERE number = ?", (number,))

    def add_metrics(
        self, number: int, step: int, values: Mapping[str, float], records: Mapping[str, Any]
    ) -> None:
        """Write what a trial reported; a step reported again replaces the earlier report."""
        self._write(
            "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?)",
            (number, step, dump(values), dump(records), time.time()),
        )

    def pay(self, number: int, epochs: float) -> None:
        """Write the epochs a trial has paid by now, with the next `commit`."""
        self._write("UPDATE trials SET epochs_paid = ? WHERE number = ?", (epochs, number))

    def last_step(self, number: int) -> int:
        """The last step that a trial has reported; 0 if it has reported none."""
        with _damage_explained(self.path):
            row = self._connection.execute(
                "SELECT max(step) FROM metrics WHERE number = ?", (number,)
            ).fetchone()
            return row[0] or 0

    def _write(self, statement: str, values: Iterable[Any]) -> None:
        self._pending.append((statement, tuple(values)))

    def commit(self, *, durable: bool = False) -> None:
        """Write what is pending in one transaction; all of it stays pending where that fails."""
        while self._pending:
            try:
                with _damage_explained(self.path):
                    self._write_pending(durable)
            except LedgerError as error:
                if self.on_full is None or not tells_of_full_disk(error):
                    raise
                self.on_full(error)

    def _write_pending(self, durable: bool) -> None:
        # SQLite takes this setting between transactions only; hence the pending list.
        wanted = "FULL" if durable else "NORMAL"
        if self._synchronous != wanted:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._begin()
        try:
            for statement, values in self._pending:
                self._connection.execute(statement, values)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite may have rolled back by itself.
                self._connection.execute("ROLLBACK")
            raise
        self._pending.clear()

    def _begin(self) -> None:
        """Begins to write, once nobody else does."""
        # Who has waited in vain does not wait once more, as when the ledger is closed.
        waited = PATIENCE_S if self._waited_in_vain else 0.0
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._waited_in_vain = False
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if waited >= PATIENCE_S:
                    self._waited_in_vain = True
                    raise
            if not waited:
                text = f"Another program holds {self.path}. It is waited for, {PATIENCE_S:g} s."
                warnings.warn(ToolkitWarning(text), stacklevel=3)
            waited += _SOON_S

    def close(self) -> None:
        """Commit and close. Safe to call twice.

        What a full disk keeps from being written is warned of: a resumed run does it once more.
        """
        self.on_full = None
        try:
            self.commit(durable=True)
        except LedgerError as error:
            if not tells_of_full_disk(error):
                raise
            text = f"{error} What happened last is not in it, and is done again by a resumed run."
            warnings.warn(ToolkitWarning(text), stacklevel=2)
        finally:
            self._connection.close()


def _portions(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    """Yields rows so many at a time: what they hold as text is soon forgotten."""
    while rows := cursor.fetchmany(1000):
        yield rows


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    for end in ("", "-wal", "-shm", "-journal"):  # SQLite would wait for a FIFO's other end.
        if kind := special_kind(path.with_name(path.name + end)):
            raise sqlite3.DatabaseError(f"{path.name}{end} is {kind}")
    # isolation_level=None: transactions begin and end where this module says so.
    uri = path.absolute().as_uri() + ("?mode=ro" if read_only else "")
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_SOON_S)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if not read_only:
            raise
        # A folder that cannot be written to has no place for the log's index.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    if not read_only:
        connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # Text that is no UTF-8 has no code; a column that is not there has that of any mistake.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_ERROR:
            raise DamagedLedgerError(f"{path} is damaged: {error}.", hint=_DAMAGED) from error
        hint = "Check the disk's space and permissions."
        if code == sqlite3.SQLITE_BUSY:
            hint = "Another program holds it: end that, and give the same command again."
        raise LedgerError(f"{path} cannot be used: {error}.", hint=hint) from error
    except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedLedgerError(f"{path} is damaged: {error}.", hint=_DAMAGED) from error


def _wrong_type(fact: Fact[Any], error: ValueError) -> str:
    """What is wrong with a stored fact: `front.trials: input should be a valid tuple`."""
    if not isinstance(error, ValidationError):
        return f"{fact.key}: {error}"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, (fact.key, *first["loc"])))
    return f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
