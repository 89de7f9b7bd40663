"""Measures against counts by hand and an independent library."""

import math

import pytest
import torch

from toolkit.training.costs import multiply_adds
from toolkit_nullspace.classifier import ClassStatistics, fit_classifier
from toolkit_nullspace.folding import deploy
from toolkit_nullspace.measures import (
    auroc,
    collapse_ratio,
    discriminant_collapse,
    plane,
)
from toolkit_nullspace.network import Network


def test_multiply_adds_are_end_to_end():
    """At 96 x 96, as published, the convolutions are nearly all: the head alone is no measure."""
    vgg = {"kind": "vgg", "depth": 16}
    image = torch.zeros(1, 3, 96, 96)
    null = deploy(Network(3, 10, vgg, [3, 3], "conv", 800, "bn", mean=[0.5] * 3, std=[0.5] * 3))
    head = 4608 * 10
    assert multiply_adds(null, image) == pytest.approx(2_818.8e6 + head, rel=1e-3)


def test_collapse_ratio_is_the_ratio_of_traces():
    labels = torch.tensor([0, 0, 1, 1])
    features = torch.tensor([[0.0, 1], [0, -1], [4, 1], [4, -1]])
    assert collapse_ratio(features, labels, 2) == pytest.approx(4 / 16)
    statistics = ClassStatistics(2, 2)
    statistics.add(features, labels)
    for whiten in (True, False):
        classifier = fit_classifier(statistics, whiten=whiten)
        # Only the direction between the classes is left, and there they are points.
        assert discriminant_collapse(classifier, features, labels) < 1e-12


def test_auroc_is_that_of_scikit_learn_ties_included():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(0)
    known = torch.randint(0, 20, (80,), generator=generator).float()
    novel = torch.randint(5, 25, (30,), generator=generator).float()
    truth = torch.cat([torch.zeros(80), torch.ones(30)])
    expected = metrics.roc_auc_score(truth, torch.cat([known, novel]))
    assert auroc(known, novel) == pytest.approx(expected, abs=1e-12)
    assert auroc(known, known + 100) == 1
    assert auroc(known, known) == auroc(torch.ones(3), torch.ones(2)) == 0.5
    assert math.isnan(auroc(known, torch.tensor([math.nan, 1.0])))


def test_plane_keeps_the_distances_of_three_class_points():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    features = 5 * torch.eye(3, 8)[labels] + torch.randn(30, 8, generator=generator)
    statistics = ClassStatistics(3, 8)
    statistics.add(features, labels)
    classifier = fit_classifier(statistics)
    drawn, points = plane(classifier, features)
    assert drawn.shape == (30, 2)
    torch.testing.assert_close(torch.cdist(points, points), torch.cdist(*[classifier.points] * 2))
