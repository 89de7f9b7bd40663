"""Repeated results: their mean and standard deviation, and numbers as people read them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from toolkit.base.plain import is_number

NOTHING = "–"
"""Stands where there is no number."""
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_LARGEST, _SMALLEST = 1e8, 1e-4
"""Between them numbers are written without an exponent."""


Number: TypeAlias = Annotated[float, BeforeValidator(lambda v: math.nan if v is None else v)]
"""JSON has no NaN and null stands for it."""


@dataclass(frozen=True)
class Statistics:
    """A metric over repeated trainings.

    Attributes:
        mean: arithmetic mean.
        std: standard deviation of a sample (over n - 1); 0 for one training.
        seeds: the value of each training.
    """

    mean: Number
    std: Number
    seeds: tuple[Number, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Statistics:
        """Sums some values up; there is at least one."""
        std = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), std, tuple(values))


def statistics_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Statistics]:
    """Returns the statistics of each metric over the rows that have a number for it."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float):
                columns.setdefault(name, []).append(value)
    return {name: Statistics.of(column) for name, column in columns.items()}


def format_number(value: float, digits: int = 4) -> str:
    """Returns a number with its first significant digits: `0.1235`, `0.95`, `12346`."""
    whole = 10**digits <= abs(value) < _LARGEST
    return f"{value:.0f}" if whole else f"{value:.{digits}g}"


def format_metric(value: Any, *, share: bool = False) -> str:
    """Returns a number, or a mean and its standard deviation, as people read them.

    Both end at the second significant digit of the deviation, at the first one where that goes
    beyond four digits of the mean: `0.9531 ± 0.0042`, `483 ± 12`, `0.27841 ± 0.00005`.
    Without a deviation, and for a single training, four digits are given; `–` where there is no
    number.

    Args:
        value: a number, `Statistics`, these as plain JSON (`seeds` may be missing), or None.
        share: give it in percent, `95.31 ± 0.42 %`, unless it is larger than 1.
    """
    parts = _parts(value)
    if parts is None:
        return NOTHING
    mean, std = parts
    if not share or abs(mean) > 1:
        return format_number(mean) if std is None else _with_deviation(mean, std)
    return (f"{100 * mean:.2f}" if std is None else _with_deviation(100 * mean, 100 * std)) + " %"


def format_cost(value: Any) -> str:
    """Returns a cost like a metric, large ones with a unit: `0.412 ± 0.030`, `12.41 M`.

    A deviation of zero is left out: costs are counted, most of them, and not measured.
    """
    parts = _parts(value)
    if parts is None:
        return NOTHING
    mean, std = parts
    large = abs(mean) >= 10_000
    scale, unit = next(((s, f" {u}") for s, u in _UNITS if large and abs(mean) >= s), (1.0, ""))
    scaled = mean / scale if not std else {"mean": mean / scale, "std": std / scale}
    return format_metric(scaled) + unit


def _parts(value: Any) -> tuple[float, float | None] | None:
    """Mean and deviation, the latter None where there is none; None without a finite mean."""
    std = None
    if isinstance(value, Statistics):
        value = asdict(value)
    if isinstance(value, Mapping):
        single = len(value.get("seeds") or ()) == 1
        value, std = value.get("mean"), None if single else value.get("std")
    if not is_number(value):
        return None
    return value, std if is_number(std) else None


def _with_deviation(mean: float, std: float) -> str:
    largest = max(abs(mean), abs(std))
    if largest and not _SMALLEST <= largest < _LARGEST:
        power = math.floor(math.log10(largest))
        return f"({_with_deviation(mean / 10**power, std / 10**power)})e{power:+03d}"
    # Few trainings know no deviation to more: one digit of it beyond the mean's fourth is enough,
    # and not further than to the mean's sixth, however small it is.
    digits = _decimals(mean, 4)
    decimals = min(_decimals(std, 2), max(digits, _decimals(std, 1))) if std else digits
    decimals = max(min(decimals, _decimals(mean, 6)), 0)
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"


def _decimals(value: float, digits: int) -> int:
    """Decimal places that show so many significant digits of a number."""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return digits - 1 - exponent


def duration_in_words(seconds: Any) -> str:
    """Returns a time: `0.4 s`, `52 s`, `3 min 20 s`, `2 h 5 min`."""
    if not is_number(seconds):
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
