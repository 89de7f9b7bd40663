"""Proposals as trials of the ledger: queued, or answered or refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toolkit.base.errors import PluginError, SpaceError
from toolkit.base.plain import shown
from toolkit.contracts import Proposal, TrialState
from toolkit.engine.checkpoints import Checkpoints
from toolkit.engine.history import History
from toolkit.engine.proposals import check_point
from toolkit.engine.rejections import Rejections
from toolkit.engine.session import Session
from toolkit.registry import plugin_code
from toolkit.run.folder import RunFolder
from toolkit.run.records import TrialRecord


class Admission:
    """Decides what becomes of a proposal.

    Args:
        session: the engine at work on the run.
        history: the trials whose results answer repeats.
        rejections: the architectures that break a constraint.
        checkpoints: of the trials that may be continued.
    """

    def __init__(
        self,
        session: Session,
        history: History,
        rejections: Rejections,
        checkpoints: Checkpoints,
    ) -> None:
        self._problem, self._events = session.problem, session.events
        self._clock = session.clock
        self._history, self._rejections = history, rejections
        self._checkpoints = checkpoints

    def admit(self, proposal: Proposal, number: int) -> TrialRecord:
        """Makes a proposal a new trial.

        Raises:
            PluginError: it is no point of the space, or continues no trial of the same point.
        """
        record = self._queued(proposal, number)
        rejected = self._rejections.known(record.fingerprint)
        if rejected is not None:
            return self._settled(record, TrialState.INVALID, rejected, **_result(rejected))
        known, dedup = self._history.answer(record), self._problem.recipe.budget.dedup
        if known is not None and dedup == "reject":
            error = f"Trial {known.number} tried the same (budget.dedup is reject)."
            return self._settled(record, TrialState.INVALID, known, error=error)
        if known is not None and dedup == "reuse":
            return self._settled(record, TrialState.DONE, known, **_result(known))
        # One that an engine left here when it was killed is none of this trial's.
        self._checkpoints.delete(record.folder)
        self.hand_on(record)
        return record

    def hand_on(self, record: TrialRecord) -> None:
        """Gives a trial the checkpoint that it continues, if it continues one."""
        parent = None if record.continues is None else self._history.trained(record.continues)
        if parent is not None and not self._checkpoints.hand_on(parent, record.folder):
            self._events.emit(
                "warning",
                number=record.number,
                message=f"The checkpoint of trial {parent} is gone, so that trial"
                f" {record.number}, which continues it, is trained from zero.",
            )

    def _queued(self, proposal: Proposal, number: int) -> TrialRecord:
        fidelity, fingerprint, parent = dict(proposal.fidelity), "supernet", None
        if proposal.kind == "train":
            point = self._fitting(proposal.point)
            proposal = replace(proposal, point=point)
            fingerprint = self._fingerprint(point)
            fidelity = self._fidelity(proposal)
            parent = self._history.parent(proposal, fingerprint)
        seed = self._history.seed(number) if proposal.seed is None else proposal.seed
        return TrialRecord(
            number,
            "search",
            proposal.kind,
            TrialState.QUEUED,
            proposal.point,
            fingerprint,
            seed if parent is None else parent.seed,
            fidelity=fidelity,
            token=proposal.token,
            continues=proposal.continues,
            folder=self._problem.trial_folder(proposal)
            or RunFolder.trial_name("search", number, fingerprint, "", 0),
        )

    def _fidelity(self, proposal: Proposal) -> dict[str, Any]:
        fidelity = self._problem.fidelity(proposal.point, proposal.fidelity)
        try:
            self._problem.epochs_of(proposal.point, fidelity, final=False)
        except SpaceError as error:
            raise PluginError(
                f"The strategy {self._problem.recipe.strategy.name} proposed the fidelity"
                f" {shown(dict(proposal.fidelity))}. {error.message}"
            ) from error
        return fidelity

    def _fitting(self, point: Mapping[str, Any] | None) -> dict[str, Any]:
        """The point, of the run's tree as it must be, fitted to its own values."""
        if point is not None and self._problem.holds(point):
            return dict(point)
        check_point(point, self._problem.tree, self._problem.recipe.strategy.name)
        assert point is not None
        return self._problem.fitting(point)

    def _fingerprint(self, point: Mapping[str, Any]) -> str:
        with plugin_code("space.graph"):
            return self._problem.fingerprint(point)

    def _settled(
        self, record: TrialRecord, state: TrialState, known: TrialRecord, **result: Any
    ) -> TrialRecord:
        """The record of a trial that need not run, because of another one."""
        ended = self._clock.time()
        return replace(record, state=state, source=known.number, folder="", ended=ended, **result)


def _result(known: TrialRecord) -> dict[str, Any]:
    return {
        "values": known.values,
        "parameters": known.parameters,
        "violations": known.violations,
        "error": known.error,
    }
