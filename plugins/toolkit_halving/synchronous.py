"""Hyperband as first described: a rung is complete before any of it is promoted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import Field, PositiveInt

from toolkit.contracts import Exhausted, Proposal, SearchContext, Wait
from toolkit_halving.rungs import Rung, bracket_sizes, is_token
from toolkit_halving.strategy import HalvingOptions, HalvingStrategy


class SynchronousHyperband(HalvingStrategy):
    """Hyperband (Li et al., JMLR 2018, Algorithm 1): one bracket after the other, then again.

    While a rung has trials running and none left to begin, slots wait; `halving.hyperband` does
    without the waiting.
    """

    name = "halving.hyperband_synchronous"

    class Options(HalvingOptions):
        """And how many brackets."""

        brackets: PositiveInt | None = Field(
            None, description="how many, the one of the shortest trainings first; by default all"
        )

    def setup(self, context: SearchContext) -> None:
        super().setup(context)
        sizes = bracket_sizes(len(self.amounts), self.options.reduction)
        self._sizes = sizes[: self.options.brackets]
        self._rungs: dict[tuple[int, int], Rung] = {}
        self._bracket, self._level = 0, 0

    def rung(self, bracket: int, level: int) -> Rung:
        return self._rungs.setdefault((bracket, level), Rung())

    def knows(self, token: Any) -> bool:
        return is_token(token, None, len(self.amounts)) and token["level"] >= self._lowest(
            token["bracket"]
        )

    def ask(self) -> Proposal | Wait | Exhausted:
        while True:
            bracket, level = self._bracket, self._level
            rung, lowest = self.rung(bracket, level), self._lowest(bracket)
            if level > lowest:
                below = self.rung(bracket, level - 1)
                entry = below.next_of(self._quota(bracket, level))
                if entry is not None:
                    return self.promote(entry, bracket, level)
            elif len(rung.started) < self._quota(bracket, level):
                proposal = self.begin(bracket, level)
                if proposal is not None:
                    return proposal
                if not rung.started:
                    return self.without_proposal()
            if self._is_open(bracket, level):
                return Wait()
            if level < self.top and rung.usable:
                self._level += 1
            else:
                self._bracket += 1
                self._level = self._lowest(self._bracket)

    def promotable(self) -> Collection[int]:
        found: set[int] = set()
        for (bracket, level), rung in self._rungs.items():
            if level < self.top and (bracket, level + 1) >= (self._bracket, self._level):
                found.update(e.number for e in rung.best(self._quota(bracket, level + 1)))
        return found

    def _lowest(self, bracket: int) -> int:
        return bracket % len(self._sizes)

    def _quota(self, bracket: int, level: int) -> int:
        lowest = self._lowest(bracket)
        return int(self._sizes[lowest] // self.options.reduction ** (level - lowest))

    def _is_open(self, bracket: int, level: int) -> bool:
        rung = self.rung(bracket, level)
        return any((config, level) in self._open for config in rung.started)
