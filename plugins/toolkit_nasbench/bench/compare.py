"""Strategies compared on a table: regret with one objective, hypervolume with several."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.analysis.pareto import hypervolume, turned
from toolkit_nasbench.bench.search import Benchmark, Values, optuna_alone, search

POINTS = (50, 100, 200)
"""Paid evaluations after which results are compared."""


@dataclass(frozen=True)
class Line:
    """How one searcher did: mean and standard error over seeds, after each of `paid`."""

    name: str
    mean: tuple[float, ...]
    error: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """Searchers on one table.

    Attributes:
        measure: `"regret"`: best of the table minus best found, in the metric's units; or
            `"hypervolume"`: as a share of that of the table's whole Pareto front.
        paid: numbers of paid evaluations.
    """

    measure: str
    paid: tuple[int, ...]
    seeds: int
    lines: tuple[Line, ...]


def compare(
    benchmark: Benchmark,
    strategies: Sequence[str],
    peers: Sequence[str],
    seeds: Sequence[int],
    *,
    paid: tuple[int, ...] = POINTS,
    on_line: Callable[[Line], None] = lambda line: None,
) -> Comparison:
    """Run every searcher with every seed.

    Args:
        benchmark: the table.
        strategies: ours, by name.
        peers: samplers of Optuna's alone, by name (`toolkit_nasbench.bench.search.SAMPLERS`).
        seeds: one run of each searcher per seed.
        paid: evaluations after which to compare, ascending.
        on_line: hears each line when it is complete.
    """
    judge = _regret(benchmark) if len(benchmark.objectives) == 1 else _volume(benchmark)
    lines = []
    for name, run in _searchers(benchmark, strategies, peers, paid[-1]):
        curves = [judge(run(seed), paid) for seed in seeds]
        line = Line(
            name, *zip(*(_summary(column) for column in zip(*curves, strict=True)), strict=True)
        )
        lines.append(line)
        on_line(line)
    measure = "regret" if len(benchmark.objectives) == 1 else "hypervolume"
    return Comparison(measure, paid, len(seeds), tuple(lines))


def _searchers(
    benchmark: Benchmark, strategies: Sequence[str], peers: Sequence[str], paid: int
) -> Iterator[tuple[str, Callable[[int], list[Values]]]]:
    for name in strategies:
        yield name, lambda seed, name=name: search(benchmark, name, seed, paid)  # type: ignore[misc]
    for name in peers:
        yield (
            f"Optuna {name} alone",
            lambda seed, name=name: optuna_alone(benchmark, name, seed, paid),  # type: ignore[misc]
        )


def _summary(values: Sequence[float]) -> tuple[float, float]:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return statistics.fmean(values), error


def _regret(benchmark: Benchmark) -> Callable[[list[Values], Sequence[int]], list[float]]:
    ((name, direction),) = benchmark.objectives.items()
    sign = 1 if direction == "maximize" else -1
    best = max(sign * row[name] for row in benchmark.table.rows())

    def regret(found: list[Values], paid: Sequence[int]) -> list[float]:
        reached = list(itertools.accumulate((sign * values[name] for values in found), max))
        return [best - reached[min(count, len(reached)) - 1] for count in paid]

    return regret


def _volume(benchmark: Benchmark) -> Callable[[list[Values], Sequence[int]], list[float]]:
    """Hypervolume above the table's worst value of each objective, of the whole front's."""
    rows: list[Any] = [turned(row, benchmark.objectives) for row in benchmark.table.rows()]
    worst = [max(column) for column in zip(*rows, strict=True)]
    whole = hypervolume(rows, worst)

    def volume(found: list[Values], paid: Sequence[int]) -> list[float]:
        points = [turned(values, benchmark.objectives) for values in found]
        return [hypervolume(points[:count], worst) / whole for count in paid]

    return volume
