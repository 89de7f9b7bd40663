"""Whether a run is at work, or how it ended."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias

from toolkit.base.errors import LedgerError
from toolkit.run.facts import PURPOSE
from toolkit.run.following import last_ending
from toolkit.run.ledger import Ledger
from toolkit.run.lock import holder

State: TypeAlias = Literal["running", "done", "failed", "stopped", "open study", "closed study"]
"""`stopped` is a run whose engine is gone before its end; the same call goes on with it. A study is
a `toolkit.Study`, whose trials a program of the user's runs: open while that program has it."""
STUDY = "study"
"""The command that the purpose of an ask-and-tell study names."""


def is_study(ledger: Ledger) -> bool:
    """Whether a ledger is that of an ask-and-tell study, which has no engine, test or export."""
    return bool(ledger.get(PURPOSE).get("command") == STUDY)


def state_of(folder: Path) -> State:
    """Returns the state of the run in a folder."""
    at_work = bool(holder(folder))
    if _holds_study(folder):
        return "open study" if at_work else "closed study"
    if at_work:
        return "running"
    code = last_ending(folder)
    if code is None or code >= 128:
        return "stopped"
    return "failed" if code else "done"


def _holds_study(folder: Path) -> bool:
    # An engine writes events from its start on, a study none; so most ledgers stay closed here.
    if (folder / "events.jsonl").is_file() or not (folder / "ledger.sqlite").is_file():
        return False
    try:
        with closing(Ledger.open(folder / "ledger.sqlite", read_only=True)) as ledger:
            return is_study(ledger)
    except LedgerError:
        return False
