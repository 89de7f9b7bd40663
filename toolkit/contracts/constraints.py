"""Constraints as a recipe writes them: bounds on costs and metrics, by name.

`{parameters: "<= 50000", latency_ms: "<= 2.5", accuracy: ">= 0.5, < 1"}`
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")
_RULE = re.compile(r"\s*(?P<name>\w+)\s*(?P<bound>[<>].*?)\s+then\s+(?P<metric>\w+)\s*")
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FIRST, KNEE = "first", "knee"
"""Points of a front that need no rule: the best in the first objective; the nearest to the best of
every objective."""
EXAMPLE = '"<= 50000" (or >=, <, >; several joined by commas)'


@dataclass(frozen=True)
class Bound:
    """One side that a value must stay on: `parameters <= 50000`."""

    name: str
    relation: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a value keeps to the bound; NaN does not."""
        return _RELATIONS[self.relation](value, self.limit)

    def excess(self, value: float) -> float:
        """How far a value is beyond the bound: positive exactly where it does not hold.

        As a share of the bound (of 1 if that is 0), so that constraints of all kinds add up.
        """
        if self.holds(value):
            return 0.0
        if math.isnan(value):
            return math.inf
        return max(abs(value - self.limit) / (abs(self.limit) or 1.0), sys.float_info.min)

    def excess_in(self, violations: Mapping[str, float]) -> float:
        """By how much a trial broke the bound, out of its `violations`; 0 if it did not."""
        excess: float | None = violations.get(str(self), 0.0)
        return math.inf if excess is None else excess  # The ledger has null for infinity.

    def __str__(self) -> str:
        return f"{self.name} {self.relation} {self.limit:.10g}"


def parse(name: str, text: str) -> tuple[Bound, ...]:
    """The bounds on one name.

    Raises:
        ValueError: it is no bound, or nothing keeps to all of them.
    """
    bounds = []
    for part in text.split(","):
        match = _BOUND.fullmatch(part)
        if match is None:
            raise ValueError(f"{text!r} given, expected a bound such as {EXAMPLE}")
        bounds.append(Bound(name, match[1], float(match[2])))
    for lower in bounds:
        for upper in bounds:
            if lower.relation[0] == ">" and upper.relation[0] == "<" and _apart(lower, upper):
                raise ValueError(
                    f"nothing is both {lower.relation} {lower.limit:g} and {upper.relation} "
                    f"{upper.limit:g}"
                )
    return tuple(bounds)


def parse_rule(text: str) -> tuple[tuple[Bound, ...], str]:
    """Reads how to choose a point of a front: `accuracy >= 0.9 then parameters`.

    Returns:
        The bounds on one name, and the name that decides among those that keep to them.

    Raises:
        ValueError: it is no such rule.
    """
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} given, expected first, knee, or a rule such as"
            ' "accuracy >= 0.9 then parameters"'
        )
    return parse(match["name"], match["bound"]), match["metric"]


def parse_all(constraints: Mapping[str, str]) -> tuple[Bound, ...]:
    """The bounds of a recipe's `constraints`, in their order.

    Raises:
        ValueError: see `parse`.
    """
    return tuple(bound for name, text in constraints.items() for bound in parse(name, text))


def violations(bounds: Iterable[Bound], values: Mapping[str, float]) -> dict[str, float]:
    """Bound as text -> `Bound.excess`, of those that are broken; missing values break none.

    Text, because it goes from workers to the engine and into the ledger as keys of JSON, which the
    ten digits of a limit could not be turned back from; see `Bound.excess_in`.
    """
    return {
        str(bound): excess
        for bound in bounds
        if bound.name in values and (excess := bound.excess(values[bound.name])) > 0
    }


def describe(bounds: Iterable[Bound], values: Mapping[str, float]) -> str:
    """The broken bounds with the numbers: `parameters is 61706, and the bound is <= 50000`."""
    broken = [b for b in bounds if b.name in values and not b.holds(values[b.name])]
    return "; ".join(
        f"{bound.name} is {values[bound.name]:.6g}, and the bound is {bound.relation} "
        f"{bound.limit:.10g}"
        for bound in broken
    )


def _apart(lower: Bound, upper: Bound) -> bool:
    if lower.limit == upper.limit:
        return "=" not in lower.relation or "=" not in upper.relation
    return lower.limit > upper.limit
