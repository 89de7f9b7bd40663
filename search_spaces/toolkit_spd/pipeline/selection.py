"""Which classifier of vectors to take, and how sure its scores are, by folds of the training part.

Import this inside functions: it imports NumPy and scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold

from toolkit.analysis.calibration import calibrate

from .candidates import Array, Fitted, Linear, Samples, candidates, fit

Candidate: TypeAlias = tuple[str, float]
"""A family of classifiers and the value of its one number."""
_FOLDS = 5
_FEW, _DRAWS = (2, 4, 8), 2
"""Samples of each class that candidates which are always right are fitted to, and draws of each."""


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


def choose(
    vectors: Array,
    labels: Array,
    classes: int,
    families: Sequence[str],
    groups: Array | None = None,
    decided: Candidate | None = None,
) -> Chosen:
    """Fit every candidate of some families, and return the best on held-out samples.

    The best has the highest accuracy over folds, and the least log loss among equals; where several
    are (almost) always right, see `few_shot_errors`. Folds are of whole groups where these are
    known, else stratified.

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
    groups : array (N,), optional
        Who or what each sample is from.
    decided : (family, value), optional
        The candidate to take, where it is known: folds then only say how sure its scores are.
    """
    gram = vectors @ vectors.T
    squares = gram.diagonal()
    distances = np.maximum(squares[:, None] + squares - 2 * gram, 0)
    names = candidates(families) if decided is None else [decided]
    samples, basis = _samples(vectors, gram, distances, labels, classes)
    best, sharpness = 0, 1.0
    folds = _folds(labels, groups)
    if folds and (len(names) > 1 or len(labels) >= 2 * classes):
        parts = [_divided(samples, *fold) for fold in folds]
        judged = [_judge(each, labels) for each in _held_out_scores(samples, folds, parts, names)]
        best, _ = _best(judged, names, parts)
        sharpness = judged[best][2]
    (model,) = fit(samples, [names[best]])
    if isinstance(model, Linear) and basis is not None:
        model = Linear(model.weight @ basis.T, model.bias)
    return Chosen(*names[best], model, sharpness)


@dataclass(frozen=True)
class VectorFold:
    """Vectors (N, d) and labels (N,) to fit to, and those held out."""

    vectors: Array
    labels: Array
    held_out: Array
    truth: Array


def judge_folds(
    folds: Sequence[VectorFold], classes: int, families: Sequence[str]
) -> tuple[Candidate, list[Array], float | None]:
    """Fit every candidate of some families on each fold, and return the best one.

    The best has the highest accuracy over all held-out samples, and the least log loss among
    equals; where it is (almost) always right, see `few_shot_errors`.

    Returns
    -------
    (family, value), list of array (n, classes), float or None
        Which candidate it is, its calibrated scores of each fold's held-out samples, and its
        accuracy on these when it is fitted to a few samples, if that is what it was chosen by.
    """
    names = candidates(families)
    found: list[list[Array]] = [[] for _ in names]
    parts = []
    for fold in folds:
        gram = fold.vectors @ fold.vectors.T
        squares = gram.diagonal()
        apart = np.maximum(squares[:, None] + squares - 2 * gram, 0)
        samples, basis = _samples(fold.vectors, gram, apart, fold.labels, classes)
        theirs = np.square(fold.held_out).sum(1)[:, None] + squares
        theirs = np.maximum(theirs - 2 * fold.held_out @ fold.vectors.T, 0)
        held_out = fold.held_out if basis is None else fold.held_out @ basis
        parts.append(Divided(samples, held_out, theirs, fold.truth))
        for own, model in zip(found, fit(samples, names), strict=True):
            own.append(model.scores(held_out, theirs))
    truth = np.concatenate([fold.truth for fold in folds])
    judged = [_judge(np.concatenate(own), truth) for own in found]
    best, few_shot = _best(judged, names, parts)
    return names[best], [judged[best][2] * own for own in found[best]], few_shot


@dataclass(frozen=True)
class Divided:
    """Samples to fit to, and those held out.

    Attributes
    ----------
    samples : Samples
        Training samples.
    coordinates, distances : array (n, r), (n, N)
        Those held out, and their squared distances to the training samples.
    truth : array (n,)
        Their labels.
    """

    samples: Samples
    coordinates: Array
    distances: Array
    truth: Array


def few_shot_errors(parts: Sequence[Divided], names: Sequence[tuple[str, float]]) -> list[float]:
    """Return the share of held-out samples that each candidate gets wrong after few samples.

    Where candidates are always right, folds do not tell them apart; with two, four and eight
    samples of each class to learn from they are not, and what needs fewer has found what is
    common to a class, rather than what suffices for this recording of it.

    Parameters
    ----------
    parts : sequence of Divided
        Training and held-out samples of each fold.
    names : sequence of (str, float)
        Candidates by family and value; one family's stand side by side.
    """
    wrong, count = np.zeros(len(names)), 0
    generator = np.random.default_rng(0)
    for part in parts:
        samples = part.samples
        for few in _FEW * _DRAWS:
            own = _drawn(samples.labels, few, generator)
            drawn = Samples(
                samples.coordinates[own],
                samples.distances[np.ix_(own, own)],
                samples.labels[own],
                samples.classes,
            )
            theirs = part.coordinates, part.distances[:, own]
            for index, model in enumerate(fit(drawn, names)):
                wrong[index] += (model.scores(*theirs).argmax(1) != part.truth).sum()
            count += len(part.truth)
    return [float(share) for share in wrong / count]


def _drawn(labels: Array, few: int, generator: np.random.Generator) -> Array:
    """Indices of so many samples of each class, or all it has."""
    each = [generator.permutation(np.flatnonzero(labels == own))[:few] for own in np.unique(labels)]
    return np.sort(np.concatenate(each))


def _best(
    judged: Sequence[tuple[float, float, float]],
    names: Sequence[tuple[str, float]],
    parts: Sequence[Divided],
) -> tuple[int, float | None]:
    """The index of the best candidate, and its accuracy after few samples where that decides."""
    best = min(range(len(judged)), key=lambda index: judged[index][:2])
    least = 1 / sum(len(part.truth) for part in parts)
    if judged[best][0] > least:
        return best, None
    perfect = [index for index, own in enumerate(judged) if own[0] <= least]
    errors = few_shot_errors(parts, [names[index] for index in perfect])
    wrong, _, best = min(zip(errors, range(len(errors)), perfect, strict=True))
    return best, 1 - wrong


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


def _folds(labels: Array, groups: Array | None) -> list[tuple[Array, Array]]:
    """Indices of training and held-out samples; none where a class would be all that is left."""
    counts = np.unique(labels, return_counts=True)[1]
    split: GroupKFold | StratifiedKFold
    if groups is not None and len(np.unique(groups)) > 1:
        split = GroupKFold(min(_FOLDS, len(np.unique(groups))))
    elif counts.max() > 1:
        count = min(_FOLDS, max(2, int(counts.min())), int(counts.max()))
        split = StratifiedKFold(count, shuffle=True, random_state=0)
    else:
        return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        folds = list(split.split(labels, labels, groups))
    return folds if all(len(np.unique(labels[train])) > 1 for train, _ in folds) else []


def _divided(whole: Samples, train: Array, held_out: Array) -> Divided:
    """Samples as a fold divides them by index."""
    part = Samples(
        whole.coordinates[train],
        whole.distances[np.ix_(train, train)],
        whole.labels[train],
        whole.classes,
    )
    theirs = whole.coordinates[held_out], whole.distances[np.ix_(held_out, train)]
    return Divided(part, *theirs, whole.labels[held_out])


def _held_out_scores(
    whole: Samples,
    folds: Sequence[tuple[Array, Array]],
    parts: Sequence[Divided],
    names: Sequence[tuple[str, float]],
) -> list[Array]:
    """Scores (N, classes) of every candidate, of each sample by a fit without it."""
    scores = [np.zeros((len(whole.labels), whole.classes)) for _ in names]
    for (_, held_out), part in zip(folds, parts, strict=True):
        for own, model in zip(scores, fit(part.samples, names), strict=True):
            own[held_out] = model.scores(part.coordinates, part.distances)
    return scores


def _judge(scores: Array, labels: Array) -> tuple[float, float, float]:
    """Share of errors, log loss at the best sharpness to 0.01, and this sharpness.

    Of candidates that are level the first one stands, which is the one penalised most.
    """
    sharpness, loss = calibrate(scores, labels)
    return float((scores.argmax(1) != labels).mean()), round(loss, 2), sharpness
