"""The Pareto front of a search, kept while its results come in."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.analysis.pareto import Archive
from toolkit.contracts import Direction
from toolkit.run.facts import Front
from toolkit.run.records import TrialRecord


class SearchFront:
    """The Pareto front of a search with several objectives; with one there is none.

    Args:
        objectives: metric -> direction.
    """

    def __init__(self, objectives: Mapping[str, Direction]) -> None:
        self._objectives = objectives
        self._archive = Archive(objectives) if len(objectives) > 1 else None
        self._full = False

    def take(self, record: TrialRecord) -> bool:
        """Takes an ended trial in; whether the front is another now."""
        known = all(name in record.values for name in self._objectives)
        if self._archive is None or not (record.eligible and known):
            return False
        if record.in_full and not self._full:
            # Whole trainings are not compared with parts of such, see `candidates`.
            self._archive, self._full = Archive(self._objectives), True
        elif self._full and not record.in_full:
            return False
        return self._archive.add(record.number, record.values)

    def fact(self, *, exact: bool = False) -> Front | None:
        """Returns the front for the ledger; None with one objective.

        Args:
            exact: with the hypervolume, however long that takes (`Archive.to_json`).
        """
        if self._archive is None:
            return None
        known = self._archive.to_json(exact=exact)
        return Front(**{**known, "trials": tuple(known["trials"])})
