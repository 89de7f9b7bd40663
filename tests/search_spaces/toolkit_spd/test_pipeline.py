"""Pipelines: what a matrix becomes, which classifier is chosen, and what is handed over."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from pyriemann.classification import MDM
from pyriemann.tangentspace import TangentSpace
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from toolkit.contracts import Splits, TaskInfo
from toolkit.errors import RecipeError, SpaceError
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.space import Choice, is_point, sample
from toolkit.testing import check_search_space
from toolkit_spd.pipeline import candidates
from toolkit_spd.pipeline.candidates import FAMILIES as FITTED
from toolkit_spd.pipeline.candidates import support_vectors
from toolkit_spd.pipeline.design import BASELINES, FAMILIES, NORMS, Design, baseline
from toolkit_spd.pipeline.fitting import fit_means, fit_pipeline, fit_representation
from toolkit_spd.pipeline.learner import PipelineLearner
from toolkit_spd.pipeline.mdm import MinimumDistance
from toolkit_spd.pipeline.selection import VectorFold, choose, judge_folds
from toolkit_spd.pipeline.space import SpdPipelineOptions, SpdPipelineSpace
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

REPRESENTATIONS = [
    {"affine_invariant": {"mean": "karcher"}},
    {"affine_invariant": {"mean": "log_euclidean"}},
    {"affine_invariant": {"mean": "arithmetic"}},
    "log_euclidean",
    {"power": {"exponent": 0.5}},
    "log_cholesky",
    "euclidean",
]


def _matrices(count: int, n: int, classes: int, channels: int = 1) -> tuple[torch.Tensor, ...]:
    """Covariances of which each class has its own spread, and their labels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    series = torch.randn(count, channels, n, 4 * n, generator=generator, dtype=torch.float64)
    series[..., 0, :] *= 1 + labels[:, None, None]
    return series @ series.mT / (4 * n), labels


def _info(n: int, classes: int, channels: int = 1) -> TaskInfo:
    return TaskInfo("spd", (channels, n, n), classes, 60)


def _fitted(
    x: torch.Tensor, labels: torch.Tensor, classes: int, **changes: object
) -> torch.nn.Module:
    """A pipeline fitted to all of the samples; by default regression in the tangent space."""
    info = TaskInfo("spd", tuple(x.shape[1:]), classes, len(x))
    design = Design.of({**baseline("tangent_lr", 1e-12), **changes})
    learner = PipelineLearner(design, info)
    model = learner.classifier
    fit_pipeline(
        model,
        model.representation.take(x),
        labels,
        design.families,
        design.mean,
        design.standardize,
    )
    return model


def test_affine_invariant_vectors_are_those_of_pyriemann() -> None:
    x, _ = _matrices(40, 5, 2)
    model = Design.of(baseline("tangent_lr", 1e-12)).module(_info(5, 2)).representation
    found = fit_representation(model, model.take(x), "karcher", standardize=False).numpy()
    expected = TangentSpace(metric="riemann").fit_transform(x[:, 0].numpy())
    expected /= np.sqrt(np.square(expected).sum(1).mean())
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("components", ["all", 3])
@pytest.mark.parametrize("standardize", [False, True])
def test_vectors_are_centred_of_unit_mean_square_and_those_of_new_inputs(
    representation: object, norm: str, components: object, standardize: bool
) -> None:
    x, _ = _matrices(30, 5, 2, channels=2)
    point = baseline("tangent_lr", 1e-2) | {
        "representation": representation,
        "norm": norm,
        "components": components,
        "standardize": standardize,
    }
    design = Design.of(point)
    model = design.module(_info(5, 2, channels=2)).representation
    vectors = fit_representation(model, model.take(x), design.mean, standardize)
    assert vectors.shape == (30, model.size)
    torch.testing.assert_close(vectors.mean(0), torch.zeros_like(vectors[0]), atol=1e-9, rtol=0)
    assert float(vectors.square().sum(1).mean()) == pytest.approx(1)
    torch.testing.assert_close(model(x), vectors)
    torch.testing.assert_close(model(x[7:8]), vectors[7:8]), "one sample has no say in another"


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=str)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_the_data_means_nothing(representation: object, scale: float) -> None:
    x, _ = _matrices(20, 4, 2)
    design = Design.of(baseline("tangent_lr", 1e-3) | {"representation": representation})
    vectors = []
    for inputs in (x, scale * x):
        model = design.module(_info(4, 2)).representation
        vectors.append(
            fit_representation(model, model.take(inputs), design.mean, standardize=False)
        )
    first, second = (each @ each.mT for each in vectors)
    if representation == "log_cholesky":  # Its lower part is not of the logarithm.
        assert second.isfinite().all()
    else:
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


def test_the_tangent_space_does_not_depend_on_the_basis() -> None:
    x, labels = _matrices(60, 4, 3, channels=2)
    mixing = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = mixing @ x @ mixing.mT
    plain, mixed = _fitted(x, labels, 3), _fitted(moved, labels, 3)
    probabilities = (plain(x).softmax(1), mixed(moved).softmax(1))
    torch.testing.assert_close(*probabilities, atol=1e-3, rtol=0)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=str)
def test_matrices_without_full_rank_give_finite_scores(rank: int, representation: object) -> None:
    series = torch.randn(24, 1, 6, rank, generator=torch.Generator().manual_seed(0))
    series[..., 5, :] = 0  # a channel that is constant
    x = series @ series.mT
    for norm in NORMS:
        model = _fitted(
            x, torch.arange(24) % 2, 2, representation=representation, norm=norm, ridge=1e-5
        )
        assert model(x).isfinite().all()


@pytest.mark.parametrize("classes", [2, 3])
def test_fewer_samples_than_entries_give_the_same_regression(classes: int) -> None:
    """It is solved in as many coordinates as there are samples; here against all of them."""
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(16, 40)) / 6, np.arange(16) % classes
    chosen = choose(features, labels, classes, ["logistic"])
    scores = features @ chosen.model.weight.T + chosen.model.bias
    model = LogisticRegression(C=chosen.value, max_iter=5000, tol=1e-8).fit(features, labels)
    np.testing.assert_allclose(softmax(scores, axis=1), model.predict_proba(features), atol=5e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [2, 4])
def test_every_family_tells_classes_apart_and_never_predicts_one_without_samples(
    family: str, classes: int
) -> None:
    x, labels = _matrices(100, 4, classes)
    model = _fitted(x[:60], labels[:60], classes + 1, classifier=family)
    probabilities = model(x[60:]).softmax(1)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(40, dtype=torch.float64))
    predicted = probabilities.argmax(1)
    assert not (predicted == classes).any()
    assert float((predicted == labels[60:]).double().mean()) > 1.5 / classes


def test_the_best_of_all_is_chosen_without_a_look_at_held_out_samples() -> None:
    assert tuple(FITTED) == FAMILIES
    assert sum(len(family.values) for family in FITTED.values()) == 15
    generator = np.random.default_rng(0)
    # One class around the other: nothing that is linear tells them apart.
    inner, outer = generator.normal(size=(2, 80, 2))
    outer *= 4 / np.linalg.norm(outer, axis=1, keepdims=True)
    features, labels = np.concatenate([inner, outer]), np.arange(160) // 80
    chosen = choose(features, labels, 2, FAMILIES)
    assert chosen.family in ("rbf_svm", "neighbors")


def test_support_vectors_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    own = np.arange(40) % 3 == 0
    points = generator.normal(size=(40, 5)) + own[:, None]
    for penalty in (0.1, 10.0):
        weights, bias = support_vectors(points @ points.T, own, penalty)
        with monkeypatch.context() as without:
            without.setattr(candidates, "libsvm", None)
            expected = support_vectors(points @ points.T, own, penalty)
        np.testing.assert_allclose(weights, expected[0], atol=1e-12)
        assert bias == pytest.approx(expected[1]) and np.any(weights)


def test_where_all_are_right_a_few_samples_decide() -> None:
    """Held-out samples are told apart by every candidate, but not after two of each class."""
    generator = np.random.default_rng(0)
    labels = np.arange(200) % 2
    signs = 2.0 * labels - 1
    noise = generator.normal(size=(200, 40))
    found = []
    for size in (1.0, 3.0):
        vectors = np.column_stack([signs * size, 0.5 * noise])
        even = np.arange(200) // 2 % 2 == 0
        folds = [
            VectorFold(vectors[part], labels[part], vectors[~part], labels[~part])
            for part in (even, ~even)
        ]
        _, scores, few_shot = judge_folds(folds, 2, ("logistic", "shrunken_lda"))
        right = [(s.argmax(1) == f.truth).mean() for s, f in zip(scores, folds, strict=True)]
        assert min(right) == 1 and few_shot is not None
        found.append(few_shot)
    assert found[0] < found[1] <= 1
    fold = VectorFold(noise[:99], labels[:99], noise[99:], labels[99:])
    assert judge_folds([fold], 2, ("logistic",))[2] is None, "it is not always right"


@pytest.mark.parametrize("counts", [(1, 1), (1, 9), (2, 2), (1, 1, 30), (3, 0, 4)])
def test_few_samples_of_a_class_are_no_error(counts: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    features = np.random.default_rng(0).normal(size=(len(labels), 3)) + labels[:, None]
    chosen = choose(features, labels, len(counts), FAMILIES)
    assert np.isfinite(chosen.sharpness) and chosen.sharpness > 0


def test_samples_that_are_all_the_same_are_no_error() -> None:
    chosen = choose(np.zeros((20, 5)), np.arange(20) % 2, 2, FAMILIES)
    assert np.isfinite(chosen.sharpness)


@pytest.mark.parametrize("family", ["logistic", "rbf_svm", "neighbors"])
def test_weights_say_which_classifier_they_are_of(family: str) -> None:
    x, labels = _matrices(40, 4, 3)
    model = _fitted(x, labels, 3, classifier=family)
    fresh = Design.of(baseline("tangent_lr", 1e-12) | {"classifier": "best"}).module(_info(4, 3))
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))
    rebuilt = type(model)(**model.config)
    rebuilt.load_state_dict(model.state_dict())
    torch.testing.assert_close(rebuilt(x), model(x))


@pytest.mark.parametrize("family", ["logistic", "rbf_svm", "neighbors"])
def test_a_pipeline_is_one_graph_whatever_its_classifier(family: str) -> None:
    x, labels = _matrices(24, 3, 2)
    model = _fitted(x, labels, 2, classifier=family).eval()
    with torch.no_grad():
        batch = {0: torch.export.Dim("batch")}
        traced = torch.export.export(model, (x[:2],), dynamic_shapes=(batch,), strict=False)
        torch.testing.assert_close(traced.module()(x), model(x))


@pytest.mark.parametrize(("channels", "n"), [(1, 25), (2, 6), (1, 1)])
def test_the_space_keeps_the_contract(channels: int, n: int) -> None:
    space = SpdPipelineSpace(SpdPipelineOptions())
    x, _ = _matrices(6, n, 2, channels)
    check_search_space(space, _info(n, 3, channels), x, samples=3)


def test_what_no_pipeline_is_made_of_is_refused_in_a_sentence() -> None:
    space = SpdPipelineSpace(SpdPipelineOptions(ridge=(0.1, 0.01)))
    with pytest.raises(SpaceError, match=r"goes from 0\.1 to 0\.01"):
        space.parameters(_info(4, 2))
    space = SpdPipelineSpace(SpdPipelineOptions())
    point = sample(space.parameters(_info(4, 2)), random.Random(0))
    with pytest.raises(SpaceError, match="classifier"):
        space.build(point | {"classifier": "forest"}, _info(4, 2))
    with pytest.raises(SpaceError, match="channels, n, n"):
        space.parameters(TaskInfo("spd", (1, 4, 5), 2, 60))


@pytest.mark.parametrize("name", BASELINES)
def test_classifiers_stand_beside_the_networks_and_the_pipelines(name: str) -> None:
    x, labels = _matrices(60, 6, 3, channels=2)
    info = _info(6, 3, channels=2)
    for space in (SpdCellSpace(SpdCellOptions()), SpdPipelineSpace(SpdPipelineOptions())):
        architecture = space.baselines(info)[name]
        learner = space.build(architecture, info)
        given = learner.representation.take(x[:40])
        learner.fit_to(given, labels[:40], Splits(None, None, None))
        right = learner.predict(x[40:]).argmax(1) == labels[40:]
        assert float(right.double().mean()) > 0.5
        assert list(space.graph(architecture, info).nodes)


def test_least_distances_to_the_means_are_pyriemanns() -> None:
    x, labels = _matrices(60, 5, 3)
    model = MinimumDistance(Design.of(baseline("mdm", 0.0)).spec(_info(5, 4)), 4)
    fit_means(model, model.representation.take(x[:40]), labels[:40])
    expected = MDM().fit(x[:40, 0].numpy(), labels[:40].numpy()).transform(x[40:, 0].numpy())
    scores = model(x[40:]).numpy()
    np.testing.assert_allclose(-scores[:, :3], expected**2, rtol=1e-6)
    assert (scores[:, 3] < scores[:, :3].min()).all(), "a class without samples is never the answer"


def test_a_point_may_read_some_of_the_channels() -> None:
    x, labels = _matrices(40, 4, 2, channels=3)
    model = _fitted(x, labels, 2, channels="0,2")
    alone = _fitted(x[:, [0, 2]], labels, 2)
    torch.testing.assert_close(model(x), alone(x[:, [0, 2]]))
    changed = x.clone()
    changed[:, 1] *= 7
    torch.testing.assert_close(model(changed), model(x))


def test_groups_of_channels_are_a_choice_and_must_be_the_datas() -> None:
    info = _info(4, 2, channels=3)

    def offered(**options: Any) -> tuple[Any, ...]:
        tree = SpdPipelineSpace(SpdPipelineOptions(**options)).parameters(info)
        return tree.members["channels"].options

    assert offered() == ("all", "0", "1", "2")
    assert offered(channels=((0,), (1, 2))) == ("0", "1,2")
    space = SpdPipelineSpace(SpdPipelineOptions())
    for wrong in ((3,), (0, 0)):
        with pytest.raises(SpaceError, match="names a channel twice, or one that is none"):
            SpdPipelineSpace(SpdPipelineOptions(channels=(wrong,))).parameters(info)
    point = baseline("tangent_lr", 1e-3)
    for unreadable in ("3", "0,0", "x", ""):
        with pytest.raises(SpaceError, match="channels"):
            space.build(point | {"channels": unreadable}, info)


@pytest.mark.parametrize("channels", [1, 3])
def test_anchors_are_points_of_the_tree(channels: int) -> None:
    space, info = SpdPipelineSpace(SpdPipelineOptions()), _info(5, 2, channels)
    anchors = space.anchors(info)
    assert len(anchors) == 5
    assert all(is_point(space.parameters(info), anchor) for anchor in anchors)


def test_what_a_task_offers_of_its_preparation_is_searched_unless_the_recipe_says() -> None:
    own = {
        "version": 1,
        "name": "radar",
        "task": {"name": "drone_radar", "covariance": {"hop": 5, "scale": "none"}},
        "space": "spd_pipeline",
        "budget": {"trials": 2},
    }
    searched = load_recipe(own, [], Registry()).searched
    assert set(searched) == {"task.covariance.window", "task.covariance.embedding"}
    short = load_recipe({**own, "task": "drone_radar"}, [], Registry())
    assert short.searched["task.covariance.scale"] == Choice(["trace", "power"])
    for named in ({"strategy": "random"}, {"space": "spd_cell"}):
        assert not load_recipe({**own, **named}, [], Registry()).searched
    wrong = {**own, "task": {"name": "drone_radar", "covariance": {"window": {"choice": [1]}}}}
    with pytest.raises(RecipeError, match=r"task.covariance.window"):
        load_recipe(wrong, [], Registry())
