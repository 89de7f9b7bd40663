"""The first batch of a run: one of a random architecture, so that a fault shows at once."""

from __future__ import annotations

import random
from dataclasses import asdict

from toolkit.contracts import SmokeJob, TrialSpec, TrialState
from toolkit.engine import seeds
from toolkit.engine.scheduler import job_failure
from toolkit.engine.session import Session
from toolkit.problem import Problem
from toolkit.run.facts import SMOKE_JOB, SMOKE_PASSED
from toolkit.run.folder import RunFolder
from toolkit.space import sample


def smoke(session: Session) -> None:
    """Runs the first batch, unless an earlier session has.

    Raises:
        ToolkitError: it failed; the message is the whole failure and how to reproduce it.
    """
    ledger = session.ledger
    if ledger.get(SMOKE_PASSED):
        return
    job = _smoke_job(session.problem, session.folder)
    ledger.put_fact(SMOKE_JOB, asdict(job))
    ledger.commit()
    began = session.clock.monotonic()
    outcome = session.scheduler.run_job(job)
    if outcome.state is not TrialState.DONE:
        raise job_failure(
            "The first batch failed, so the search was not begun",
            outcome,
            session.reproduce("smoke"),
        )
    ledger.put_fact(SMOKE_PASSED, True)
    ledger.commit()
    session.events.emit("smoke_passed", duration_s=session.clock.monotonic() - began)


def _smoke_job(problem: Problem, folder: RunFolder) -> TrialSpec:
    seed = seeds.derive(problem.recipe.train.seed, "smoke")
    job = SmokeJob(sample(problem.tree, random.Random(seed)))
    return TrialSpec("smoke", job, seed, str(folder.path / "trials" / "smoke"))
