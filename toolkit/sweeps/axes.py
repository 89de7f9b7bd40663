"""Axes of a sweep, as written on the command line: `train.lr=log(1e-4,1e-1)`, `train.epochs=2,4`.

========================  ==========================================================
after the `=`             values
========================  ==========================================================
``16,32``                 each of these; anything YAML, ``[a, b],[c]`` too
``log(1e-4,1e-1)``        numbers of a range, uniform in the logarithm
``uniform(0,0.5)``        numbers of a range
``int(1,8)``              integers of a range
``log(1e-4,1e-1,4)``      of any range so many points, both ends among them
========================  ==========================================================
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.base.errors import RecipeError
from toolkit.base.spelling import did_you_mean
from toolkit.recipe.document import Document, parse_yaml
from toolkit.recipe.faults import Faults, Mark
from toolkit.recipe.values import parse_searched, written
from toolkit.space import Choice, Leaf

RANGES = ("log", "uniform", "int")
_CALL = re.compile(r"\s*([A-Za-z_][A-Za-z_0-9]*)\s*\((.*)\)\s*", re.DOTALL)
_OPENED = re.compile(rf"\s*({'|'.join(RANGES)})\s*\(")
_DIGITS = 12
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Axis:
    """One swept key.

    Attributes:
        key: dotted, as in overrides.
        leaf: what to draw from; of values that are no scalars, the JSON texts.
        points: the values of a grid, or None of a range without points.
        plain: whether the values are scalars, as searched values of a recipe are.
    """

    key: str
    leaf: Leaf
    points: tuple[Any, ...] | None
    plain: bool = True

    def text(self) -> str:
        """As it is written in the sweep's notes: equal for equal axes."""
        return f"{json.dumps(written(self.leaf))} {json.dumps(self.points)}"

    def drawn(self, point: Any) -> Any:
        """What a point of the sweep's tree has for this key."""
        for name in self.key.split("."):
            point = point[name]
        return point

    def value(self, point: Any) -> Any:
        """The key's value at a point."""
        drawn = self.drawn(point)
        return drawn if self.plain else json.loads(drawn)

    def override(self, drawn: Any) -> str:
        """The override that gives the key a drawn value."""
        return f"{self.key}={drawn if not self.plain else json.dumps(drawn)}"

    def searched(self) -> str:
        """The override that has the key searched."""
        return f"{self.key}={json.dumps(written(self.leaf))}"


def parse_axis(text: str) -> Axis:
    """Read one `-s KEY=VALUES`.

    Raises:
        RecipeError: it is malformed; the message says what was expected.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or key.startswith("~") or key.endswith("+"):
        raise RecipeError(
            f"-s {text!r} is no sweep, expected KEY=VALUES.",
            hint="For example -s train.batch_size=16,32 or -s 'train.lr=log(1e-4,1e-1)'.",
        )
    key = key.strip()
    call = _CALL.fullmatch(values)
    try:
        if not call and _OPENED.match(values):
            raise ValueError("there is no closing parenthesis, expected log(1e-4,1e-1)")
        if call:
            return _range(key, call[1], call[2])
        return _listed(key, values)
    except ValueError as error:
        raise RecipeError(f"-s {text!r}: {str(error).rstrip('.')}.") from None


def axis_of(key: str, leaf: Leaf) -> Axis:
    """The axis of a value that a recipe says is searched."""
    if isinstance(leaf, Choice):
        return Axis(key, leaf, tuple(leaf.options))
    return Axis(key, leaf, (leaf.low,) if leaf.low == leaf.high else None)


def _listed(key: str, text: str) -> Axis:
    values = _yaml(key, f"[{text}]")
    if not values:
        raise ValueError("no values given, expected some as in 16,32")
    if len(values) == 1 and isinstance(values[0], Mapping):
        leaf = parse_searched(values[0])
        return axis_of(key, leaf)
    plain = all(isinstance(value, _SCALARS) for value in values)
    options = values if plain else [json.dumps(value) for value in values]
    leaf = Choice(_distinct(options, values))
    return Axis(key, leaf, tuple(options), plain)


def _distinct(options: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
    for position, option in enumerate(options):
        if any(type(option) is type(other) and option == other for other in options[:position]):
            raise ValueError(f"{json.dumps(values[position])} is given twice")
    return options


def _range(key: str, kind: str, inside: str) -> Axis:
    if kind not in RANGES:
        near = did_you_mean(kind, RANGES)
        raise ValueError(f"there is no {kind}(...){near}; there are {', '.join(RANGES)}")
    numbers = _yaml(key, f"[{inside}]")
    form = f"{kind}(lowest,highest) or {kind}(lowest,highest,points)"
    if len(numbers) not in (2, 3) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ):
        raise ValueError(f"expected numbers, {form}")
    low, high = numbers[:2]
    if low > high:
        raise ValueError(f"the lowest comes first: {kind}({high:g},{low:g})")
    if kind == "log" and low <= 0:
        raise ValueError(f"a logarithmic range begins above 0, and {low:g} is given")
    leaf = parse_searched({kind: [low, high]})
    if len(numbers) == 2:
        return axis_of(key, leaf)
    count = numbers[2]
    if not isinstance(count, int) or count < 2:
        raise ValueError(f"{count} points given, expected an integer of at least 2")
    return Axis(key, leaf, _spaced(kind, low, high, count))


def _spaced(kind: str, low: float, high: float, count: int) -> tuple[Any, ...]:
    """Points of a range, equal steps (or ratios) apart; the ends exactly."""
    shares = [index / (count - 1) for index in range(1, count - 1)]
    if kind == "int":
        whole = [round(low + share * (high - low)) for share in shares]
        return tuple(dict.fromkeys([int(low), *whole, int(high)]))
    if kind == "log":
        inner = [math.exp(math.log(low) + s * (math.log(high) - math.log(low))) for s in shares]
    else:
        inner = [low + share * (high - low) for share in shares]
    return (float(low), *(float(f"{value:.{_DIGITS}g}") for value in inner), float(high))


def _yaml(key: str, text: str) -> list[Any]:
    faults = Faults()
    mark = Mark(key)
    found: Document | None = parse_yaml(text, key, faults, lambda word: word, origin=mark)
    if faults.found or found is None or not isinstance(found.data, list):
        reason = faults.found[0].text if faults.found else "it is no list of values"
        raise ValueError(f"{text[1:-1]!r} cannot be read: {reason}")
    return found.data
