from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Answer, run_toolkit
from toolkit.contracts import TrialState
from toolkit.run.facts import BUDGET_TRIALS, OBJECTIVES, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

Command = Callable[..., Answer]


@pytest.fixture
def toolkit() -> Command:
    """Runs a command line in this process."""
    return run_toolkit


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run that was stopped in the middle: one trial done, one failed, one reused, one waiting."""
    folder = tmp_path / "runs" / "half"
    (folder / "trials" / "0001-aaaa").mkdir(parents=True)
    (folder / "trials" / "0001-aaaa" / "stdout.log").write_text("hello from trial 1\n")
    (folder / "engine.log").write_text("engine said this\n")
    ledger = Ledger.open(folder / "ledger.sqlite")
    ledger.put_fact(RECIPE, {"name": "half", "strategy": {"name": "draw"}})
    ledger.put_fact(OBJECTIVES, {"accuracy": "maximize"})
    ledger.put_fact(BUDGET_TRIALS, 10)
    for record in (
        _record(1, TrialState.DONE, "aaaa", values={"accuracy": 0.5}, folder="trials/0001-aaaa"),
        _record(2, TrialState.FAILED, "bbbb", error="Traceback ...\nValueError: too small"),
        _record(3, TrialState.DONE, "aaaa", values={"accuracy": 0.5}, source=1),
        _record(4, TrialState.DONE, "cccc", values={"accuracy": 0.75}),
        _record(5, TrialState.QUEUED, "dddd"),
        _record(6, TrialState.DONE, "cccc", phase="final", label="found", values={"accuracy": 0.7}),
    ):
        ledger.put(record)
    ledger.add_metrics(1, 1, {"accuracy": 0.25}, {})
    ledger.add_metrics(1, 2, {"accuracy": 0.5}, {})
    ledger.close()
    return folder


def _record(number: int, state: TrialState, fingerprint: str, **more: object) -> TrialRecord:
    facts = {"phase": "search", "kind": "train", "point": {"architecture": {"width": number}}}
    return TrialRecord(
        number=number,
        state=state,
        fingerprint=fingerprint * 4,
        seed=10 + number,
        fidelity={"epochs": 2},
        duration_s=1.5,
        **{**facts, **more},
    )
