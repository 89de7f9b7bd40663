"""Metrics of classification and of values, by scikit-learn.

Import this inside functions: it imports NumPy and scikit-learn, which `import toolkit` must not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.base.errors import DataError
from toolkit.datasets.arrays import classification_metrics, to_numpy

NEED_TWO_CLASSES = ("kappa", "auroc")


def measure(scores: Any, labels: Any, names: Sequence[str]) -> dict[str, float]:
    """Returns metrics of scores before softmax, by name.

    Args:
        scores: (N, classes), a tensor or an array. Scores that are not finite give NaN.
        labels: (N,) class indices.
        names: of `toolkit.contracts.classification.METRICS`: `macro_f1`, the mean F1 of the classes
            that are present or predicted; `kappa`, Cohen's; `auroc`, the area under the curve of
            each class present against all others, their mean; `log_loss`, the mean cross-entropy in
            nats, the same number as `loss`; `brier`, the mean squared distance of probabilities
            from the truth, summed over the classes, from 0 to 2 (Brier, 1950).

    Raises:
        DataError: a metric needs two classes, and the labels are of one.
    """
    values, truth = to_numpy(scores).astype(np.float64), to_numpy(labels)
    found = classification_metrics(values, truth)
    further = [name for name in names if name not in found]
    if further:
        _check_classes(further, truth)
        finite = bool(np.isfinite(values).all())
        for name in further:
            found[name] = _further(name, values, truth, found["loss"]) if finite else float("nan")
    return {name: found[name] for name in names}


def measure_values(values: Any, targets: Any, names: Sequence[str]) -> dict[str, float]:
    """Returns metrics of values that a model gives, by name.

    Args:
        values: (N, 1), in the units of the targets, a tensor or an array. Values that are not
            finite give NaN.
        targets: (N,).
        names: of `toolkit.contracts.regression.OF_VALUES`: `r2`, the coefficient of determination,
            1 at best and 0 for the mean of these targets; `mae`, the mean absolute error; `rmse`,
            the root of the mean squared error; `loss`, the mean squared error.

    Raises:
        DataError: there is a single target, of which nothing varies.
    """
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    found = to_numpy(values).astype(np.float64).reshape(len(values), -1)[:, 0]
    truth = to_numpy(targets).astype(np.float64)
    if len(truth) < 2:
        raise DataError(
            "metrics: r2 needs two targets, and there is one sample to judge.",
            hint="Divide the data otherwise, so that each part has several samples.",
        )
    if not np.isfinite(found).all():
        return dict.fromkeys(names, float("nan"))
    squared = float(mean_squared_error(truth, found))
    known = {
        "r2": float(r2_score(truth, found)),
        "mae": float(mean_absolute_error(truth, found)),
        "rmse": squared**0.5,
        "loss": squared,
    }
    return {name: known[name] for name in names}


def check_parts(names: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> None:
    """Checks that the validation and the test part can be judged by metrics.

    Args:
        names: of the metrics.
        counts: see `toolkit.contracts.Survey`.

    Raises:
        DataError: a metric needs two classes, and a part has one.
    """
    asked = [name for name in names if name in NEED_TWO_CLASSES]
    for part, words in (("val", "validation"), ("test", "test")):
        present = [name for name, count in counts.get(part, {}).items() if count]
        if asked and len(present) == 1:
            raise DataError(
                f"metrics: {asked[0]} needs two classes, and the {words} part has the class"
                f" {present[0]!r} alone.",
                hint=f"Leave {asked[0]} out of the task's metrics, or divide the data otherwise.",
            )


def _check_classes(names: Sequence[str], truth: NDArray[Any]) -> None:
    asked = [name for name in names if name in NEED_TWO_CLASSES]
    if asked and len(np.unique(truth)) < 2:
        raise DataError(
            f"metrics: {asked[0]} needs two classes, and the {len(truth)} samples to judge are of"
            " one.",
            hint=f"Leave {asked[0]} out of the metrics, or divide the data otherwise, so that"
            " each part has two classes.",
        )


def _further(name: str, scores: NDArray[Any], truth: NDArray[Any], loss: float) -> float:
    from scipy.special import softmax
    from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score

    if name == "log_loss":
        return loss
    predicted = scores.argmax(axis=1)
    if name == "macro_f1":
        return float(f1_score(truth, predicted, average="macro", zero_division=0))
    if name == "kappa":
        return float(cohen_kappa_score(truth, predicted))
    probabilities = softmax(scores, axis=1)
    if name == "auroc":
        present = np.unique(truth)
        # With two classes one curve is the other's mirror, and the mean is their common area.
        areas = [roc_auc_score(truth == label, probabilities[:, label]) for label in present]
        return float(np.mean(areas))
    assert name == "brier"
    distances = np.square(probabilities - np.eye(scores.shape[1])[truth]).sum(axis=1)
    return float(distances.mean())
