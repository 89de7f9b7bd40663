"""How much architectures differ beside seeds, and what choosing the best of many can gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

LEVEL = 0.95
"""Of intervals."""
_DRAWS = 10_000
"""Searches that the interval of a gain is read off; their generator has a fixed seed."""


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


def expected_gain(results: Sequence[Sequence[float]], count: int, noise: float = 0.0) -> Estimate:
    """Returns how far the best of some architectures, trained once each, is ahead of a random one.

    The value is the expectation at the estimated variances. The interval is one search's: it holds
    what a single search gains, and so counts both how little the pilot knows of the variances
    (generalised pivotal quantities; Weerahandi, 1993) and that the best of few may be a lucky or an
    unlucky choice. It reaches below zero where the choice may end behind a random architecture.
    Where a few bad architectures make most of the variance the best is nearer to the mean than that
    of normal numbers: the lower end is brought down by the semideviation above the mean.

    Args:
        results: of a pilot, as `variances` takes them.
        count: how many architectures are tried.
        noise: variance that choosing on few held-out samples adds to each result, but for what all
            results have in common.
    """
    import numpy as np
    from scipy.stats import norm

    found = variances(results)
    own = found.architectures.value**2
    total = own + found.seeds**2 + noise
    expected = expected_maximum(count) * own / math.sqrt(total) if total else 0.0

    y = np.asarray(results, float)
    architectures, seeds = y.shape
    generator = np.random.default_rng(0)
    freedom = (architectures - 1) * (seeds - 1)
    between = seeds * float(np.square(y.mean(1) - y.mean()).sum())  # sums of squares
    sums = between / generator.chisquare(architectures - 1, _DRAWS)
    seed = found.seeds**2 * freedom / generator.chisquare(freedom, _DRAWS)
    quality = np.maximum(sums - seed, 0.0) / seeds
    seen = quality + seed + noise
    # What is chosen by is the largest of normal numbers; the quality behind it follows from that.
    largest = norm.ppf(generator.random(_DRAWS) ** (1 / count)) * np.sqrt(seen)
    reliability = np.divide(quality, seen, out=np.zeros_like(seen), where=seen > 0)
    rest = np.sqrt(quality * (1 - reliability)) * generator.standard_normal(_DRAWS)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(reliability * largest + rest, [tail, 1 - tail])
    centred = y.mean(1) - y.mean()
    above, all_of_it = np.square(centred.clip(min=0)).sum(), np.square(centred).sum()
    upper = math.sqrt(2 * above / all_of_it) if all_of_it else 1.0
    return Estimate(expected, float(min(low, low * upper)), float(high))
