"""Classifiers of vectors: fifteen candidates in seven families, fitted by scikit-learn.

What is penalised by ||w||^2 does not change under rotation, so that N samples are as good in
N coordinates as in d: all candidates share one decomposition of the Gram matrix.

Import this inside functions: it imports NumPy and scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

try:
    from sklearn.svm import _libsvm as libsvm
except ImportError:  # It is no part of what scikit-learn promises to keep.
    libsvm = None

Array: TypeAlias = NDArray[Any]

_ABSENT = -1000.0
"""Score of a class without a training sample."""
_ITERATIONS = 1000
_SWEEPS = 200
"""Steps of a support vector machine's solver, in numbers of samples."""


@dataclass(frozen=True)
class Samples:
    """Training samples as candidates see them.

    Attributes
    ----------
    coordinates : array (N, r)
        Vectors, in a basis of what they span.
    distances : array (N, N)
        Their squared distances.
    labels : array (N,)
        Class indices.
    classes : int
        Number of classes; some may have no sample.
    """

    coordinates: Array
    distances: Array
    labels: Array
    classes: int

    @property
    def present(self) -> Array:
        """Classes with a sample, in order."""
        return np.unique(self.labels)

    def one_hot(self) -> Array:
        """Return membership of each class (N, classes)."""
        return np.eye(self.classes)[self.labels]


@dataclass(frozen=True)
class Linear:
    """Scores W z + b: `weight` (classes, r), `bias` (classes,)."""

    weight: Array
    bias: Array

    def scores(self, coordinates: Array, distances: Array) -> Array:
        """Return scores (n, classes) of vectors (n, r) at squared distances (n, N)."""
        return coordinates @ self.weight.T + self.bias


@dataclass(frozen=True)
class Kernel:
    """Scores sum_i a_i exp(-gamma d_i^2) + b: `weight` (classes, N), `bias` (classes,)."""

    weight: Array
    bias: Array
    gamma: float

    def scores(self, coordinates: Array, distances: Array) -> Array:
        """Return scores (n, classes) of vectors (n, r) at squared distances (n, N)."""
        return np.exp(-self.gamma * distances) @ self.weight.T + self.bias


@dataclass(frozen=True)
class Neighbors:
    """Logarithms of the classes' counts among the nearest: `members` (classes, N)."""

    members: Array
    count: int

    def scores(self, coordinates: Array, distances: Array) -> Array:
        """Return scores (n, classes) of vectors (n, r) at squared distances (n, N)."""
        nearest = np.argpartition(distances, self.count - 1, axis=1)[:, : self.count]
        counts: Array = self.members.T[nearest].sum(1) + 1 / len(self.members)
        return np.log(counts)


Fitted: TypeAlias = Linear | Kernel | Neighbors


@dataclass(frozen=True)
class Family:
    """Classifiers that differ in one number: its values, and what fits one for each."""

    values: tuple[float, ...]
    fit: Callable[[Samples, Sequence[float]], Iterator[Fitted]]


def _over_classes(samples: Samples, weight: Array, bias: Array) -> Linear:
    """Spread what scikit-learn fitted to the classes there are over all of them."""
    if len(weight) == 1:  # Two classes, of which it tells the second from the first.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return _spread(samples, weight, bias)


def _spread(samples: Samples, weight: Array, bias: Array) -> Linear:
    """Spread rows for the classes there are over all of them."""
    full = np.zeros((samples.classes, weight.shape[1])), np.full(samples.classes, _ABSENT)
    full[0][samples.present], full[1][samples.present] = weight, bias
    return Linear(*full)


def _logistic(samples: Samples, penalties: Sequence[float]) -> Iterator[Fitted]:
    model = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    for penalty in penalties:
        model.set_params(C=penalty).fit(samples.coordinates, samples.labels)
        yield _over_classes(samples, model.coef_.copy(), model.intercept_.copy())


def _ridge(samples: Samples, penalties: Sequence[float]) -> Iterator[Fitted]:
    for penalty in penalties:
        target = samples.one_hot()[:, samples.present]
        model = Ridge(alpha=penalty).fit(samples.coordinates, target)
        yield _over_classes(samples, np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_))


def _discriminant(samples: Samples, shrinkages: Sequence[float]) -> Iterator[Fitted]:
    """Linear discriminants by the pooled covariance within classes, shrunk towards its mean."""
    points, present = samples.coordinates, samples.present
    own = np.searchsorted(present, samples.labels)
    counts = np.bincount(own)
    means = np.stack([points[own == label].mean(0) for label in range(len(present))])
    within = points - means[own]
    covariance = within.T @ within / len(points)
    level = covariance.trace() / len(covariance)
    if not level > 0:  # No variance within classes.
        yield from _nearest_mean(samples, shrinkages)
        return
    eye = np.eye(len(covariance))
    for shrinkage in shrinkages:
        shrunk = (1 - shrinkage) * covariance + shrinkage * level * eye
        weight = np.linalg.solve(shrunk, means.T).T
        bias = np.log(counts / counts.sum()) - (weight * means).sum(1) / 2
        yield _spread(samples, weight, bias)


def _linear_svm(samples: Samples, penalties: Sequence[float]) -> Iterator[Fitted]:
    gram = samples.coordinates @ samples.coordinates.T
    for penalty in penalties:
        dual, bias = _one_against_rest(samples, gram, penalty)
        yield Linear(dual @ samples.coordinates, bias)


def _rbf_svm(samples: Samples, widths: Sequence[float]) -> Iterator[Fitted]:
    apart = samples.distances[np.triu_indices(len(samples.labels), 1)]
    median = np.median(apart) or 1.0
    for width in widths:
        gamma = width / median
        yield Kernel(*_one_against_rest(samples, np.exp(-gamma * samples.distances), 10.0), gamma)


def _one_against_rest(samples: Samples, gram: Array, penalty: float) -> tuple[Array, Array]:
    """Weights (classes, N) and biases of support vector machines, each of one class."""
    weight = np.zeros((samples.classes, len(gram)))
    bias = np.full(samples.classes, _ABSENT)
    for label in samples.present:
        own = samples.labels == label
        weight[label], bias[label] = support_vectors(gram, own, penalty)
    return weight, bias


def support_vectors(gram: Array, own: Array, penalty: float) -> tuple[Array, float]:
    """Fit a support vector machine of two classes to a Gram matrix (N, N) and membership (N,).

    Scikit-learn's checks of its input take longer than most solutions, and there are as many
    solutions as classes, penalties and folds: what it solves by is called as it calls it, where it
    is to be found.

    Returns
    -------
    array (N,), float
        Weights of the samples, and the bias.
    """
    steps = _SWEEPS * len(gram)
    if libsvm is None or own.all() or not own.any():
        model = SVC(C=penalty, kernel="precomputed", max_iter=steps).fit(gram, own)
        dual = np.zeros(len(gram))
        dual[model.support_] = model.dual_coef_[0]
        return dual, float(model.intercept_[0])
    settings = {"svm_type": 0, "kernel": "precomputed", "C": penalty}
    gram = np.ascontiguousarray(gram, dtype=np.float64)
    libsvm.set_verbosity_wrap(0)
    found = libsvm.fit(gram, own.astype(np.float64), **settings, max_iter=steps)
    dual = np.zeros(len(gram))
    dual[found[0]] = -found[3][0]  # libsvm tells the first class from the second.
    return dual, -float(found[4][0])


def _neighbors(samples: Samples, counts: Sequence[float]) -> Iterator[Fitted]:
    for count in counts:
        yield Neighbors(samples.one_hot().T, min(int(count), len(samples.labels)))


def _nearest_mean(samples: Samples, values: Sequence[float]) -> Iterator[Fitted]:
    means = np.stack([samples.coordinates[samples.labels == c].mean(0) for c in samples.present])
    # Twice the scores of the nearest mean, -||z - m||^2, but for ||z||^2.
    for _ in values:
        yield _spread(samples, 2 * means, -np.square(means).sum(1))


FAMILIES: Mapping[str, Family] = {
    "logistic": Family((10.0, 100.0, 1000.0), _logistic),
    "ridge": Family((1.0, 0.1, 0.01), _ridge),
    "shrunken_lda": Family((0.5, 0.1), _discriminant),
    "linear_svm": Family((10.0, 100.0), _linear_svm),
    "rbf_svm": Family((0.5, 2.0), _rbf_svm),
    "neighbors": Family((1.0, 5.0), _neighbors),
    "nearest_mean": Family((0.0,), _nearest_mean),
}


def candidates(families: Sequence[str]) -> list[tuple[str, float]]:
    """Return family and value of every candidate, in the order of `fit`."""
    return [(name, value) for name in families for value in FAMILIES[name].values]


def fit(samples: Samples, chosen: Sequence[tuple[str, float]]) -> Iterator[Fitted]:
    """Fit candidates, given by family and value; one family's stand side by side."""
    fast = config_context(assume_finite=True, skip_parameter_validation=True)
    with fast, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
        for name, members in groupby(chosen, key=itemgetter(0)):
            yield from FAMILIES[name].fit(samples, [value for _, value in members])
