"""`SearchClassifier` is a scikit-learn classifier, and predicts what its search found."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags

import toolkit
from command_line import IN_PROCESS
from toolkit import SearchClassifier
from toolkit.errors import RecipeError

RNG = np.random.default_rng(0)
Y = np.array(["left", "right"])[np.arange(40) % 2]
SERIES = RNG.normal(size=(40, 3, 30)) * (1 + (Y == "right")[:, None, None] * [[2.0], [0], [0]])
X = SERIES @ SERIES.swapaxes(1, 2) / 30
GROUPS = np.arange(40) // 10
HERE: dict[str, Any] = {"resources": {"executor": "in_process"}}
QUICK = {
    "name": "spd_pipeline",
    "classifiers": ["shrunken_lda"],
    "representations": ["log_euclidean"],
}


def make(recipe: Any = "spd_pipeline", **more: Any) -> SearchClassifier:
    """A classifier of two trials in this process."""
    final = {"seeds": 1, "random": 0, "baselines": False}
    words = {**HERE, "validation": "own", "train": {"final": final}, "space": QUICK}
    return SearchClassifier(
        recipe, **{"budget": 2, "strategy": "random", "plugins": [IN_PROCESS], **more}, words=words
    )


@pytest.fixture(scope="module")
def fitted() -> SearchClassifier:
    return make().fit(X, Y)


def test_it_predicts_labels_as_they_were_given(fitted: SearchClassifier) -> None:
    assert list(fitted.classes_) == ["left", "right"]
    assert fitted.score(X, Y) > 0.9
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (40, 2) and np.allclose(probabilities.sum(axis=1), 1)
    assert (fitted.predict(X) == fitted.classes_[probabilities.argmax(axis=1)]).all()
    assert fitted.channels_ == 3 and len(fitted.trials_) == 2
    assert {"accuracy", "loss"} <= set(fitted.test_scores_) and "architecture" in fitted.best_point_
    assert not hasattr(fitted, "run_"), "its folder is gone"


def test_it_survives_a_pickle_and_a_clone(fitted: SearchClassifier) -> None:
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert clone(fitted).get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_it_serves_in_a_pipeline_and_a_cross_validation() -> None:
    covariances = FunctionTransformer(lambda series: series @ series.swapaxes(1, 2) / 30)
    scores = cross_val_score(make_pipeline(covariances, make()), SERIES, Y, cv=2)
    assert scores.mean() > 0.8


def test_groups_are_kept_whole_and_a_folder_is_kept(tmp_path: Path) -> None:
    classifier = make(output=tmp_path / "run").fit(X, Y, groups=GROUPS)
    validated = toolkit.validate(tmp_path / "run/recipe.resolved.yaml", plugins=[IN_PROCESS])
    assert validated["groups"]["test"] == ["3"]
    assert classifier.run_.outcome is not None
    assert classifier.run_.recipe["train"]["seed"] == 0


def test_a_recipe_is_given_the_arrays_and_series_are_told_from_matrices() -> None:
    recipe = {"name": "mine", "task": "series_arrays", "space": "spd_pipeline"}
    assert make(recipe).fit(SERIES, Y).score(SERIES, Y) > 0.8
    assert make().fit(SERIES, Y).score(SERIES, Y) > 0.8


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        (X[:, 0], Y, "Found array with dim 2"),
        (X, np.zeros(40), "only one class"),
        (X, np.linspace(0, 1, 40), "continuous"),
        (np.where(X > 0, np.nan, X), Y, "contains NaN"),
        (X.astype(complex), Y, "Complex data not supported"),
        (X[:30], Y, "inconsistent numbers of samples"),
        (np.zeros((40, 1, 2, 2, 2)), Y, "no task is known that reads such arrays"),
    ],
)
def test_what_it_cannot_learn_from_is_refused(inputs: Any, labels: Any, says: str) -> None:
    with pytest.raises((ValueError, RecipeError), match=says):
        make().fit(inputs, labels)


def test_predicting_other_channels_is_refused(fitted: SearchClassifier) -> None:
    with pytest.raises(ValueError, match="2 channels, but SearchClassifier was fitted with 3"):
        fitted.predict(X[:, :2, :2])


class Lifted(SearchClassifier):
    """Takes the rows that scikit-learn's checks give for matrices: xx' + 1."""

    def __init__(self, budget: Any = 1) -> None:
        super().__init__(**{**make(task="spd_arrays").get_params(), "budget": budget})

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return ["budget"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> SearchClassifier:
        return super().fit(lifted(X), y, groups)

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(lifted(X))


def lifted(rows: Any) -> Any:
    rows = np.asarray(rows)
    if rows.ndim != 2:
        return rows
    return rows[:, :, None] * rows[:, None, :] + np.eye(rows.shape[1])


CHECKS: tuple[Callable[..., None], ...] = (
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
    checks.check_estimator_tags_renamed,
    checks.check_estimators_fit_returns_self,
    checks.check_estimators_overwrite_params,
    checks.check_estimators_unfitted,
    checks.check_fit_score_takes_y,
    checks.check_mixin_order,
    checks.check_no_attributes_set_in_init,
    checks.check_parameters_default_constructible,
    checks.check_requires_y_none,
    checks.check_valid_tag_types,
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_checks_pass(check: Callable[..., None]) -> None:
    check("Lifted", Lifted())


def test_scikit_learn_knows_it_for_a_classifier_of_three_dimensions() -> None:
    assert is_classifier(SearchClassifier())
    tags = get_tags(SearchClassifier()).input_tags
    assert tags.three_d_array and not tags.two_d_array
    checks.check_estimator(SearchClassifier(), on_skip=None)
