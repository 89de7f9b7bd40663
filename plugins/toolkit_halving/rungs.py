"""Rungs of successive halving: results of one fidelity, ranked, and which of them went on."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from toolkit.analysis.pareto import dominates
from toolkit.space import Point


@dataclass(frozen=True)
class Entry:
    """A result: the trial's number, its point, and its objectives turned so that less is better.

    Attributes:
        config: number of the configuration within the search.
        continued: whether its training can go on; not one of another run.
    """

    number: int
    point: Point
    scores: tuple[float, ...]
    config: int
    continued: bool = True


class Rung:
    """Results of one fidelity within a bracket.

    With one objective the better value ranks first, with several the entry that fewer others
    dominate (the rank of Fonseca and Fleming, ICGA 1993); earlier results first among equals.
    """

    def __init__(self) -> None:
        self.started: set[int] = set()
        self.ended = 0
        self.promoted: set[int] = set()
        self._ranked: list[tuple[float, int, Entry]] = []

    @property
    def usable(self) -> int:
        """Results that may be promoted."""
        return len(self._ranked)

    def fail(self) -> None:
        """Count a trial without a usable result: it is never promoted."""
        self.ended += 1

    def add(self, entry: Entry) -> None:
        """Take a result in."""
        self.ended += 1
        if len(entry.scores) == 1:
            # The order of telling keeps entries from being compared themselves.
            bisect.insort(self._ranked, (entry.scores[0], self.ended, entry))
            return
        rank = 0.0
        for position, (dominators, order, other) in enumerate(self._ranked):
            rank += dominates(other.scores, entry.scores)
            if dominates(entry.scores, other.scores):
                self._ranked[position] = (dominators + 1, order, other)
        self._ranked.append((rank, self.ended, entry))
        self._ranked.sort(key=lambda ranked: ranked[:2])

    def best(self, count: int) -> list[Entry]:
        """The best `count` that have not been promoted yet and may be, best first."""
        ranked = itertools.islice(self._ranked, max(count, 0))
        return [entry for _, _, entry in ranked if entry.number not in self.promoted]

    def next_of(self, count: int) -> Entry | None:
        """The first of them, or None."""
        for _, _, entry in itertools.islice(self._ranked, max(count, 0)):
            if entry.number not in self.promoted:
                return entry
        return None


def amounts(least: float, most: float, reduction: int, *, whole: bool) -> list[float]:
    """Fidelities of the rungs: `most`, and each `reduction` times less down to `least`."""
    count = math.floor(math.log(most / least) / math.log(reduction) + 1e-9)
    found: list[float] = [most / reduction**step for step in range(count, -1, -1)]
    return [max(1, round(amount)) for amount in found] if whole else found


def bracket_sizes(rungs: int, reduction: int) -> list[int]:
    """Configurations to begin with in each bracket, the one of the most rungs first.

    Source: Li et al., JMLR 2018, Algorithm 1: n = ceil((s_max + 1) / (s + 1) * eta^s).
    """
    return [math.ceil(rungs / (s + 1) * reduction**s - 1e-9) for s in range(rungs - 1, -1, -1)]


def is_token(token: Any, brackets: Collection[Any] | None, levels: int) -> bool:
    """Whether a token is one of this package's, for a bracket and a rung that there are."""
    if not isinstance(token, dict) or {"bracket", "level", "config"} - token.keys():
        return False
    known = brackets is None or 0 <= token["bracket"] < len(brackets)
    return known and 0 <= token["level"] < levels
