"""The first batch of a run: one of a random architecture, so that a fault shows at once."""

from __future__ import annotations

import math
import random
from dataclasses import asdict

from toolkit.base.summary import duration_in_words
from toolkit.contracts import Outcome, SmokeJob, TrialSpec, TrialState
from toolkit.contracts.jobs import STEP_S
from toolkit.engine import seeds
from toolkit.engine.deadline import Deadline
from toolkit.engine.failures import job_failure
from toolkit.engine.session import Session
from toolkit.problem import Problem
from toolkit.problem.final import in_words
from toolkit.run.facts import SMOKE_JOB, SMOKE_PASSED
from toolkit.run.folder import SMOKE_FOLDER, RunFolder


def smoke(session: Session) -> None:
    """Runs the first batch, unless an earlier session has.

    Raises:
        ToolkitError: it failed; the message is the whole failure and how to reproduce it.
    """
    ledger = session.ledger
    if ledger.get(SMOKE_PASSED):
        return
    problem, deadline = session.problem, session.deadline
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
    deadline.smoke_s = session.clock.monotonic() - began
    session.events.emit("smoke_passed", duration_s=deadline.smoke_s)
    deadline.guess_s = _training_s(problem, job, outcome)
    session.events.emit("noted", message=_what_follows(problem, deadline))


def _training_s(problem: Problem, job: TrialSpec, outcome: Outcome) -> float | None:
    """How long a training takes, by its first batch; None where it has no steps to tell by."""
    step_s = outcome.values.get(STEP_S)
    assert isinstance(job.job, SmokeJob)
    if not step_s:
        return None
    point = job.job.point
    train = problem.train(point, {})
    size = problem.source_of(point).info.train_size
    folds = problem.source.fold_count() + 1 if problem.refits else 1
    return folds * (train.epochs or 1) * math.ceil(size / (train.batch_size or 1)) * step_s


def _what_follows(problem: Problem, deadline: Deadline) -> str:
    """Says how many final trainings there will be, and about how long they take."""
    said = f"{in_words(problem)} in the end"
    if deadline.guess_s:
        return f"{said}, about {duration_in_words(deadline.final_s)} in all by the first batch."
    return f"{said}."


def _smoke_job(problem: Problem, folder: RunFolder) -> TrialSpec:
    seed = seeds.derive(problem.recipe.train.seed, "smoke")
    job = SmokeJob(problem.draw(random.Random(seed)))
    return TrialSpec("smoke", job, seed, str(folder.path / SMOKE_FOLDER))
