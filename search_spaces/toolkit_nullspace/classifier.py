r"""The classifier in the joint null space: fitted once in closed form, deployed as a linear layer.

Class statistics are summed in one pass over the training features, in float64. The projection is
the ridge form of the null Foley-Sammon transform: :math:`(S_w + \delta I)^{-1} X_t^\top Q` with
:math:`\delta = \rho_c \tau / N`, made orthonormal. With more samples than features there is no
exact null space unless the classes have collapsed, and the ridge form goes on where it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from toolkit.errors import DataError
from toolkit_nullspace.functional import factorize

ABSENT_SCORE = -1e4
"""Score of a class that had no training sample: finite, and below any other."""


class ClassStatistics:
    """Counts, means and the scatter within classes of a stream of features.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983): exact however far
    the features lie from the origin, whatever the order.

    Parameters
    ----------
    classes : number of classes C
    width : length d of a feature
    """

    def __init__(self, classes: int, width: int, device: torch.device | str = "cpu") -> None:
        self.counts = torch.zeros(classes, dtype=torch.float64, device=device)
        self.means = torch.zeros(classes, width, dtype=torch.float64, device=device)
        self.within = torch.zeros(width, width, dtype=torch.float64, device=device)

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add a batch: features (n, d) and labels (n,) from 0 to C - 1."""
        classes = len(self.counts)
        values = features.detach().to(self.means)
        indicator = torch.nn.functional.one_hot(labels.to(values.device), classes).to(values)
        counts = indicator.sum(0)
        means = indicator.T @ values / counts.clamp_min(1)[:, None]
        within = values - means[labels]
        total = self.counts + counts
        gap = means - self.means
        share = self.counts * counts / total.clamp_min(1)
        self.within += within.T @ within + (gap * share[:, None]).T @ gap
        self.means += gap * (counts / total.clamp_min(1))[:, None]
        self.counts = total

    def add_class(self, features: Tensor) -> int:
        """Add a new class from its features (n, d), n >= 1; returns its label."""
        label = len(self.counts)
        self.counts = torch.cat([self.counts, self.counts.new_zeros(1)])
        self.means = torch.cat([self.means, self.means.new_zeros(1, self.means.shape[1])])
        self.add(features, torch.full((len(features),), label, device=self.means.device))
        return label


@dataclass(frozen=True)
class NullSpaceClassifier:
    """Nearest class point in the discriminant space.

    Attributes
    ----------
    mean : (d,) total mean of the training features
    projection : (d, k) with k = min(C - 1, d), in units of the spread within classes
    points : (C, k) where the classes' means fall; only those of `present` classes mean anything
    present : (C,) booleans
    temperature : what the scores of `linear` are divided by
    threshold : novelty above which an input is taken for none of the classes, or None
    """

    mean: Tensor
    projection: Tensor
    points: Tensor
    present: Tensor
    temperature: float = 1.0
    threshold: float | None = None

    def project(self, features: Tensor) -> Tensor:
        """Coordinates (n, k) of features (n, d)."""
        return (features.to(self.mean) - self.mean) @ self.projection

    def distances(self, features: Tensor) -> Tensor:
        """Distances (n, C) to the class points; infinite for absent classes."""
        found = torch.cdist(self.project(features), self.points)
        return found.masked_fill(~self.present, torch.inf)

    def classify(self, features: Tensor) -> Tensor:
        """Labels (n,) of the nearest class points."""
        return self.distances(features).argmin(1)

    def novelty(self, features: Tensor) -> Tensor:
        """How far (n,) each input is from every class: the distance to the nearest class point."""
        return self.distances(features).amin(1)

    def with_threshold(self, known: Tensor, quantile: float = 0.95) -> NullSpaceClassifier:
        """The same with the threshold that `quantile` of held-out known inputs stay below.

        `known` (n, d) must not have been trained on: training inputs lie closer to their points.
        """
        threshold = float(torch.quantile(self.novelty(known), quantile))
        return replace(self, threshold=threshold)

    def is_novel(self, features: Tensor) -> Tensor:
        """Booleans (n,): further from all classes than the threshold.

        Raises
        ------
        ValueError
            If no threshold was set.
        """
        if self.threshold is None:
            raise ValueError("no threshold: call with_threshold on held-out features first")
        return self.novelty(features) > self.threshold

    def linear(self) -> tuple[Tensor, Tensor]:
        r"""Weight (C, d) and bias (C,) of the linear layer with the same decisions.

        :math:`-\frac12 |z - p_c|^2 = z \cdot p_c - \frac12 |p_c|^2` up to a term common to all
        classes, divided by the temperature. As the projection is in units of the spread within
        classes, softmax of these scores is the posterior of equally frequent Gaussian classes.
        """
        points = torch.where(self.present[:, None], self.points, 0.0)
        weight = points @ self.projection.T / self.temperature
        bias = -weight @ self.mean - points.square().sum(1) / (2 * self.temperature)
        return weight, torch.where(self.present, bias, ABSENT_SCORE)


def fit_classifier(
    statistics: ClassStatistics, ridge: float = 1e-3, *, whiten: bool = True
) -> NullSpaceClassifier:
    r"""Solve for the projection and the class points.

    Parameters
    ----------
    statistics : of all training features
    ridge : :math:`\rho_c`, relative to the mean squared length of the centred features
    whiten : make the spread within classes the same in all directions, not only on average

    Raises
    ------
    DataError
        If fewer than two classes have a sample.
    torch.linalg.LinAlgError
        If a feature is not finite.
    """
    counts, within = statistics.counts, statistics.within
    present = counts > 0
    if int(present.sum()) < 2:
        raise DataError(
            f"The training data hold {int(present.sum())} class; a classifier needs two.",
            hint="Look at the labels, and at how the data are split.",
        )
    size = counts.sum()
    mean = counts @ statistics.means / size
    gaps = torch.where(present[:, None], statistics.means - mean, 0.0)
    between = counts.sqrt()[:, None] * gaps
    tau = within.diagonal().sum() + between.square().sum()
    delta = (ridge * tau / size).clamp_min(torch.finfo(tau.dtype).tiny)
    basis = _orthonormal(within, between, delta, int(present.sum()) - 1)
    spread = basis.T @ within @ basis
    freedom = (size - present.sum()).clamp_min(1)
    eye = torch.eye(len(spread), dtype=spread.dtype, device=spread.device)
    spread = (spread + delta * eye) / freedom
    if whiten:
        factor = torch.linalg.cholesky(spread)
        projection = torch.linalg.solve_triangular(factor, basis.T, upper=False).T
    else:
        projection = basis / spread.diagonal().mean().sqrt()
    points = gaps @ projection
    return NullSpaceClassifier(
        mean, projection, points, present, _temperature(points[present], float(size))
    )


def _temperature(points: Tensor, size: float) -> float:
    """Divisor that keeps the mean log-odds at the class points within log(N + 1), at least 1.

    Trained features collapse: their spread is not that of fresh inputs, and taken at its word it
    would give odds of 1 to e^1000. By the rule of succession N samples without an error bear
    odds of N + 1 to 1 and no more. Decisions do not change.
    """
    pairs = len(points) * (len(points) - 1)
    log_odds = float(torch.cdist(points, points).square().sum()) / (2 * pairs)
    return max(1.0, log_odds / math.log(size + 1))


def _orthonormal(within: Tensor, between: Tensor, delta: Tensor, rank: int) -> Tensor:
    """Orthonormal basis (d, k) of the ridge solutions for all contrasts.

    The contrasts of `between` (C, d) span its rows, of which any one present is redundant: an SVD
    of this small matrix's solutions drops it, and directions that class means do not fill.
    """
    factor, _ = factorize(within, delta)
    if not factor.isfinite().all():
        raise torch.linalg.LinAlgError("the training features are not finite")
    solved = torch.cholesky_solve(between.T, factor)
    left, values, _ = torch.linalg.svd(solved, full_matrices=False)
    kept = min(rank, int((values > 1e-10 * values[0]).sum()))
    return left[:, : max(kept, 1)]
