"""What a strategy hears when a run goes on: reports before each ending, in the order of telling."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.base.clock import SYSTEM
from toolkit.contracts import Exhausted, SearchContext, Strategy, Trial, TrialState
from toolkit.engine.search import Search
from toolkit.engine.session import Session
from toolkit.run.events import EventLog
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord


class Listener(Strategy):
    """Writes down what it hears."""

    def setup(self, context: SearchContext) -> None: ...

    def ask(self) -> Exhausted:
        return Exhausted()

    def resume(self, trial: Trial) -> None:
        HEARD.append(("resume", trial.number))

    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        assert self.replaying, "these answers are not used"
        HEARD.append(("report", trial.number, step, dict(values)))
        return False

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        HEARD.append(("tell", trial.number, state))


class Deaf(Listener):
    """Judges reports as they come, and keeps nothing of them."""

    hears_reports = False


HEARD: list[tuple[Any, ...]] = []


def restore(ledger: Ledger, strategy: Strategy) -> list[tuple[Any, ...]]:
    HEARD.clear()
    resources = SimpleNamespace(deterministic=False)
    train = SimpleNamespace(seed=0)
    named = SimpleNamespace(name="heard")
    recipe = SimpleNamespace(resources=resources, train=train, strategy=named)
    problem: Any = SimpleNamespace(recipe=recipe, bounds=(), objectives={"accuracy": "maximize"})
    scheduler: Any = SimpleNamespace(requeued=[], on_report=None, clock=SYSTEM)
    unused: Any = None
    folder = RunFolder(ledger.path.parent)
    with closing(EventLog(folder.events)) as events:
        endless: Any = SimpleNamespace(take=lambda record: None)
        session = Session(problem, folder, ledger, unused, scheduler, events, unused, endless)
        Search(session, strategy, unused).restore()
    return list(HEARD)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    states = [TrialState.PRUNED, TrialState.DONE, TrialState.RUNNING]
    for number, (state, told) in enumerate(zip(states, [2, 1, None], strict=True), 1):
        ledger.put(
            TrialRecord(number, "search", "train", state, {"x": number}, str(number), 0, told=told)
        )
        for step in range(1, number + 1):
            ledger.add_metrics(number, step, {"value": step / 2}, {})
    ledger.commit()
    return ledger


def test_reports_are_heard_again_before_each_ending_and_after_each_resume(ledger: Ledger) -> None:
    heard = restore(ledger, Listener(None))
    assert [event[:3] for event in heard] == [
        ("report", 2, 1),
        ("report", 2, 2),
        ("tell", 2, TrialState.DONE),
        ("report", 1, 1),
        ("tell", 1, TrialState.PRUNED),
        ("resume", 3),
        ("report", 3, 1),
        ("report", 3, 2),
        ("report", 3, 3),
    ]
    assert heard[1][3] == {"value": 1.0}


def test_a_strategy_that_hears_no_reports_is_told_alone(ledger: Ledger) -> None:
    heard = [event[0] for event in restore(ledger, Deaf(None))]
    assert heard == ["tell", "tell", "resume"]


def test_what_was_told_again_is_let_go_of(ledger: Ledger) -> None:
    held = []

    class Last(Listener):
        def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
            if trial.number in (4, 1503):
                held.append(sum(type(each) is TrialRecord for each in gc.get_objects()))

    for number in range(4, 1504):
        record = TrialRecord(number, "search", "train", TrialState.DONE, {}, str(number), 0)
        ledger.put(replace(record, told=number))
    ledger.commit()
    restore(ledger, Last(None))
    assert held[1] < held[0] / 2, "ten thousand trials are not to be in memory twice"
