"""What a head is compared by beside accuracy and `toolkit.training.costs`: collapse, novelty."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_nullspace.classifier import ClassStatistics, NullSpaceClassifier


def collapse_ratio(features: Tensor, labels: Tensor, classes: int) -> float:
    r""":math:`\\mathrm{tr} S_w / \\mathrm{tr} S_b`: 0 where every class is one point (NC1).

    Of features (n, d), or of their projections into a discriminant space.
    """
    found = ClassStatistics(classes, features.shape[1], features.device)
    found.add(features, labels)
    mean = found.counts @ found.means / found.counts.sum()
    between = (found.counts[:, None] * (found.means - mean).square()).sum()
    return float(found.within.diagonal().sum() / between)


def discriminant_collapse(
    classifier: NullSpaceClassifier, features: Tensor, labels: Tensor
) -> float:
    """`collapse_ratio` inside a fitted classifier's space, lengths as they are among the features.

    The projection is made orthonormal first: whitening, fitted to the training features, would
    flatter them.
    """
    basis = torch.linalg.qr(classifier.projection)[0]
    inside = (features.to(basis) - classifier.mean) @ basis
    return collapse_ratio(inside, labels, len(classifier.points))


def auroc(known: Tensor, novel: Tensor) -> float:
    """Probability that a novel input scores above a known one, ties counted half.

    The area under the ROC curve, which is the statistic U of Mann and Whitney over all pairs; NaN
    if a score is.

    Args:
        known: novelty scores (n,) of inputs of known classes.
        novel: novelty scores (m,) of inputs of other classes.
    """
    from scipy.stats import mannwhitneyu

    # In float64: the statistic is a sum of ranks, which float32 does not hold.
    one, other = novel.double().cpu(), known.double().cpu()
    above = mannwhitneyu(one, other, method="asymptotic").statistic
    return float(above) / (len(known) * len(novel))


def plane(classifier: NullSpaceClassifier, features: Tensor) -> tuple[Tensor, Tensor]:
    """Features (n, 2) and class points (C, 2) on the plane in which the class points lie widest.

    For a drawing of the learned joint null space. Two classes span a line: their second
    coordinates are zero.
    """
    points = classifier.points - classifier.points[classifier.present].mean(0)
    axes = torch.linalg.svd(points[classifier.present], full_matrices=False)[2][:2].T
    origin = classifier.points[classifier.present].mean(0)
    axes = torch.nn.functional.pad(axes, (0, 2 - axes.shape[1]))
    return (classifier.project(features) - origin) @ axes, points @ axes
