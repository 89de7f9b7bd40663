"""Warm start: the finished trials of an earlier run, told to the strategy before its first own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.base.plain import is_number
from toolkit.contracts import TrialState
from toolkit.engine.compatibility import with_new_defaults
from toolkit.engine.session import Session
from toolkit.problem import Problem
from toolkit.recipe.values import is_searched
from toolkit.run.content import by_content
from toolkit.run.differences import differing
from toolkit.run.facts import DATA, HOLDINGS, RECIPE, WARM_STARTS, WarmStart
from toolkit.run.folder import RunFolder
from toolkit.run.holdings import differences_in_words
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

_SEARCHED = "(searched)"


class Source:
    """An earlier run: its recipe and its finished trials.

    Raises:
        RecipeError: the folder holds no run.
        LedgerError: its ledger cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        run = RunFolder(folder)
        if not run.ledger.is_file():
            raise RecipeError(
                f"{folder} is no run folder: it holds no ledger.sqlite.",
                hint="--from names the folder of an earlier run.",
            )
        ledger = Ledger.open(run.ledger, read_only=True)
        try:
            self.path = run.path
            recipe = ledger.get(RECIPE)
            self.recipe: Mapping[str, Any] = recipe or {}
            self.data, self.holdings = ledger.get(DATA), ledger.get(HOLDINGS)
            search = [r for r in ledger.trials("search") if r.told is not None]
        finally:
            ledger.close()
        self.trials = sorted(
            (r for r in search if r.state is TrialState.DONE and r.kind == "train"),
            key=lambda record: record.told or 0,
        )


def warm_start(session: Session, source: Source) -> None:
    """Enters an earlier run's trials into this run's ledger as told, unless they are there already.

    They are not paid for. Where task, space and training are the same they answer repeats and may
    be what the search finds; elsewhere they inform the strategy alone. What differs and what was
    left out is said in one warning.

    Raises:
        RecipeError: none of its trials is of use here, or it is this very run.
    """
    problem, ledger, events = session.problem, session.ledger, session.events
    known = ledger.get(WARM_STARTS)
    if any(start.run == str(source.path) for start in known):
        return
    if source.path == session.folder.path:
        raise RecipeError("--from names the run itself.", hint="Name an earlier run's folder.")
    taken = [record for record in source.trials if _is_of_use(record, problem)]
    if not taken:
        raise RecipeError(
            f"None of the {len(source.trials)} finished trials of {source.path} is of use here:"
            " their points lie outside this run's space, or they lack an objective.",
            hint="`toolkit show` prints a trial's point, `toolkit validate` what is searched.",
        )
    data, earlier = ledger.get(DATA), with_new_defaults(source.recipe, problem.registry)
    differences = differing(
        _meaning(by_content(earlier, source.data, data)),
        _meaning(by_content(problem.recipe.resolved(masked=True), data, source.data)),
    )
    _enter(taken, source, problem, ledger, comparable=not differences)
    start = WarmStart(str(source.path), len(taken), comparable=not differences)
    ledger.put_fact(WARM_STARTS, (*known, start))
    ledger.commit(durable=True)
    events.emit("warm_started", run=str(source.path), trials=len(taken))
    parts = []
    if differences:
        lines = differences_in_words(differences, source.holdings, ledger.get(HOLDINGS))
        parts.append(f"its trials inform the strategy and answer no repeats, for {lines}")
    if len(taken) < len(source.trials):
        left = len(source.trials) - len(taken)
        parts.append(f"{left} of {len(source.trials)} do not fit this run's space or objectives")
    if parts:
        events.emit("warning", message=f"Warm start from {source.path}: {'; '.join(parts)}.")


def _enter(
    taken: Sequence[TrialRecord], source: Source, problem: Problem, ledger: Ledger, comparable: bool
) -> None:
    records = ledger.trials()
    number = max((record.number for record in records), default=0)
    told = max((record.told or 0 for record in records), default=0)
    for position, record in enumerate(taken, 1):
        assert record.point is not None
        ledger.put(
            TrialRecord(
                number + position,
                "search",
                "train",
                TrialState.DONE,
                record.point,
                problem.fingerprint(record.point),
                record.seed,
                fidelity=record.fidelity,
                values=record.values,
                parameters=record.parameters,
                created=record.created,
                started=record.started,
                ended=record.ended,
                told=told + position,
                origin=record.origin or f"{source.path}#{record.number}",
                comparable=comparable and record.comparable,
            )
        )


def _is_of_use(record: TrialRecord, problem: Problem) -> bool:
    try:
        if not problem.holds(record.point):
            return False
    except ToolkitError:
        return False
    return all(is_number(record.values.get(name)) for name in problem.objectives)


def _meaning(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What of a recipe decides what a trial's result means; searched values are in its point."""
    train = {key: value for key, value in recipe.get("train", {}).items() if key != "final"}
    words = {"task": recipe.get("task"), "space": recipe.get("space"), "train": train}
    return {word: _without_searched(value) for word, value in words.items()}


def _without_searched(value: Any) -> Any:
    if is_searched(value):
        return _SEARCHED
    if isinstance(value, Mapping):
        return {name: _without_searched(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_searched(inner) for inner in value]
    return value
