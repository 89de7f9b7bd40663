"""Networks that follow on pipelines: where they begin, what they equal, what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import logm, sqrtm
from sklearn.linear_model import LogisticRegression
from torch.utils.data import TensorDataset

from toolkit.contracts import Splits, TaskInfo
from toolkit.space import is_point
from toolkit.testing import check_search_space
from toolkit_spd.pipeline import network_fitting
from toolkit_spd.pipeline.class_tangent import ClassTangentRegression
from toolkit_spd.pipeline.design import BEST, NETWORKS, POWERS, Design, baseline
from toolkit_spd.pipeline.fitting import fit_representation
from toolkit_spd.pipeline.learner import NetworkLearner, make_network
from toolkit_spd.pipeline.space import SpdPipelineOptions, SpdPipelineSpace

COUNT, SIDE, CLASSES = 48, 4, 3
INFO = TaskInfo("spd", (1, SIDE, SIDE), CLASSES, COUNT)
SPACE = SpdPipelineSpace(SpdPipelineOptions())
CLASSIFIERS = ["tangent_mlp", "bimap", *({"class_tangent": {"power": p}} for p in POWERS)]


def _data(count: int = COUNT, seed: int = 0) -> TensorDataset:
    """Covariances whose correlations tell their class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    series = torch.randn(count, 1, SIDE, 30, generator=generator, dtype=torch.float64)
    series[:, 0, 0] += 0.8 * (labels - 1)[:, None] * series[:, 0, 1]
    return TensorDataset(series @ series.mT / 30, labels)


def _point(classifier: Any = BEST, **changes: Any) -> dict[str, Any]:
    return {**baseline("tangent_lr", 0.01, INFO), "classifier": classifier, **changes}


@dataclass
class _Trial:
    splits: Any
    device = torch.device("cpu")


def _fitted(classifier: Any, data: TensorDataset, **changes: Any) -> NetworkLearner:
    learner = SPACE.build(_point(classifier, **changes), INFO)
    assert isinstance(learner, NetworkLearner)
    torch.manual_seed(0)
    given = learner.representation.take(data.tensors[0])
    learner.fit_to(given, data.tensors[1], Splits(data, data, lambda: data))
    return learner


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_networks_tell_new_samples_apart_and_their_weights_say_all(classifier: Any) -> None:
    train, new = _data(), _data(60, seed=1)
    learner = _fitted(classifier, train)
    with torch.inference_mode():
        scores = learner.predict(new.tensors[0])
    assert float((scores.argmax(1) == new.tensors[1]).double().mean()) > 0.7
    module = learner.deployed()
    again = type(module)(**module.config)
    again.load_state_dict(module.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(new.tensors[0]), scores)


def test_at_the_identity_the_regression_is_scikit_learns() -> None:
    """With base points at the mean of all it is logistic regression in one tangent space."""
    data = _data()
    design = Design.of(_point({"class_tangent": {"power": 1.0}}))
    network = make_network(design, INFO)
    assert isinstance(network, ClassTangentRegression)
    given = network.representation.take(data.tensors[0])
    fit_representation(network.representation, given, design.mean, False)
    matrices, labels = network.representation.whitened(given), data.tensors[1]
    network_fitting.fit_class_tangents(network, matrices, labels, 10.0, power=0.0)
    vectors = network.representation.of_given(given).numpy()
    other = LogisticRegression(C=10.0, tol=1e-10, max_iter=5000).fit(vectors, labels)
    with torch.inference_mode():
        ours = network(data.tensors[0]).softmax(1).numpy()
    np.testing.assert_allclose(ours, other.predict_proba(vectors), atol=1e-5)


def test_scores_are_seen_from_powers_of_the_class_means() -> None:
    data, power = _data(), 0.5
    learner = _fitted({"class_tangent": {"power": power}}, data)
    network = learner.network
    assert isinstance(network, ClassTangentRegression)
    whitened = network.representation.whitened(network.representation.take(data.tensors[0]))
    for label in range(CLASSES):
        base = np.linalg.inv(network.whiteners[label, 0].numpy())
        mean = np.linalg.matrix_power(base, round(2 / power))
        root = np.linalg.inv(sqrtm(mean).real)
        own = whitened[data.tensors[1] == label, 0].numpy()
        tangent = np.mean([logm(root @ one @ root).real for one in own], axis=0)
        assert np.abs(tangent).max() < 1e-3, "the Karcher mean of the class"


def test_a_bilinear_map_begins_at_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a step its loss is that of the regression; columns stay orthonormal with steps."""
    data = _data()
    monkeypatch.setattr(network_fitting, "_BIMAP_EPOCHS", 0)
    begun = _fitted("bimap", data).network
    monkeypatch.setattr(network_fitting, "_BIMAP_EPOCHS", 3)
    moved = _fitted("bimap", data).network
    labels = data.tensors[1]
    with torch.inference_mode():
        losses = [
            float(torch.nn.functional.cross_entropy(each(data.tensors[0]), labels))
            for each in (begun, moved)
        ]
    assert losses[0] < 0.9 * np.log(CLASSES)
    assert losses[1] < 1.1 * losses[0]
    columns = moved.map[0]
    torch.testing.assert_close(columns.mT @ columns, torch.eye(3, dtype=torch.float64))
    assert not torch.equal(begun.map, moved.map)


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_networks_do_not_see_what_is_held_out(classifier: Any) -> None:
    """Scores of a fold's samples depend on neither the labels nor the other inputs held out."""
    data, other = _data(), _data(seed=2)
    held_out = torch.arange(COUNT) >= 36
    found = []
    for changed in (False, True):
        inputs, labels = (each.clone() for each in data.tensors)
        if changed:
            labels[held_out] = (labels[held_out] + 1) % CLASSES
            inputs[37:] = other.tensors[0][37:] * 5
        parts = [TensorDataset(inputs[own], labels[own]) for own in (~held_out, held_out)]
        learner = SPACE.build(_point(classifier), INFO)
        assert isinstance(learner, NetworkLearner)
        torch.manual_seed(0)
        given = learner.representation.take(parts[0].tensors[0])
        splits = Splits(parts[0], parts[1], lambda: parts[1])  # noqa: B023
        learner.fit_to(given, parts[0].tensors[1], splits)
        with torch.inference_mode():
            found.append(learner.predict(inputs[:37]))
    assert torch.equal(*found)


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_rank_and_missing_classes_are_no_trouble(classifier: Any, scale: float) -> None:
    data = _data()
    inputs, labels = data.tensors[0] * scale, data.tensors[1] // 2  # No sample of the third class.
    inputs[:, :, 3] = inputs[:, :, 2]
    inputs[:, :, :, 3] = inputs[:, :, :, 2]
    learner = _fitted(classifier, TensorDataset(inputs, labels))
    scores = learner.predict(inputs)
    assert scores.isfinite().all() and int(scores.argmax(1).max()) < 2


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)
def test_folds_have_one_penalty_and_every_sample_a_score(classifier: Any) -> None:
    data, learner = _data(), SPACE.build(_point(classifier), INFO)
    assert isinstance(learner, NetworkLearner)
    folds = []
    for fold in range(2):
        own = torch.arange(COUNT) % 2 == fold
        parts = [TensorDataset(*(each[chosen] for each in data.tensors)) for chosen in (~own, own)]
        folds.append(Splits(parts[0], parts[1], lambda: parts[1]))  # noqa: B023
    torch.manual_seed(0)
    scores = learner.cross_fit(_Trial(folds[0]), folds)  # type: ignore[arg-type]
    assert [each.shape for each in scores] == [(COUNT // 2, CLASSES)] * 2
    right = [(s.argmax(1) == f.val.tensors[1]).double().mean() for s, f in zip(scores, folds)]  # type: ignore[attr-defined]  # noqa: B905
    assert min(map(float, right)) > 0.6


def test_networks_follow_on_preparations_that_suit_them() -> None:
    whole, part = SPACE.parameters(INFO), SPACE.searched(INFO)
    assert part is not None and part.members["classifier"].options == (BEST,)
    made = SPACE.successors(_point(representation="euclidean", standardize=True), INFO)
    assert [p["classifier"] for p in made] == [
        "tangent_mlp",
        *({"class_tangent": {"power": p}} for p in POWERS),
        "bimap",
    ]
    assert all(is_point(whole, each) and not is_point(part, each) for each in made)
    assert {str(p["representation"]) for p in made} == {"{'affine_invariant': {'mean': 'karcher'}}"}
    assert not SPACE.successors(made[0], INFO), "a network has none"
    two = TaskInfo("spd", (2, SIDE, SIDE), CLASSES, COUNT)
    assert not SPACE.successors(_point(), two), "nor have several channels"
    many = TaskInfo("spd", (1, SIDE, SIDE), CLASSES, 10**6)
    assert not SPACE.successors(_point(), many), "nor what would take minutes"
    without = SpdPipelineSpace(SpdPipelineOptions(networks=()))
    assert without.searched(INFO) is None and not without.successors(_point(), INFO)


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_that_are_searched_keep_the_contract(network: str) -> None:
    options = SpdPipelineOptions.model_validate({"classifiers": [network], "networks": []})
    info = TaskInfo("grouped_spd", (3, SIDE, SIDE), 2, COUNT)
    inputs = torch.cat([_data(6).tensors[0]] * 2 + [torch.eye(SIDE).expand(6, 1, -1, -1)], 1)
    check_search_space(SpdPipelineSpace(options), info, inputs.double(), samples=2)
