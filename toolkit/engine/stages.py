"""The stages of a run that searches: first batch, search, and what follows it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.base.errors import ExitCode
from toolkit.base.summary import duration_in_words
from toolkit.engine.final import finish
from toolkit.engine.pilot import Pilot, pilot_of
from toolkit.engine.search import Search
from toolkit.engine.session import Session
from toolkit.engine.smoke import smoke
from toolkit.run.facts import PILOT, Front, PilotResult
from toolkit.run.words import pilot_in_words


def search_and_finish(search: Search, *, hand_over: bool = True) -> int:
    """Searches, trains what was found from scratch, tests, exports, reports; the exit code."""
    if search_all(search) == "failures":
        return ExitCode.FAILURE_BUDGET_SPENT
    done = finish(search.session, hand_over=hand_over)
    return ExitCode.OK if done else ExitCode.ALL_TRIALS_FAILED


def search_all(search: Search) -> str:
    """Runs the first batch and searches; why the search ended."""
    if (pilot := pilot_of(search.strategy)) is not None:
        _listen(search.session, pilot)
    search.restore()
    smoke(search.session)
    return search_on(search)


def _listen(session: Session, pilot: Pilot) -> None:
    """Has the pilot's result written and told, once."""

    def note(result: PilotResult) -> None:
        if session.ledger.get(PILOT) is None:
            session.ledger.put_fact(PILOT, result)
            session.ledger.commit()
            session.events.emit("pilot_ended", message=pilot_in_words(result), **asdict(result))

    def folder_of(number: int) -> Path | None:
        record = session.ledger.trial(number)
        return session.folder.trial(record) if record is not None and record.folder else None

    pilot.on_result, pilot.folder_of = note, folder_of
    if (known := session.ledger.get(PILOT)) is not None:
        pilot.keep(known)


def search_on(search: Search) -> str:
    """Searches from what was taken up to the end; why the search ended."""
    began = search.budget.asked
    reason = search.run()
    events = search.session.events
    events.emit(
        "search_ended",
        reason=reason,
        trials=search.budget.asked,
        failed=search.budget.failed,
        new=search.budget.asked - began,
        search_s=search.budget.seconds,
        **_results(search, search.note_front()),
    )
    warning = _infeasibility(search, reason) or _used_up(search, reason)
    if warning:
        events.emit("warning", message=warning)
    return reason


def _used_up(search: Search, reason: str) -> str:
    """What to say where the whole run's time was gone before anything was tried."""
    if reason != "total" or search.budget.asked:
        return ""
    deadline = search.session.deadline
    return (
        f"budget.total is {duration_in_words(deadline.total)}, and the start of the run took"
        f" {duration_in_words(deadline.spent_s)} of it, {duration_in_words(deadline.smoke_s)} for"
        " the first batch: no time was left for a trial. Give a larger total."
    )


def _results(search: Search, front: Front | None) -> dict[str, Any]:
    """What the end of a search tells of constraints and of the Pareto front."""
    facts: dict[str, Any] = {}
    if search.rejections.count:
        facts["rejected"] = search.rejections.count
    if front is not None and front.results:
        facts |= {"front": len(front.trials), "hypervolume": front.hypervolume}
    return facts


def _infeasibility(search: Search, reason: str) -> str:
    """What to say where the constraints ended a search, or left nothing of it."""
    if not search.rejections.bounds:
        return ""
    records = search.session.ledger.trials("search")
    if any(record.eligible for record in records) and reason != "constraints":
        return ""
    why = search.rejections.explain(records)
    if reason == "constraints":
        many = search.rejections.in_a_row
        return f"{many} proposals in a row break a constraint, so the search ended. {why}"
    return f"No trial keeps to the constraints. {why}" if why else ""
