"""What a trained network has made of the classes: collapse, novelty, and the paper's picture.

All of it is of the discriminant space fitted to the training features: the joint null space where
the head is one, and for other heads the space in which their features separate best.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.contracts import Scatter, Series, Splits
from toolkit_nullspace.classifier import ClassStatistics, NullSpaceClassifier, fit_classifier
from toolkit_nullspace.design import Design
from toolkit_nullspace.features import features_of
from toolkit_nullspace.measures import auroc, collapse_ratio, discriminant_collapse, plane
from toolkit_nullspace.network import Network

RIDGE = 1e-3
"""Of the space in which collapse is measured: one for all heads, so that they can be compared."""
DRAWN = 600
"""Images of a part that are drawn at most."""


def measure(
    network: Network,
    design: Design,
    statistics: ClassStatistics,
    splits: Splits,
    held_out: Dataset[Any],
) -> dict[str, float]:
    """`collapse_ratio` in the discriminant space and of the features as they are, and novelty.

    Novelty is the area under the ROC curve of telling `splits.novel_beside(held_out)` from
    `held_out`: by the distance to the nearest class point for a head in the null space, by the
    largest score for a fully connected one (Hendrycks et al., ICML 2022). It is left out where
    the task has no classes left out.
    """
    common = fit_classifier(statistics, RIDGE, whiten=False)
    features, labels = _collect(features_of(network, held_out))
    found = {
        "collapse_ratio": discriminant_collapse(common, features, labels),
        "collapse_ratio_raw": collapse_ratio(features, labels, len(common.points)),
    }
    novel = splits.novel_beside(held_out)
    if novel is not None:
        others = _collect(features_of(network, novel))[0]
        own = _own_classifier(design, statistics)
        if design.head == "nullspace":
            scores = own.novelty(features), own.novelty(others)
        else:
            scores = -_scores(network, features), -_scores(network, others)
        found["novelty_auroc"] = auroc(*scores)
    return found


def draw(
    network: Network,
    design: Design,
    statistics: ClassStatistics,
    splits: Splits,
    held_out: Dataset[Any],
) -> Scatter:
    """Training images, held-out ones, left-out classes and class points, on the widest plane."""
    classifier = _own_classifier(design, statistics)
    classes = len(classifier.points)
    novel = splits.novel_beside(held_out)
    series = []
    for name, part, most, marker in (
        ("training images", splits.train, DRAWN, "dot"),
        ("test images", held_out, DRAWN, "circle"),
        ("images of left-out classes", novel, DRAWN // 4, "cross"),
    ):
        if part is not None:
            features, labels = _collect(features_of(network, part, most))
            flat, points = plane(classifier, features)
            labels = torch.full_like(labels, classes) if part is novel else labels
            series.append(_series(name, flat, labels, marker))
    present = classifier.present.nonzero().flatten()
    series.append(_series("class points", points[present], present, "star"))
    centred = classifier.points[present] - classifier.points[present].mean(0)
    share = float(points[present].square().sum() / centred.square().sum())
    return Scatter(
        title=_title(design),
        series=series,
        x="first axis of the class points",
        y="second axis of the class points",
        caption=(
            f"Features in the discriminant space of {centred.shape[1]} dimensions, in units of the"
            " training images' spread within their classes, on the plane that holds most of the"
            f" class points' own spread ({share:.0%} of it). Every image of a class would be one"
            " point if the features had collapsed."
        ),
    )


def _collect(found: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Features (n, d) and labels (n,) of all batches."""
    features, labels = zip(*found, strict=True)
    return torch.cat(features), torch.cat(labels)


def _own_classifier(design: Design, statistics: ClassStatistics) -> NullSpaceClassifier:
    null = design.null
    if null is None or design.head == "joint":
        return fit_classifier(statistics, RIDGE)
    return fit_classifier(statistics, null.ridge, whiten=null.whiten)


@torch.no_grad()
def _scores(network: Network, features: Tensor) -> Tensor:
    """The largest score (n,) of each input."""
    largest: Tensor = network.head(features).amax(1)
    return largest


def _series(name: str, points: Tensor, classes: Tensor, marker: Any) -> Series:
    pairs = [(float(x), float(y)) for x, y in points.tolist()]
    return Series(name, pairs, classes.tolist(), marker)


def _title(design: Design) -> str:
    if design.head in ("nullspace", "fc_after_null"):
        return "The learned joint null space"
    return "The joint null space fitted to the learned features"
