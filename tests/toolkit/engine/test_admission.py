"""What becomes of a proposal: it is queued, or answered or refused without any work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from toolkit.contracts import Proposal, TrialState
from toolkit.engine.admission import Admission
from toolkit.engine.checkpoints import Checkpoints
from toolkit.engine.history import History
from toolkit.engine.rejections import Rejections
from toolkit.engine.session import Session
from toolkit.errors import PluginError
from toolkit.run.folder import CHECKPOINT
from toolkit.run.records import TrialRecord


class Desk:
    """An admission with what it rests on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.history = History(session.problem.recipe.train.seed, session.ledger)
        self.rejections = Rejections(session.problem.bounds)
        self.checkpoints = Checkpoints(session.folder.path)
        self._admission = Admission(session, self.history, self.rejections, self.checkpoints)
        self._number = 0

    def __call__(self, width: int, **more: Any) -> TrialRecord:
        return self.admit({"architecture": {"width": width, "depth": 1}}, **more)

    def admit(self, point: dict[str, Any], **more: Any) -> TrialRecord:
        """What becomes of a proposal of a point."""
        self._number += 1
        return self._admission.admit(Proposal(point, **more), self._number)

    def end(self, record: TrialRecord, **more: Any) -> TrialRecord:
        """The trial, ended as the engine would have it."""
        facts: dict[str, Any] = {"state": TrialState.DONE, "values": {"accuracy": 0.5}, **more}
        ended = replace(record, parameters=10, **facts)
        self.session.ledger.put(ended)
        self.session.ledger.commit()
        self.history.remember(ended)
        self.rejections.take(ended)
        return ended


@pytest.fixture
def desk(idle_session: Any) -> Desk:
    return Desk(idle_session())


def test_a_new_proposal_is_queued_with_its_seed_and_its_fidelity(desk: Desk) -> None:
    first, second = desk(1), desk(2, fidelity={"epochs": 1}, seed=7)
    assert (first.state, first.fidelity) == (TrialState.QUEUED, {"epochs": 3})
    assert first.seed == desk.history.seed(1) and second.seed == 7
    assert second.fidelity == {"epochs": 1, "of_epochs": 3}
    assert first.folder == f"trials/0001-{first.fingerprint[:4]}"


def test_a_point_is_queued_with_the_architecture_that_its_own_values_leave(
    idle_session: Any,
) -> None:
    desk = Desk(idle_session("space.widths={int: [2, 8]}"))
    known = desk.admit({"architecture": {"width": 7, "depth": 1}, "space": {"widths": 8}})
    assert known.point == {"architecture": {"width": 7, "depth": 1}, "space": {"widths": 8}}
    other = desk.admit({"architecture": {"width": 7, "depth": 1}, "space": {"widths": 2}})
    assert other.point == {"architecture": {"width": 2, "depth": 1}, "space": {"widths": 2}}


def test_a_known_proposal_is_answered_by_its_result(desk: Desk) -> None:
    known = desk.end(desk(1), violations={"accuracy >= 0.9": 0.4}, error="Breaks a constraint.")
    again = desk(1)
    assert (again.state, again.source, again.folder) == (TrialState.DONE, 1, "")
    assert again.values == known.values and again.parameters == 10
    assert (again.violations, again.error) == (known.violations, known.error)
    assert again.ended is not None
    assert desk(1, fidelity={"epochs": 1}).state is TrialState.QUEUED, "this is another training"


@pytest.mark.parametrize(("dedup", "state"), [("repeat", "queued"), ("reject", "invalid")])
def test_known_proposals_are_trained_again_or_refused(
    idle_session: Any, dedup: str, state: str
) -> None:
    desk = Desk(idle_session(f"budget.dedup={dedup}"))
    desk.end(desk(1))
    again = desk(1)
    assert again.state == state
    refused = "Trial 1 tried the same (budget.dedup is reject)."
    assert again.error == (refused if dedup == "reject" else "")
    assert again.values == {}


def test_what_broke_a_constraint_once_is_refused_at_any_fidelity(idle_session: Any) -> None:
    desk = Desk(idle_session("constraints={parameters: '<= 9'}"))
    broken = {"parameters <= 9": 0.1}
    desk.end(desk(1), state=TrialState.INVALID, violations=broken, error="Too large.")
    again = desk(1, fidelity={"epochs": 1})
    assert (again.state, again.source, again.error) == (TrialState.INVALID, 1, "Too large.")
    assert again.violations == broken


def test_a_promoted_trial_takes_its_parents_seed_and_checkpoint(desk: Desk) -> None:
    parent = desk.end(desk(1, fidelity={"epochs": 1}))
    checkpoint = desk.session.folder.path / parent.folder / CHECKPOINT
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("state")
    desk.checkpoints.keep(parent.number, parent.folder)
    child = desk(1, continues=1)
    assert child.seed == parent.seed
    handed = desk.session.folder.path / child.folder / CHECKPOINT
    assert handed.read_text() == "state"


def test_a_promoted_trial_without_checkpoint_starts_from_zero_and_says_so(desk: Desk) -> None:
    desk.end(desk(1, fidelity={"epochs": 1}))
    assert desk(1, continues=1).state is TrialState.QUEUED
    assert "The checkpoint of trial 1 is gone" in desk.session.folder.events.read_text()


@pytest.mark.parametrize(
    ("width", "more", "fault"),
    [
        (99, {}, "proposed a point outside the space"),
        (1, {"fidelity": {"nonsense": 3}}, "proposed the fidelity .*train.nonsense"),
        (1, {"continues": 5}, "has not ended"),
        (2, {"continues": 1}, "is of another architecture"),
    ],
)
def test_what_breaks_the_contract_is_the_strategys_fault(
    desk: Desk, width: int, more: dict[str, Any], fault: str
) -> None:
    desk.end(desk(1))
    with pytest.raises(PluginError, match=fault):
        desk(width, **more)
