"""Proposals that broke a constraint before any training: remembered, counted, summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from toolkit.contracts import TrialState
from toolkit.contracts.constraints import Bound
from toolkit.run.records import TrialRecord

REJECTIONS = 100
"""Rejected proposals in a row after which a search ends."""


class Rejections:
    """What the constraints turned away in a search.

    Args:
        bounds: the recipe's constraints.
    """

    def __init__(self, bounds: Sequence[Bound]) -> None:
        self.bounds = bounds
        self.in_a_row = self.count = 0
        self._rejected: dict[str, TrialRecord] = {}

    def take(self, record: TrialRecord) -> None:
        """Take an ended search trial in, in the order of telling."""
        if record.state is TrialState.INVALID and record.violations:
            self.count += 1
            self.in_a_row += 1
            self._rejected.setdefault(record.fingerprint, record)
        else:
            self.in_a_row = 0

    def known(self, fingerprint: str) -> TrialRecord | None:
        """The trial in which an architecture was rejected, if it was."""
        return self._rejected.get(fingerprint)

    @property
    def enough(self) -> bool:
        """Whether so many were rejected in a row that the search shall end."""
        return self.in_a_row >= REJECTIONS

    def explain(self, records: Iterable[TrialRecord]) -> str:
        """Which constraint was broken most often, and how near it the search came.

        Args:
            records: the search's trials.
        """
        infeasible = [record for record in records if record.violations]
        broken = [(bound, r) for r in infeasible for bound in _broken(self.bounds, r)]
        often = Counter(bound for bound, _ in broken)
        if not often:
            return ""
        bound, times = often.most_common(1)[0]
        closest = min((r.values[bound.name] for b, r in broken if b == bound), key=bound.excess)
        return (
            f"Of {len(infeasible)} proposals that break a constraint, {times} break {bound}; the"
            f" closest had {bound.name} {closest:.6g}."
        )


def _broken(bounds: Iterable[Bound], record: TrialRecord) -> list[Bound]:
    return [bound for bound in bounds if bound.excess_in(record.violations) > 0]
