"""What a strategy hears again of the trials of earlier engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from toolkit.contracts import Direction, Strategy, TrialState
from toolkit.engine.budget import is_refused
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord, candidates
from toolkit.run.selection import front_of, ranked

Reports: TypeAlias = dict[int, list[tuple[int, dict[str, float | None]]]]
"""Steps and values in order, by the trial's number."""


def reports_for(strategy: Strategy, ledger: Ledger, records: Iterable[TrialRecord]) -> Reports:
    """Returns the reports that a strategy asks to hear again (`Strategy.hears_reports`).

    Args:
        strategy: that asks.
        ledger: of the run.
        records: the run's trials as they are taken up.
    """
    if strategy.hears_reports == "pruned":
        pruned = TrialState.PRUNED
        return ledger.reports([r.number for r in records if r.state is pruned or not r.state.ended])
    return ledger.reports() if strategy.hears_reports else {}


class Heard:
    """What a resumed run says of the ended trials that it took up, summed up as they pass.

    Args:
        objectives: metric -> direction.
    """

    def __init__(self, objectives: Mapping[str, Direction]) -> None:
        self._objectives = objectives
        self._ended = self._counted = self._trained = 0
        self._trained_s = 0.0
        self._leading: list[TrialRecord] = []

    def take(self, records: Sequence[TrialRecord]) -> None:
        """Counts some more."""
        paid = [record for record in records if not record.origin and not is_refused(record)]
        trained = [record for record in paid if record.source is None and record.duration_s]
        self._ended += len(records)
        self._counted += len(paid)
        self._trained += len(trained)
        self._trained_s += sum(record.duration_s for record in trained)
        known = candidates([*self._leading, *records])
        if len(self._objectives) > 1:
            self._leading = front_of(known, self._objectives)
        else:
            self._leading = ranked(known, self._objectives)[:1]

    def facts(self) -> dict[str, Any]:
        """Facts for the event: how many there are, and the best trial or the front."""
        return {
            "ended": self._ended,
            "counted": self._counted,
            "trials_s": [self._trained, self._trained_s],
            "best": [{"number": r.number, "values": r.values} for r in self._leading],
        }
