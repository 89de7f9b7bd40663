"""The first job of a run whose space prepares something for all trainings, say a pre-training."""

from __future__ import annotations

from toolkit.contracts import PrepareJob, TrialSpec, TrialState
from toolkit.engine import seeds
from toolkit.engine.failures import job_failure
from toolkit.engine.scheduler import Interrupted
from toolkit.engine.session import Session
from toolkit.run.folder import PREPARE_FOLDER

ATTEMPTS = 3
"""How often it is begun, or gone on with, where its worker dies."""


def prepare(session: Session) -> None:
    """Has a worker prepare what is missing; nothing where the space prepares nothing.

    Raises:
        Interrupted: the engine was asked to stop; what was made by then is in a checkpoint.
        ToolkitError: it failed.
    """
    point = session.problem.to_prepare()
    if point is None:
        return
    seed = seeds.derive(0, "prepare")  # Not of the run's seed, as all runs share what is made.
    folder = session.folder.path / PREPARE_FOLDER
    spec = TrialSpec("prepare", PrepareJob(dict(point)), seed, str(folder))
    began = session.clock.monotonic()
    session.events.emit("prepare_started")
    for _ in range(ATTEMPTS):
        outcome = session.scheduler.run_job(spec)
        if outcome.state is not TrialState.LOST:
            break
    if outcome.state is TrialState.QUEUED:
        raise Interrupted
    if outcome.state is not TrialState.DONE:
        hint = "Give the same command again once it is mended: it goes on from its checkpoint."
        raise job_failure("What all trainings share could not be made", outcome, hint)
    session.events.emit("prepared", duration_s=session.clock.monotonic() - began)
    for message in outcome.warnings:
        session.events.emit("warning", message=message)
