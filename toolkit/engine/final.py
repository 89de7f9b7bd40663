"""What follows a search: training from scratch beside baselines, one test, the hand-over, a report.

Everything chosen here is chosen by validation results; the test split is read once, when every
training has ended.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from toolkit.base.errors import ToolkitError
from toolkit.base.files import remove_tree
from toolkit.contracts import TrialState
from toolkit.engine.handover import chosen_training, export, test
from toolkit.engine.outcome import sum_up
from toolkit.engine.planning import found_trial, plan_trainings, saturation_in_words
from toolkit.engine.reporting import write
from toolkit.engine.scheduler import Interrupted
from toolkit.engine.session import Session
from toolkit.registry import plugin_code
from toolkit.run.facts import DRAWING, EXPORT_S, EXPORTED, FINAL_S, OUTCOME, TEST_S, Fact
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import RunOutcome
from toolkit.run.records import FOUND, TrialRecord
from toolkit.run.weights import fault_of_weights
from toolkit.run.words import chance_in_words

logger = logging.getLogger(__name__)


def finish(session: Session, given: TrialRecord | None = None, *, hand_over: bool = True) -> bool:
    """Trains, tests and exports what was found, and reports.

    Each part is done once: a resumed run goes on with the first one that is missing.

    Args:
        session: the engine at work on the run.
        given: what was found elsewhere, where nothing is searched here.
        hand_over: export and report; a run that is only to be judged ends with its test.

    Returns:
        Whether something good was found.

    Raises:
        Interrupted: the engine was asked to stop.
        ToolkitError: the test or the export failed.
    """
    ledger = session.ledger
    outcome = ledger.get(OUTCOME)
    goes_on = outcome is not None
    if outcome is None:
        found = given or found_trial(session.problem, ledger.trials("search"))
        outcome = None if found is None else _train_and_test(session, found)
        if outcome is None:
            return False
    elif given is None:
        _warn_of_later_finds(session, outcome)
    if not hand_over:
        return True
    if not (ledger.get(EXPORTED) and session.folder.best.is_dir()):
        try:
            with _timed(session, EXPORT_S):
                if goes_on and _repair(session, [chosen_training(session.problem, _done(ledger))]):
                    train_all(session)
                export(session, outcome, _done(ledger))
        except ToolkitError:
            _report(session)
            raise
    _report(session)
    return True


def _train_and_test(session: Session, found: TrialRecord) -> RunOutcome | None:
    """The outcome, which is in the ledger by then; None if no training of the find went well."""
    ledger = session.ledger
    plan_trainings(session, found)
    if session.problem.recipe.train.final.ensemble > 1 and (
        warning := saturation_in_words(session.problem, ledger.trials("search"))
    ):
        session.events.emit("warning", message=warning)
    _repair(session, _done(ledger))
    with _timed(session, FINAL_S):
        train_all(session)
    trainings = _done(ledger)
    if not any(record.label == FOUND for record in trainings):
        message = "Every final training of what was found has failed."
        session.events.emit("warning", message=message)
        return None
    drawn = chosen_training(session.problem, trainings)
    with _timed(session, TEST_S):
        judged = test(session, trainings, drawn)
    tested = judged.tested
    with plugin_code("space.advice"):
        advice = session.problem.space().advice(session.problem.info)
    outcome = replace(
        sum_up(ledger, found, trainings, tested, drawn.label, judged.references), advice=advice
    )
    ledger.put_fact(DRAWING, tested[drawn.number].drawing)
    ledger.put_fact(OUTCOME, outcome)
    ledger.commit(durable=True)
    said = OUTCOME.plain(outcome)
    facts = {name: said[name] for name in ("test", "baselines", "parameters")}
    session.events.emit("tested", **facts, handed_over=drawn.label)
    if warning := chance_in_words(outcome, session.problem.recipe.resolved()):
        session.events.emit("warning", message=warning)
    return outcome


def train_all(session: Session) -> None:
    """Runs every final training that has not ended yet.

    Raises:
        Interrupted: the engine was asked to stop.
    """
    scheduler, events, ledger = session.scheduler, session.events, session.ledger
    planned = ledger.trials("final")
    scheduler.requeued.clear()
    scheduler.requeued.extend(
        replace(record, state=TrialState.QUEUED)
        for record in _in_order(session, planned)
        if not record.state.ended
    )
    events.emit("final_started", trainings=len(planned), open=len(scheduler.requeued))
    while scheduler.requeued or scheduler.running:
        while scheduler.requeued and scheduler.free():
            _start(session, scheduler.requeued.popleft())
        if not scheduler.running:
            break
        for record in scheduler.wait():
            events.trial_ended(record)
    if scheduler.interrupts:
        raise Interrupted
    left_out = len(planned) - len(ledger.trials("final"))
    if left_out:
        message = (
            f"budget.total left no time for {left_out} of {len(planned)} final trainings, which are"
            " left out. A larger total, fewer train.final.seeds or train.final.random give each its"
            " time."
        )
        events.emit("warning", message=message)
    events.emit("final_ended", done=len(_done(ledger)), trainings=len(planned))


def _in_order(session: Session, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The order to train in: where time may run out, every network with one seed before the next.

    What is left out then leaves the others with as many trainings each.
    """
    if session.deadline.total is None:
        return list(records)
    rounds: dict[int, int] = {}
    seen: Counter[str] = Counter()
    for record in records:
        rounds[record.number] = seen[record.label]
        seen[record.label] += 1
    return sorted(records, key=lambda record: rounds[record.number])


def _start(session: Session, record: TrialRecord) -> None:
    """Starts a final training, or takes it from the plan where there is no time for it."""
    scheduler, deadline = session.scheduler, session.deadline
    under_way = [job.record for job in scheduler.running.values() if job.record is not None]
    ended = _done(session.ledger)
    if deadline.allows(record, ended, under_way):
        needed = deadline.needs(record, [*ended, *under_way])
        endless = deadline.total is None or needed
        scheduler.start(record, None if endless else max(deadline.left_s, 1.0))
        return
    remove_tree(session.folder.trial(record), session.folder.path)
    session.ledger.remove(record.number)
    session.ledger.commit()


def _repair(session: Session, trainings: Sequence[TrialRecord]) -> bool:
    """Queues what an earlier session trained and has lost its weights since; whether any has.

    The same seed gives the same weights.
    """
    broken = False
    for record in trainings:
        fault = fault_of_weights(session.folder.trial(record))
        if fault:
            broken = True
            session.ledger.put(replace(record, state=TrialState.QUEUED, ended=None))
            message = f"{fault}. It is trained again."
            session.events.emit("warning", number=record.number, message=message)
    session.ledger.commit(durable=True)
    return broken


def _done(ledger: Ledger) -> list[TrialRecord]:
    return [record for record in ledger.trials("final") if record.state is TrialState.DONE]


def _warn_of_later_finds(session: Session, outcome: RunOutcome) -> None:
    records = session.ledger.trials("search")
    best = found_trial(session.problem, records)
    if best is not None and best.fingerprint != outcome.fingerprint:
        message = (
            f"Trial {best.number} is better than what was tested, but the test split is read once"
            " a run: the outcome stays. `toolkit test` tests it too, and says so."
        )
        session.events.emit("warning", number=best.number, message=message)
        return
    tested = max(training.number for training in outcome.trainings)
    later = sum(record.number > tested for record in records)
    if later:
        message = f"{later} trials came after the test, none better than what was tested."
        session.events.emit("warning", message=f"{message} The outcome stays.")


@contextmanager
def _timed(session: Session, part: Fact[float]) -> Iterator[None]:
    """Adds the time that a part takes to what earlier sessions spent on it."""
    ledger, clock = session.ledger, session.clock
    began = clock.monotonic()
    try:
        yield
    finally:
        ledger.put_fact(part, ledger.get(part) + clock.monotonic() - began)
        ledger.commit()


def _report(session: Session) -> None:
    """Writes the report; a fault in it costs the report, not the run."""
    session.ledger.commit()
    try:
        path = session.scheduler.room.writing(lambda: write(session.folder.path))
    except Exception as error:
        logger.exception("The report could not be written.")
        session.events.emit("warning", message=f"The report could not be written: {error}.")
    else:
        session.events.emit("reported", path=str(path))
