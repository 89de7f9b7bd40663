"""Which classifier of vectors to take, and how sure its scores are, by folds of the training part.

Import this inside functions: it imports NumPy, SciPy and scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold

from .candidates import Array, Fitted, Linear, Samples, candidates, fit

_FOLDS = 5
_SHARPNESS = 5.0  # Largest logarithm of it, either way.


@dataclass(frozen=True)
class Chosen:
    """A fitted classifier of vectors.

    Attributes
    ----------
    family, value : str, float
        Which candidate it is.
    model : Fitted
        It, fitted to all samples; the weights of a linear one are of vectors (classes, d).
    sharpness : float
        What its scores are multiplied by, for the least log loss on held-out samples.
    """

    family: str
    value: float
    model: Fitted
    sharpness: float


def choose(vectors: Array, labels: Array, classes: int, families: Sequence[str]) -> Chosen:
    """Fit every candidate of some families, and return the best on held-out samples.

    The best has the highest accuracy over stratified folds, and the least log loss among equals.

    Parameters
    ----------
    vectors : array (N, d)
        Training samples.
    labels : array (N,)
        Class indices, two different ones at least.
    classes : int
        Number of classes.
    families : sequence of str
        Names in `toolkit_spd.pipeline.candidates.FAMILIES`.
    """
    gram = vectors @ vectors.T
    squares = gram.diagonal()
    distances = np.maximum(squares[:, None] + squares - 2 * gram, 0)
    names = candidates(families)
    scores = _held_out_scores(vectors, gram, distances, labels, classes, names)
    best, sharpness = 0, 1.0
    if scores is not None:
        judged = [_judge(each, labels) for each in scores]
        best = min(range(len(judged)), key=lambda index: judged[index][:2])
        sharpness = judged[best][2]
    samples, basis = _samples(vectors, gram, distances, labels, classes)
    (model,) = fit(samples, [names[best]])
    if isinstance(model, Linear) and basis is not None:
        model = Linear(model.weight @ basis.T, model.bias)
    return Chosen(*names[best], model, sharpness)


def _samples(
    vectors: Array, gram: Array, distances: Array, labels: Array, classes: int
) -> tuple[Samples, Array | None]:
    """All samples in as few coordinates as there can be, and the basis (d, r) of these."""
    if len(vectors) >= vectors.shape[1]:
        return Samples(vectors, distances, labels, classes), None
    values, rotation = np.linalg.eigh(gram)
    kept = values > max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    if not kept.any():
        return Samples(vectors, distances, labels, classes), None
    rotation = rotation[:, kept] / np.sqrt(values[kept])
    return Samples(gram @ rotation, distances, labels, classes), vectors.T @ rotation


def _held_out_scores(
    vectors: Array,
    gram: Array,
    distances: Array,
    labels: Array,
    classes: int,
    names: Sequence[tuple[str, float]],
) -> list[Array] | None:
    """Scores (N, classes) of every candidate, of each sample by a fit without it."""
    counts = np.bincount(labels, minlength=classes)
    folds = min(_FOLDS, max(2, int(counts[counts > 0].min())))
    if counts.max() < folds or (len(names) == 1 and len(labels) < 2 * classes):
        return None
    whole, _ = _samples(vectors, gram, distances, labels, classes)
    scores = [np.zeros((len(labels), classes)) for _ in names]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        split = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(labels, labels))
    for train, held_out in split:
        if len(np.unique(labels[train])) < 2:
            return None
        part = Samples(
            whole.coordinates[train], distances[np.ix_(train, train)], labels[train], classes
        )
        theirs = whole.coordinates[held_out], distances[np.ix_(held_out, train)]
        for own, model in zip(scores, fit(part, names), strict=True):
            own[held_out] = model.scores(*theirs)
    return scores


def _judge(scores: Array, labels: Array) -> tuple[float, float, float]:
    """Share of errors, log loss at the best sharpness, and this sharpness."""

    def loss(logarithm: float) -> float:
        logs = log_softmax(np.exp(logarithm) * scores, axis=1)
        return float(-logs[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=(-_SHARPNESS, _SHARPNESS), method="bounded")
    errors = float((scores.argmax(1) != labels).mean())
    return errors, float(found.fun), float(np.exp(found.x))
