"""What follows a search: training from scratch beside baselines, one test, the hand-over.

Everything chosen here is chosen by validation results; the test split is read once, when every
training has ended.
"""

from __future__ import annotations

import logging
import random
import shutil
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from toolkit.analysis.summary import summarize_metrics
from toolkit.contracts import (
    ExportJob,
    Outcome,
    Tested,
    TestJob,
    Training,
    TrialSpec,
    TrialState,
)
from toolkit.engine import seeds
from toolkit.engine.scheduler import Interrupted, Scheduler, job_failure
from toolkit.errors import ToolkitError
from toolkit.problem import Problem
from toolkit.run.events import Journal
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord, candidates
from toolkit.space import sample

logger = logging.getLogger(__name__)

FOUND = "found"
_TRIES = 100
"""Draws after which a space counts as too small for one more random architecture."""


def finish(
    problem: Problem,
    folder: RunFolder,
    ledger: Ledger,
    scheduler: Scheduler,
    journal: Journal,
    given: TrialRecord | None = None,
) -> bool:
    """Train, test and export what was found, and report; False if nothing good was found.

    Each part is done once: a resumed run goes on with the first one that is missing.

    Args:
        given: what was found elsewhere, where nothing is searched here.

    Raises:
        Interrupted: the engine was asked to stop.
        ToolkitError: the test or the export failed.
    """
    if ledger.meta("outcome") is None:
        found = given or best_point(problem, ledger.trials("search"))
        if found is None:
            return False
        plan(problem, folder, ledger, found)
        with _timed(ledger, "final_s"):
            train_all(ledger, scheduler, journal)
        trainings = [r for r in ledger.trials("final") if r.state is TrialState.DONE]
        if not any(record.label == FOUND for record in trainings):
            journal.emit("warning", message="Every final training of what was found has failed.")
            return False
        drawn = chosen_training(problem, trainings)
        with _timed(ledger, "test_s"):
            tested = test(folder, scheduler, trainings, drawn)
        outcome = sum_up(ledger, found, trainings, tested)
        ledger.set_meta("drawing", tested[drawn.number].drawing)
        ledger.set_meta("outcome", outcome)
        ledger.commit(durable=True)
        journal.emit(
            "tested",
            test=outcome["test"],
            baselines=outcome["baselines"],
            parameters=outcome["parameters"],
        )
    else:
        if given is None:
            _warn_of_later_finds(problem, ledger, journal)
    if not (ledger.meta("exported") and folder.best.is_dir()):
        try:
            with _timed(ledger, "export_s"):
                export(problem, folder, ledger, scheduler, journal)
        except ToolkitError:
            _report(folder, ledger, journal)
            raise
    _report(folder, ledger, journal)
    return True


def _warn_of_later_finds(problem: Problem, ledger: Ledger, journal: Journal) -> None:
    best = best_point(problem, ledger.trials("search"))
    if best is not None and best.fingerprint != ledger.meta("outcome")["fingerprint"]:
        message = (
            f"Trial {best.number} is better than what was tested, but the test split is read once"
            " a run: the outcome stays. Search in a new folder to have it tested."
        )
        journal.emit("warning", number=best.number, message=message)
        return
    tested = max(training["number"] for training in ledger.meta("outcome")["trainings"])
    later = sum(record.number > tested for record in ledger.trials("search"))
    if later:
        message = f"{later} trials came after the test, none better than what was tested."
        journal.emit("warning", message=f"{message} The outcome stays.")


def best_point(problem: Problem, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The eligible trial with the best primary objective, the earliest among equals.

    One that was trained in full comes before any that was not. Where no derived architecture was
    trained on its own, the supernet's first choice stands.
    """
    metric, direction = next(iter(problem.objectives.items()))
    sign = 1 if direction == "maximize" else -1
    trained = candidates(records)
    if trained:
        return max(trained, key=lambda record: sign * record.values[metric])
    for record in records:
        # What was not trained on its own cannot be known to keep to constraints.
        if record.state is TrialState.DONE and record.derived and not problem.bounds:
            point = {"architecture": record.derived[0]}
            fingerprint = problem.fingerprint(point)
            return replace(record, kind="train", point=point, fingerprint=fingerprint)
    return None


def plan(problem: Problem, folder: RunFolder, ledger: Ledger, found: TrialRecord) -> None:
    """Enter every final training of this find into the ledger, unless an earlier session did."""
    known = ledger.trials("final")
    if any(r.label == FOUND and r.fingerprint == found.fingerprint for r in known):
        return
    recipe = problem.recipe
    assert found.point is not None
    points, found_as = {FOUND: found.point}, None
    if recipe.train.final.baselines:
        found_as, beside = problem.points_beside(found.point)
        points.update(beside)
    points.update(_random_points(problem, recipe.train.final.random))
    named = {"part": problem.space().exchanged, "name": found_as}
    ledger.set_meta("found_as", named if found_as else None)
    # What an earlier session planned beside another find stays where it is still wanted.
    stale = {(record.label, record.fingerprint, record.seed): record for record in known}
    number = max((record.number for record in ledger.trials()), default=0)
    for label, point in points.items():
        fingerprint = problem.fingerprint(point)
        for index in range(recipe.train.final.seeds):
            seed = seeds.derive(recipe.train.seed, "final", index)
            if stale.pop((label, fingerprint, seed), None) is not None:
                continue
            number += 1
            ledger.put(
                TrialRecord(
                    number,
                    "final",
                    "train",
                    TrialState.QUEUED,
                    point,
                    fingerprint,
                    seed,
                    label=label,
                    folder=RunFolder.trial_name("final", number, fingerprint, label, index),
                )
            )
    for record in stale.values():
        shutil.rmtree(folder.path / record.folder, ignore_errors=True)
        ledger.remove(record.number)
    ledger.commit(durable=True)


def _random_points(problem: Problem, count: int) -> dict[str, dict[str, Any]]:
    """Distinct random points, of all the architectures of the space."""
    rng = random.Random(seeds.derive(problem.recipe.train.seed, "random"))
    points: dict[str, dict[str, Any]] = {}
    for _ in range(_TRIES * count):
        if len(points) == count:
            break
        point = sample(problem.whole_tree, rng)
        points.setdefault(problem.fingerprint(point), point)
    return {f"random-{index}": point for index, point in enumerate(points.values(), 1)}


def train_all(ledger: Ledger, scheduler: Scheduler, journal: Journal) -> None:
    """Run every final training that has not ended yet.

    Raises:
        Interrupted: the engine was asked to stop.
    """
    records = ledger.trials("final")
    scheduler.requeued.clear()
    scheduler.requeued.extend(
        replace(record, state=TrialState.QUEUED) for record in records if not record.state.ended
    )
    journal.emit("final_started", trainings=len(records), open=len(scheduler.requeued))
    while scheduler.requeued or scheduler.running:
        while scheduler.requeued and scheduler.free():
            scheduler.start(scheduler.requeued.popleft())
        if not scheduler.running:
            break
        for record in scheduler.wait():
            journal.trial_ended(record)
    if scheduler.interrupts:
        raise Interrupted
    states = [record.state for record in ledger.trials("final")]
    journal.emit("final_ended", done=states.count(TrialState.DONE), trainings=len(states))


def test(
    folder: RunFolder,
    scheduler: Scheduler,
    trainings: Iterable[TrialRecord],
    drawn: TrialRecord,
) -> Mapping[int, Tested]:
    """Judge trainings on the test split, and have one of them drawn; the results by number.

    Raises:
        ToolkitError: the test failed.
    """
    job = TestJob(tuple(_training(folder, record) for record in trainings), drawn.number)
    return _run(scheduler, TrialSpec("test", job, 0, str(folder.path / "final/test"))).tested


def sum_up(
    ledger: Ledger,
    found: TrialRecord,
    trainings: Sequence[TrialRecord],
    tested: Mapping[int, Tested],
) -> dict[str, Any]:
    """The run's outcome: what was found, and how it and the baselines did on the test split.

    The standard deviation is that of a sample (over n - 1); random architectures are pooled.
    """
    assert found.point is not None
    groups: dict[str, list[TrialRecord]] = {}
    for record in trainings:
        name = "random" if record.label.startswith("random-") else record.label
        groups.setdefault(name, []).append(record)
    results = {
        name: {
            **summarize_metrics(tested[record.number].test for record in records),
            "parameters": round(statistics.mean(record.parameters or 0 for record in records)),
        }
        for name, records in groups.items()
    }
    mine = results.pop(FOUND)
    return {
        "architecture": found.point["architecture"],
        "point": found.point,
        "trial": found.number or None,
        "fingerprint": found.fingerprint,
        "found_as": ledger.meta("found_as"),
        "values": dict(found.values),
        "parameters": mine.pop("parameters"),
        "test": mine,
        "baselines": results,
        "costs": {
            name: summarize_metrics(tested[record.number].costs for record in records)
            for name, records in groups.items()
        },
        "infeasible": {
            name: broken
            for name, records in groups.items()
            if (broken := sorted({bound for record in records for bound in record.violations}))
        },
        "trainings": [
            {
                "number": record.number,
                "label": record.label,
                "seed": record.seed,
                "fingerprint": record.fingerprint,
                "parameters": record.parameters,
                "values": record.values,
                "test": tested[record.number].test,
                "costs": tested[record.number].costs,
            }
            for record in trainings
        ],
        "times_s": {name: ledger.meta(f"{name}_s", 0.0) for name in ("search", "final", "test")},
    }


def chosen_training(problem: Problem, trainings: Iterable[TrialRecord]) -> TrialRecord:
    """The found architecture's training that did best on validation data: it is handed over."""
    metric, direction = next(iter(problem.objectives.items()))
    sign = 1 if direction == "maximize" else -1
    own = [record for record in trainings if record.label == FOUND]
    return max(own, key=lambda record: sign * record.values[metric])


def export(
    problem: Problem, folder: RunFolder, ledger: Ledger, scheduler: Scheduler, journal: Journal
) -> None:
    """Write `best/` from the found architecture's training that did best on validation data.

    Raises:
        ToolkitError: the export failed.
    """
    outcome = ledger.meta("outcome")
    done = [r for r in ledger.trials("final") if r.state is TrialState.DONE]
    chosen = chosen_training(problem, done)
    recipe = problem.recipe
    card = {
        "title": recipe.name,
        "task": recipe.task.name,
        "search": {
            "space": recipe.space.name,
            "strategy": recipe.strategy.name,
            "trials": len(ledger.trials("search")),
        },
        "training": {"seed": chosen.seed, **_trained(problem, chosen)},
        "fingerprint": outcome["fingerprint"],
        "parameters": chosen.parameters,
        "validation": chosen.values,
        "test": outcome["test"],
        "baselines": outcome["baselines"],
    }
    job = ExportJob(_training(folder, chosen), card, str(folder.best))
    _run(scheduler, TrialSpec("export", job, 0, str(folder.path / "final/export")))
    ledger.set_meta("exported", True)
    ledger.commit(durable=True)
    journal.emit("exported", folder=str(folder.best), training=chosen.number)


def _trained(problem: Problem, record: TrialRecord) -> dict[str, Any]:
    train = problem.train(record.point, record.fidelity)
    return {"epochs": train.epochs, "batch_size": train.batch_size, "lr": train.lr}


def _training(folder: RunFolder, record: TrialRecord) -> Training:
    assert record.point is not None
    return Training(record.number, str(folder.path / record.folder), record.point, record.seed)


def _run(scheduler: Scheduler, spec: TrialSpec) -> Outcome:
    outcome = scheduler.run_job(spec)
    if outcome.state is not TrialState.DONE:
        hint = "Give the same command again once it is mended; the trainings are kept."
        raise job_failure(f"The {spec.job.kind} failed", outcome, hint)
    return outcome


@contextmanager
def _timed(ledger: Ledger, key: str) -> Iterator[None]:
    """Add the time a part takes to what earlier sessions noted under `key`."""
    began = time.monotonic()
    try:
        yield
    finally:
        ledger.set_meta(key, ledger.meta(key, 0.0) + time.monotonic() - began)
        ledger.commit()


def _report(folder: RunFolder, ledger: Ledger, journal: Journal) -> None:
    """Write the report; a fault in it costs the report, not the run."""
    ledger.commit()
    try:
        from toolkit.report import write_report

        write_report(folder.path)
    except Exception as error:
        logger.exception("The report could not be written.")
        journal.emit("warning", message=f"The report could not be written: {error}.")
