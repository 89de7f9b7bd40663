"""The hand-over of what was found: its one test, its export, and the card that goes with it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.base.errors import PluginError
from toolkit.base.plain import finite
from toolkit.contracts import (
    ExportJob,
    Outcome,
    TestJob,
    Train,
    Training,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.jobs import ENSEMBLE
from toolkit.engine.failures import job_failure
from toolkit.engine.session import Session
from toolkit.export import Card
from toolkit.problem import Problem
from toolkit.run.facts import DATA, EXPORTED, OUTCOME
from toolkit.run.folder import RunFolder
from toolkit.run.outcome import Results, RunOutcome
from toolkit.run.records import FOUND, TrialRecord
from toolkit.run.searched import searched
from toolkit.run.selection import best, winner
from toolkit.run.words import chance_in_words, handed_over_in_words


def chosen_training(problem: Problem, trainings: Sequence[TrialRecord]) -> TrialRecord:
    """Returns the training whose network is handed over; one of what was found is done.

    It is the one that did best on validation data, of the network that is the winner among all that
    were trained from scratch, or of the found network where the recipe says so.
    """
    final = problem.recipe.train.final
    own = [record for record in trainings if record.label == FOUND]
    if final.hand_over == "ensemble":
        own = [record for record in trainings if record.label == ENSEMBLE] or own
    elif final.hand_over == "winner":
        own = list(winner(trainings, problem.objectives, final.choose).trainings)
    chosen = best(own, problem.objectives)
    assert chosen is not None, "a training that is done has every objective"
    return chosen


def test(session: Session, trainings: Sequence[TrialRecord], drawn: TrialRecord) -> Outcome:
    """Judges trainings on the test split, and has one of them drawn.

    Returns:
        The job's outcome: how each training did, by number, and the references.

    Raises:
        ToolkitError: the test failed, or an executor says that it ended well without its results.
    """
    job = TestJob(tuple(training_of(session.folder, record) for record in trainings), drawn.number)
    outcome = _run(session, job)
    missing = [record.number for record in trainings if record.number not in outcome.tested]
    if missing:
        raise PluginError(
            f"The executor {type(session.executor).__name__} told of a test without the results of"
            f" the trainings {', '.join(map(str, missing))}."
        )
    return outcome


def export(session: Session, outcome: RunOutcome, trainings: Sequence[TrialRecord]) -> None:
    """Writes `best/` from the training that is chosen of those that are done.

    Raises:
        ToolkitError: the export failed.
    """
    chosen = chosen_training(session.problem, trainings)
    trials = len(session.ledger.trials("search"))
    card = model_card(session.problem, outcome, chosen, trials, session.ledger.get(DATA))
    folder = session.folder
    found = None if chosen.label == FOUND else outcome.point
    ended = _run(
        session,
        ExportJob(training_of(folder, chosen), asdict(card), str(folder.best), found=found),
    )
    for text in ended.warnings:
        session.events.emit("warning", message=f"What is handed over: {text}")
    session.ledger.put_fact(EXPORTED, True)
    session.ledger.commit(durable=True)
    session.events.emit("exported", folder=str(folder.best), training=chosen.number)


def training_of(folder: RunFolder, record: TrialRecord) -> Training:
    """Returns a final training as jobs are told of it."""
    assert record.point is not None
    return Training(record.number, str(folder.trial(record)), record.point, record.seed)


def model_card(
    problem: Problem,
    outcome: RunOutcome,
    chosen: TrialRecord,
    trials: int,
    data: Mapping[str, str],
) -> Card:
    """Puts the model card together.

    Args:
        problem: what was searched.
        outcome: of the run.
        chosen: the training whose network the card is of, be it the one in `best/` or another.
        trials: how many the search had.
        data: digests of the data, by the place of their path in the recipe.

    Returns:
        The card, but for `inputs`, and the sizes of parts that the task does not say: only a worker
        has the data, and knows how they were prepared.
    """
    recipe, train = problem.recipe, problem.train(chosen.point, chosen.fidelity)
    others, label = OUTCOME.plain(outcome)["baselines"], chosen.label
    choice, warning = f"the network {label}, as it was asked for", ""
    if label == outcome.handed_over:
        choice = handed_over_in_words(
            outcome, next(iter(problem.objectives)), problem.recipe.resolved()
        )
        warning = chance_in_words(outcome, problem.recipe.resolved())
    if label != FOUND:
        others.pop(label, None)
        others = {"what the search found": _result(outcome, FOUND), **others}
    return Card(
        title=recipe.name,
        task=recipe.task.name,
        data={
            **_data(recipe.task.options, data),
            **(problem.survey.facts() if problem.survey else {}),
        },
        search={
            "space": recipe.space.name,
            "strategy": recipe.strategy.name,
            "trials": trials,
            "handed over": choice,
        },
        training={"seed": chosen.seed, **_schedule(chosen, train), **searched(chosen)},
        fingerprint=chosen.fingerprint,
        members=problem.members_in_words(chosen.point or {}),
        parameters=chosen.parameters,
        classes=problem.source_of(chosen.point).info.class_names,
        validation=chosen.values,
        test=_plain(outcome.test_of(label)),
        baselines=others,
        warnings=(warning,) if warning else (),
        outputs=problem.source_of(chosen.point).info.outputs,
        references=outcome.references,
    )


def _data(options: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, str]:
    """The files of data by their names alone, as folders are another's elsewhere."""
    named = {}
    for key, digest in digests.items():
        option = key.removeprefix("task.")
        path = options.get(option)
        named[option] = f"{Path(str(path)).name}, digest {digest}" if path else f"digest {digest}"
    return named


def _schedule(chosen: TrialRecord, train: Train) -> dict[str, Any]:
    """How a network was trained; what is fitted at once has no epochs."""
    if not (chosen.epochs_paid or chosen.source or chosen.origin):
        return {"epochs": "none, it was fitted at once"}
    return {"epochs": train.epochs, "batch_size": train.batch_size, "lr": train.lr}


def _result(outcome: RunOutcome, label: str) -> dict[str, Any]:
    own = outcome.trainings_of(label)
    sizes = [training.parameters for training in own if training.parameters is not None]
    return {
        **_plain(outcome.test_of(label)),
        "parameters": round(statistics.fmean(sizes)) if sizes else None,
    }


def _plain(results: Results) -> dict[str, Any]:
    plain: dict[str, Any] = finite({name: asdict(result) for name, result in results.items()})
    return plain


def _run(session: Session, job: TestJob | ExportJob) -> Outcome:
    folder = session.folder.path / "final" / job.kind
    outcome = session.scheduler.run_job(TrialSpec(job.kind, job, 0, str(folder)))
    if outcome.state is not TrialState.DONE:
        hint = "Give the same command again once it is mended; the trainings are kept."
        raise job_failure(f"The {job.kind} failed", outcome, hint)
    return outcome
