"""What a strategy hears again of the trials of earlier engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from toolkit.contracts import Strategy, TrialState
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

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
