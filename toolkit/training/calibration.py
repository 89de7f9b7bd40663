"""How sure scores are: the one factor that makes probabilities of them.

For plugin authors: every public name is stable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 5.0
"""Largest logarithm of a sharpness, either way: on samples that are all told apart it has none."""


def calibrate(scores: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """Returns the factor of least log loss on held-out samples, and this loss.

    It is the inverse of a temperature (Guo et al., ICML 2017).

    Args:
        scores: finite, (N, classes).
        labels: class indices (N,).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    own = np.arange(len(labels)), labels

    def loss(logarithm: float) -> float:
        return float(-log_softmax(np.exp(logarithm) * scores, axis=1)[own].mean())

    found = minimize_scalar(loss, bounds=(-LARGEST, LARGEST), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
