r"""Whether results differ: paired t-tests of a sweep's rows, Holm-corrected, and Welch's interval.

With differences :math:`d_s` over the :math:`n` seeds that both rows have, their mean
:math:`\bar d` and standard deviation :math:`\sigma` (over n - 1),

.. math:: t = \bar d \sqrt n / \sigma, \qquad p = 2 \, P(T_{n-1} > |t|),

and the 95 % interval is :math:`\bar d \pm t_{.975, n-1} \sigma / \sqrt n`. Holm (1979) multiplies
the i-th smallest of m p-values by m - i + 1, and keeps them in order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.base.summary import format_number

LEVEL = 0.05
ENOUGH = 3
"""Seeds below which no claim is made: two give an interval of 9 standard deviations each way."""


@dataclass(frozen=True)
class Comparison:
    """A row against the best one.

    Attributes:
        n: pairs.
        difference: mean of this row minus the best, over the pairs.
        half_width: of the difference's 95 % interval; None below two pairs.
        p: of the paired t-test, two-sided; None below two pairs.
        p_holm: corrected for the number of comparisons.
    """

    n: int
    difference: float
    half_width: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def verdict(self) -> str:
        """`differs`, `within noise`, or `too few seeds`."""
        if self.n < ENOUGH or self.p_holm is None:
            return "too few seeds"
        return "differs" if self.p_holm < LEVEL else "within noise"


def compare(
    row: Mapping[int, float], best: Mapping[int, float], overlap: float = 0.0
) -> Comparison | None:
    """Compare two rows' results by seed, or by fold; None if none is in both.

    Args:
        row, best: results by seed or fold.
        overlap: of results on folds, the size of a test part over that of its training part. What
            folds are trained on overlaps, so that their results vary too little: by the corrected
            resampled t-test, the variance of a mean is :math:`(1/n + overlap) \\sigma^2`. Source:
            Nadeau and Bengio, Inference for the generalization error, Machine Learning 2003.
    """
    pairs = [row[seed] - best[seed] for seed in row if seed in best]
    if not pairs:
        return None
    n, mean = len(pairs), statistics.fmean(pairs)
    if n < 2:
        return Comparison(n, mean)
    if _is_constant(pairs):
        # Equal differences on every seed: certain as far as these seeds go.
        return Comparison(n, mean, 0.0, 1.0 if mean == 0 else 0.0)
    error = statistics.stdev(pairs) * math.sqrt(1 / n + overlap)
    p = 2 * _beyond(abs(mean) / error, n - 1)
    return Comparison(n, mean, error * _half_width(n - 1), p)


def mean_half_width(results: Sequence[float], overlap: float = 0.0) -> float | None:
    """Returns half of the 95 % interval of a mean over folds; None for a single result.

    Args:
        results: one a fold.
        overlap: see `compare`.
    """
    if len(results) < 2:
        return None
    error = statistics.stdev(results) * math.sqrt(1 / len(results) + overlap)
    return error * _half_width(len(results) - 1)


def welch_half_width(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Returns half of the 95 % interval of the difference of two means, of unequal variances.

    None where one of them is a single result. Source: Welch, Biometrika 1947.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    if _is_constant(ours) and _is_constant(theirs):
        return 0.0
    each = [statistics.variance(own) / len(own) for own in (ours, theirs)]
    of_each = each[0] ** 2 / (len(ours) - 1) + each[1] ** 2 / (len(theirs) - 1)
    if not of_each:  # They are equal but for rounding.
        return 0.0
    return math.sqrt(sum(each)) * _half_width(sum(each) ** 2 / of_each)


def with_sample_noise(
    half_width: float | None,
    ours: Sequence[float],
    theirs: Sequence[float],
    trainings: tuple[int, int] = (1, 1),
    chance: float | None = None,
) -> float | None:
    """Returns half of the 95 % interval of a difference of accuracies, of both its noises.

    Or of another metric that is a mean over samples.

    To the noise of the trainings comes that of the test samples: by the paired differences
    :math:`d_i` of the samples' hits, each the mean over the trainings, its variance is
    :math:`\\sigma_d^2 / n`, less what chance within a sample adds to it: of a network with k
    trainings that hit a sample with shares :math:`p_i`, it is the mean of
    :math:`p_i (1 - p_i) / (k - 1)`, over n, and the spread of the trainings has it already. The
    noises are independent, so their squares add up.

    Args:
        half_width: of the trainings alone, see `welch_half_width`.
        ours, theirs: the share of trainings that were right, for each test sample (n,); or what
            each sample adds to the metric, in the mean over the trainings.
        trainings: how many there are of each network; a single one tells nothing of chance.
        chance: of both networks together, the variance of what a sample adds over the trainings,
            over their number, in the mean of the samples; that of hits by default.
    """
    if half_width is None or len(ours) != len(theirs) or len(ours) < 2:
        return half_width
    import numpy as np

    shares = np.asarray([ours, theirs], float)
    if chance is None:
        chance = sum(
            float((own * (1 - own)).mean()) / (count - 1)
            for own, count in zip(shares, trainings, strict=True)
            if count > 1
        )
    count = shares.shape[1]
    variance = max(float((shares[0] - shares[1]).var(ddof=1)) - chance, 0.0) / count
    return math.hypot(half_width, _half_width(count - 1) * math.sqrt(variance))


def _half_width(freedom: float) -> float:
    """Of the 95 % interval, in standard errors: a quantile of Student's t.

    SciPy's distributions (`scipy.stats`) say the same, and take half a second to import.
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - LEVEL / 2))


def _beyond(t: float, freedom: float) -> float:
    """The probability that Student's t is larger."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def _is_constant(results: Sequence[float]) -> bool:
    return min(results) == max(results)


def correct(comparisons: Sequence[Comparison | None]) -> list[Comparison | None]:
    """The same comparisons with Holm's p-values."""
    tested = [c for c in comparisons if c is not None and c.p is not None]
    corrected: dict[int, float] = {}
    largest = 0.0
    for rank, comparison in enumerate(sorted(tested, key=lambda c: c.p or 0.0)):
        largest = max(largest, min(1.0, (len(tested) - rank) * (comparison.p or 0.0)))
        corrected[id(comparison)] = largest
    return [
        c if c is None or id(c) not in corrected else replace(c, p_holm=corrected[id(c)])
        for c in comparisons
    ]


def describe(comparisons: Sequence[Comparison | None], what: str) -> list[str]:
    """What the comparisons allow to be said, in sentences."""
    made = [comparison for comparison in comparisons if comparison is not None]
    if not made:
        return []
    n = max(comparison.n for comparison in made)
    if n == 1:
        return [
            f"{what}: one seed each, so no difference can be told from noise. Repeat with"
            f" --seeds {ENOUGH} or more."
        ]
    if n < ENOUGH:
        return [f"{what}: {n} seeds are too few for a claim. Repeat with --seeds {ENOUGH} or more."]
    widths = [c.half_width for c in made if c.half_width is not None]
    noise = ""
    if any(widths):
        width = statistics.median(widths)
        noise = (
            f"; with {n} seeds differences below about {format_number(width, 2)} are within"
            " noise (half of a 95 % interval of the paired difference, the middle one of the rows)"
        )
    differing = sum(comparison.verdict == "differs" for comparison in made)
    counted = f"{differing or 'none'} of the {len(made)} other rows differ{'s' * (differing == 1)}"
    return [
        f"{what}: {counted} from the best row (paired t-test over the seeds, p < {LEVEL:g} after"
        f" Holm's correction for {len(made)} comparisons){noise}."
    ]


def p_of_mean(values: Sequence[float], targets: Sequence[float], mean: float) -> float | None:
    """Returns the p-value of values being no nearer to targets than a constant.

    Of a one-sided paired t-test over the samples, of squared errors.

    Args:
        values: that a model gives (n,).
        targets: (n,).
        mean: the constant, such as the mean of the training targets.

    Returns:
        None below three samples, or where a value is not finite.
    """
    import numpy as np

    found, truth = np.asarray(values, float), np.asarray(targets, float)
    if len(truth) < ENOUGH or not np.isfinite(found).all():
        return None
    gains = np.square(truth - mean) - np.square(truth - found)
    mean_gain, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains))
    if _is_constant(gains.tolist()) or not error:
        return 0.0 if mean_gain > 0 else 1.0
    return _beyond(mean_gain / error, len(gains) - 1)


def share_p_value(share: float, samples: int, chance: float) -> float:
    """The p-value of a share of hits against chance, by a one-sided binomial test.

    Args:
        share: of hits among the samples.
        samples: how many there are.
        chance: the share that guessing gives.
    """
    from scipy.special import bdtrc

    hits = round(share * samples)
    # So many or more are more than one fewer.
    return float(bdtrc(hits - 1, samples, min(chance, 1.0))) if hits else 1.0
