"""Logistic regression in the tangent space, the baseline beside every SPD network."""

import numpy as np
import pytest
import torch
from pyriemann.tangentspace import TangentSpace
from sklearn.linear_model import LogisticRegression

from toolkit.contracts import TaskInfo
from toolkit_spd.regression import fit_tangent, regress
from toolkit_spd.space import SpdCellOptions, SpdCellSpace
from toolkit_spd.tangent import TangentClassifier


def _matrices(count: int, n: int, classes: int, channels: int = 1) -> tuple[torch.Tensor, ...]:
    """Covariances of which each class has its own spread, and their labels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    series = torch.randn(count, channels, n, 4 * n, generator=generator, dtype=torch.float64)
    series[..., 0, :] *= 1 + labels[:, None, None]
    return series @ series.mT / (4 * n), labels


def test_features_are_those_of_pyriemann() -> None:
    x, labels = _matrices(40, 5, 2)
    model = TangentClassifier(1, 5, 2, ridge=0.0)
    fit_tangent(model, x, labels)
    expected = TangentSpace(metric="riemann").fit_transform(x[:, 0].numpy())
    found = model.features(x).numpy()
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
def test_fewer_samples_than_features_give_the_same_regression(classes: int) -> None:
    """It is solved in as many coordinates as there are samples; here against all of them."""
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(12, 30)) / 6, np.arange(12) % classes
    weight, bias = regress(features, labels)
    scores = features @ weight.T + bias
    differences = []
    for penalty in (1.0, 10.0, 100.0, 1000.0):
        model = LogisticRegression(C=penalty, max_iter=1000, tol=1e-8).fit(features, labels)
        expected = model.predict_log_proba(features)
        found = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        differences.append(np.abs(found - expected).max())
    assert min(differences) < 1e-2


@pytest.mark.parametrize("scale", [1e-10, 1e10])
def test_scores_do_not_depend_on_the_basis_or_the_scale(scale: float) -> None:
    x, labels = _matrices(60, 4, 3, channels=2)
    mixing = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain, mixed = (TangentClassifier(2, 4, 3, ridge=0.0) for _ in range(2))
    moved = scale * mixing @ x @ mixing.mT
    fit_tangent(plain, x, labels)
    fit_tangent(mixed, moved, labels)
    probabilities = (plain(x).softmax(1), mixed(moved).softmax(1))
    torch.testing.assert_close(*probabilities, atol=1e-3, rtol=0)


def test_a_class_without_samples_is_never_predicted() -> None:
    x, labels = _matrices(40, 4, 2)
    model = TangentClassifier(1, 4, 3, ridge=1e-5)
    fit_tangent(model, x, labels * 2)
    scores = model(x)
    assert scores.isfinite().all()
    assert float(scores.softmax(1)[:, 1].max()) < 1e-6
    assert (scores.argmax(1) == labels * 2).double().mean() > 0.7


def test_the_space_offers_it_beside_its_networks() -> None:
    space = SpdCellSpace(SpdCellOptions())
    info = TaskInfo("spd", (2, 6, 6), 3, 60)
    architecture = space.baselines(info)["tangent_lr"]
    learner = space.build(architecture, info)
    assert isinstance(learner.model, TangentClassifier)
    assert learner.model.config["channels"] == 2
    assert list(space.graph(architecture, info).nodes)
