"""The runs below the folders that are watched, each by an identifier that names no path."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.base.errors import ToolkitError
from toolkit.report.watch.changes import stamp
from toolkit.run.facts import BUDGET_TRIALS, CREATED, OBJECTIVES, OUTCOME, RECIPE
from toolkit.run.ledger import Ledger
from toolkit.run.over_folds import is_evaluation, over_folds
from toolkit.run.state import state_of
from toolkit.run.status import best_so_far

LEDGER = "ledger.sqlite"
DEPTH = 3
"""Folders below a watched one in which runs are looked for; a sweep's runs lie two below it."""
MANY = 1000
"""A run of more trials is listed before its best is looked for."""
SPARED = 20
"""A run's best is looked for again after so many times of what looking for it took."""


class Runs:
    """Finds runs, and knows which run an identifier stands for.

    Args:
        roots: run folders, or folders of runs.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.absolute() for root in roots]
        self._known: dict[str, Path] = {}
        self._reached: dict[Path, _Reached] = {}

    def folder(self, identifier: str) -> Path | None:
        """Returns the folder of a run that was listed; None where there is none."""
        if identifier not in self._known:
            self.find()
        return self._known.get(identifier)

    def find(self) -> dict[str, Path]:
        """Returns every run there is now, by its identifier, in the order of folders."""
        found = dict.fromkeys(path for root in self._roots for path in _below(root))
        self._known = {_identifier(path): path for path in found}
        return self._known

    def listed(self) -> list[dict[str, Any]]:
        """Returns what the list of runs says of each."""
        return [
            {"id": identifier, **self._told(folder)} for identifier, folder in self.find().items()
        ]

    def _told(self, folder: Path) -> dict[str, Any]:
        title = self._title(folder)
        try:
            with closing(Ledger.open(folder / LEDGER, read_only=True)) as ledger:
                recipe, objectives = ledger.get(RECIPE) or {}, ledger.get(OBJECTIVES)
                budget, count = ledger.get(BUDGET_TRIALS), ledger.count("search")
                created = ledger.get(CREATED)
                reached = self._reached_by(folder, ledger, count)
        except ToolkitError as error:
            return {"title": title, "name": title, "state": "failed", "error": error.message}
        return {
            "title": title,
            "name": recipe.get("name") or folder.name,
            "folder": str(folder),
            "state": state_of(folder),
            "created": created,
            "objectives": objectives,
            "trials": count,
            "budget": budget,
            "strategy": (recipe.get("strategy") or {}).get("name"),
            **reached,
        }

    def _reached_by(self, folder: Path, ledger: Ledger, trials: int) -> dict[str, Any]:
        """What is best so far and what is handed over, read again when the ledger has changed.

        All trials are read for that, so a long run at work is looked at less often, and not before
        the list is shown for the first time.
        """
        seen, now = _stamp(folder / LEDGER), time.monotonic()
        known = self._reached.get(folder)
        if known is None and trials > MANY:
            known = self._reached[folder] = _Reached({"best": None, "handed_over": None}, (), now)
        elif known is None or (seen != known.stamp and now >= known.again):
            said = _reached(ledger)
            took = time.monotonic() - now
            known = self._reached[folder] = _Reached(said, seen, now + SPARED * took)
        return known.said

    def _title(self, folder: Path) -> str:
        for root in self._roots:
            if folder.is_relative_to(root):
                relative = folder.relative_to(root)
                return str(relative) if str(relative) != "." else folder.name
        return folder.name


def _below(root: Path) -> Iterator[Path]:
    patterns = ["/".join(["*"] * depth + [LEDGER]) for depth in range(DEPTH + 1)]
    for pattern in patterns:
        yield from (path.parent for path in sorted(root.glob(pattern)) if path.is_file())


def _identifier(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:12]


@dataclass(frozen=True)
class _Reached:
    """What was read of a run, of which state of its ledger, and when it may be read again."""

    said: dict[str, Any]
    stamp: tuple[tuple[int, int], ...]
    again: float


def _reached(ledger: Ledger) -> dict[str, Any]:
    """The best trial so far, and the network in `best/` with its test, by the first objective."""
    objectives, outcome = ledger.get(OBJECTIVES), ledger.get(OUTCOME)
    metric = next(iter(objectives), "")
    said: dict[str, Any] = {"best": None, "handed_over": None}
    if is_evaluation(ledger):
        over = over_folds(ledger.path.parent)
        return {**said, "evaluation": "its folds are at work" if over is None else over.sentence}
    found = best_so_far(ledger) if metric else None
    if found is not None:
        said["best"] = {"number": found.number, "value": found.values.get(metric)}
    if outcome is not None:
        test = outcome.test_of(outcome.handed_over).get(metric)
        value = None if test is None else test.mean
        said["handed_over"] = {"network": outcome.handed_over, "test": value}
    return said


def _stamp(path: Path) -> tuple[tuple[int, int], ...]:
    """What changes with a ledger: the time and size of its file, and of what it has yet to take."""
    return stamp(path), stamp(path.with_name(f"{path.name}-wal"))
