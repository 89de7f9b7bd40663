"""How sure scores are: the one factor that makes probabilities of them.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 5.0
"""Largest logarithm of a sharpness, either way."""
_LEAST = -20.0
"""Logarithm of a probability below which none is less likely: a class may have no score at all."""


def calibrate(scores: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """Returns the factor of least log loss on held-out samples, and this loss.

    It is the inverse of a temperature (Guo et al., ICML 2017). Of N samples, each is taken to be of
    its class with the probability 1 - 1 / (N + 2) alone (after Platt, 1999): that all are told
    apart does not show that one is never wrong.

    Args:
        scores: finite, (N, classes).
        labels: class indices (N,).
    """
    from scipy.special import log_softmax

    return _least(lambda factor: log_softmax(factor * scores, axis=1), labels)


def calibrate_mean(scores: Sequence[NDArray[Any]], labels: NDArray[Any]) -> float:
    """Returns the factor on the scores of all members by which their mean is calibrated.

    The mean of calibrated probabilities is less sure than it may be, as members are not wrong on
    the same samples (Rahaman and Thiery, NeurIPS 2021).

    Args:
        scores: of each member (N, classes), finite and calibrated by itself.
        labels: class indices (N,).
    """
    from scipy.special import log_softmax, logsumexp

    def mean(factor: float) -> NDArray[Any]:
        each = np.stack([log_softmax(factor * own, axis=1) for own in scores])
        found: NDArray[Any] = logsumexp(each, axis=0) - np.log(len(each))
        return found

    return _least(mean, labels)[0]


def _least(
    log_probabilities: Callable[[float], NDArray[Any]], labels: NDArray[Any]
) -> tuple[float, float]:
    """The factor whose logarithms of probabilities have the least log loss, and this loss."""
    from scipy.optimize import minimize_scalar

    own, doubt = (np.arange(len(labels)), labels), 1 / (len(labels) + 2)

    def loss(logarithm: float) -> float:
        found = np.maximum(log_probabilities(float(np.exp(logarithm))), _LEAST)
        others = (found.sum(1) - found[own]) / max(found.shape[1] - 1, 1)
        return float(-((1 - doubt) * found[own] + doubt * others).mean())

    found = minimize_scalar(loss, bounds=(-LARGEST, LARGEST), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
