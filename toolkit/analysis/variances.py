"""How much architectures differ beside seeds, and what choosing the best of many can gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

LEVEL = 0.95
"""Of intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number, with the interval that holds it with probability `LEVEL`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Variances:
    """Components of the variance of results of some architectures, each with the same seeds.

    They are those of a two-way layout without interaction (Shrout and Fleiss, 1979): what a seed
    does to all architectures alike counts for neither.

    Attributes:
        architectures: standard deviation between architectures, with its interval.
        seeds: standard deviation between trainings of one architecture.
        icc: intraclass correlation, the share of the variance that is the architectures'.
    """

    architectures: Estimate
    seeds: float
    icc: Estimate


def variances(results: Sequence[Sequence[float]]) -> Variances:
    """Returns the components of the variance of results (architectures, seeds).

    Args:
        results: of two architectures at least, each with the same two seeds or more.
    """
    import numpy as np
    from scipy.stats import f

    y = np.asarray(results, float)
    count, seeds = y.shape
    rows, columns, mean = y.mean(1), y.mean(0), y.mean()
    freedom = (count - 1) * (seeds - 1)
    between = seeds * float(np.square(rows - mean).sum()) / (count - 1)
    residual = y - rows[:, None] - columns + mean
    within = float(np.square(residual).sum()) / freedom
    if not within:  # Seeds change nothing: what differs is the architectures'.
        spread = math.sqrt(between / seeds)
        share = 1.0 if spread else 0.0
        own = Estimate(spread, spread, spread)
        return Variances(own, 0.0, Estimate(share, share, share))
    tail = (1 - LEVEL) / 2
    ratio = between / within
    ratios = (
        ratio,
        ratio / float(f.ppf(1 - tail, count - 1, freedom)),
        ratio * float(f.ppf(1 - tail, freedom, count - 1)),
    )
    deviations = [math.sqrt(within * max(r - 1, 0.0) / seeds) for r in ratios]
    shares = [max(r - 1, 0.0) / (r + seeds - 1) for r in ratios]
    return Variances(Estimate(*deviations), math.sqrt(within), Estimate(*shares))


@cache
def expected_maximum(count: int) -> float:
    """Returns the expected largest of some independent standard normal numbers."""
    from scipy.integrate import quad
    from scipy.stats import norm

    def density(x: float) -> float:
        return float(x * count * norm.pdf(x) * norm.cdf(x) ** (count - 1))

    return float(quad(density, -10, 10, limit=200)[0])


def expected_gain(found: Variances, count: int, noise: float = 0.0) -> Estimate:
    """Returns what the best of some architectures, of one training each, is ahead of a random one.

    Args:
        found: components of the variance.
        count: how many architectures are tried.
        noise: variance that choosing on few held-out samples adds to each result, but for what all
            results have in common.
    """
    most = expected_maximum(count)

    def gain(deviation: float) -> float:
        own = deviation**2
        total = own + found.seeds**2 + noise
        return most * own / math.sqrt(total) if total else 0.0

    spread = found.architectures
    return Estimate(gain(spread.value), gain(spread.low), gain(spread.high))
