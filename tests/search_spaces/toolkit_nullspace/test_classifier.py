"""The closed-form classifier: exactness of the stream, decisions, novelty, new classes."""

import pytest
import torch

from toolkit.errors import DataError
from toolkit_nullspace.classifier import ClassStatistics, fit_classifier


def clouds(classes=6, each=20, d=16, spread=0.5, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(classes, d, generator=generator, dtype=torch.float64)
    labels = torch.arange(classes).repeat_interleave(each)
    noise = torch.randn(len(labels), d, generator=generator, dtype=torch.float64)
    return means[labels] + spread * noise + offset, labels


def statistics(features, labels, classes, batch=None):
    found = ClassStatistics(classes, features.shape[1])
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    for indices in order.split(batch or len(labels)):
        found.add(features[indices], labels[indices])
    return found


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("batch", [1, 7, 120])
def test_stream_equals_one_pass_also_far_from_the_origin(offset, batch):
    features, labels = clouds(offset=offset)
    found = statistics(features, labels, 6, batch)
    within = features.clone()
    for label in range(6):
        own = labels == label
        within[own] -= features[own].mean(0)
        torch.testing.assert_close(found.means[label], features[own].mean(0))
    assert found.counts.tolist() == [20] * 6
    # Rounding of the features themselves: eps times their size, once per factor.
    tolerance = 1e-12 + 1e-15 * offset * 100
    torch.testing.assert_close(found.within, within.T @ within, rtol=1e-10, atol=tolerance)


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("shape", [(6, 16), (10, 4), (2, 5)])
def test_folded_linear_layer_decides_as_the_nearest_class_point(whiten, shape):
    classes, d = shape
    features, labels = clouds(classes, 20, d, spread=1.5)
    classifier = fit_classifier(statistics(features, labels, classes), whiten=whiten)
    weight, bias = classifier.linear()
    assert weight.shape == (classes, d)
    scores = features @ weight.T + bias
    assert torch.equal(scores.argmax(1), classifier.classify(features))
    half_squares = -classifier.distances(features).square() / 2
    gap = half_squares / classifier.temperature - scores
    torch.testing.assert_close(gap, gap[:, :1].expand_as(gap))


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("each", [3, 38])
def test_collapsed_features_in_a_rotated_basis_classify_without_error(whiten, each):
    """Where an LDA that drops the null space, as the published one, is at chance."""
    classes, d = 10, 200
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(classes).repeat_interleave(each)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]
    plain = torch.zeros(len(labels), d, dtype=torch.float64)
    plain[:, :classes] = torch.eye(classes, dtype=torch.float64)[labels]
    plain[:, classes:] = 0
    noise = torch.zeros_like(plain)
    noise[:, 2 * classes :] = torch.randn(
        len(labels), d - 2 * classes, generator=generator, dtype=torch.float64
    )
    for features in (plain @ rotation, (plain + 3 * noise) @ rotation):
        classifier = fit_classifier(statistics(features, labels, classes), whiten=whiten)
        assert torch.equal(classifier.classify(features), labels)


def test_fresh_samples_beyond_the_number_of_features_are_classified():
    features, labels = clouds(each=150, spread=0.3, seed=2)
    train = torch.arange(len(labels)) % 3 > 0
    classifier = fit_classifier(statistics(features[train], labels[train], 6))
    assert (classifier.classify(features[~train]) == labels[~train]).double().mean() > 0.97


def test_features_that_are_not_finite_are_refused():
    features, labels = clouds()
    features[3, 2] = torch.nan
    with pytest.raises(torch.linalg.LinAlgError, match="not finite"):
        fit_classifier(statistics(features, labels, 6))


def test_threshold_keeps_its_share_of_the_known_and_finds_the_new():
    features, labels = clouds(8, 60, 32, spread=0.3, seed=3)
    known, new = labels < 6, labels >= 6
    half = torch.arange(len(labels)) % 2 == 0
    classifier = fit_classifier(statistics(features[known & half], labels[known & half], 6))
    with pytest.raises(ValueError, match="no threshold"):
        classifier.is_novel(features)
    classifier = classifier.with_threshold(features[known & ~half], 0.9)
    share = classifier.is_novel(features[known & ~half]).double().mean().item()
    assert share == pytest.approx(0.1, abs=0.01)
    assert classifier.is_novel(features[new]).double().mean() > 0.9


def test_adding_a_class_equals_fitting_with_it():
    features, labels = clouds()
    few = statistics(features[labels < 5], labels[labels < 5], 5)
    assert few.add_class(features[labels == 5]) == 5
    grown, whole = fit_classifier(few), fit_classifier(statistics(features, labels, 6))
    for found, expected in zip(grown.linear(), whole.linear(), strict=True):
        torch.testing.assert_close(found, expected)


def test_absent_class_is_never_chosen_and_one_class_is_refused():
    features, labels = clouds()
    classifier = fit_classifier(statistics(features, labels * 2, 12))
    weight, bias = classifier.linear()
    assert weight.isfinite().all() and bias.isfinite().all()
    chosen = (features @ weight.T + bias).argmax(1)
    assert torch.equal(chosen, classifier.classify(features))
    assert not (chosen % 2).any()
    with pytest.raises(DataError, match="hold 1 class"):
        fit_classifier(statistics(features, labels * 0, 6))


def test_collapse_does_not_make_it_surer_than_its_samples_allow():
    features, labels = clouds(spread=1e-6)
    weight, bias = fit_classifier(statistics(features, labels, 6)).linear()
    scores = (features @ weight.T + bias).log_softmax(1)
    sure = scores.gather(1, labels[:, None])
    assert torch.equal(scores.argmax(1), labels)
    # The mean over pairs is held to log(121); a near pair's odds are less, a far one's more.
    assert sure.mean() < -1e-4
    assert scores.amin() > -4 * torch.tensor(121.0).log()


def test_features_all_equal_give_finite_scores():
    features = torch.ones(12, 4)
    weight, bias = fit_classifier(statistics(features, torch.arange(12) % 3, 3)).linear()
    assert weight.isfinite().all() and bias.isfinite().all()
