"""What vectors and classifiers must not depend on, for any data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo
from toolkit_spd.pipeline.design import Design, baseline
from toolkit_spd.pipeline.fitting import fit_representation
from toolkit_spd.pipeline.selection import _samples
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

SEEDS = st.integers(0, 2**31 - 1)
FEW = settings(max_examples=8, deadline=None)
ROTATED = [
    *({"affine_invariant": {"mean": mean}} for mean in ("karcher", "log_euclidean", "arithmetic")),
    "log_euclidean",
    {"power": {"exponent": 0.25}},
    {"power": {"exponent": 0.5}},
    "euclidean",
]


def _gram(x: Tensor, representation: Any, **changes: Any) -> Tensor:
    """Inner products of the vectors (N, d) of matrices (N, channels, n, n), without a ridge."""
    channels, n = x.shape[1], x.shape[-1]
    point = {**baseline("tangent_lr", 1e-12), "representation": representation, **changes}
    design = Design.of(point)
    model = design.module(TaskInfo("spd", (channels, n, n), 2, len(x))).representation
    vectors = fit_representation(model, model.take(x), design.mean, standardize=False)
    return vectors @ vectors.mT


def _mixture(generator: np.random.Generator, n: int) -> Tensor:
    """An invertible matrix of condition 30 at most."""
    left, right = (ortho_group.rvs(n, random_state=generator) for _ in range(2))
    return torch.from_numpy(left * generator.uniform(0.2, 6, n) @ right)


@given(seed=SEEDS, n=st.integers(2, 5), channels=st.integers(1, 2))
@pytest.mark.parametrize(("mean", "settled"), [("karcher", 1e-4), ("arithmetic", 1e-8)])
@FEW
def test_affine_invariant_vectors_do_not_know_the_mixture(
    mean: str, settled: float, seed: int, n: int, channels: int
) -> None:
    """C -> G C G' leaves them, as far as the mean has settled."""
    x = random_spd(12, channels, n, n, seed=seed)
    mixture = _mixture(np.random.default_rng(seed), n)
    found = [
        _gram(each, {"affine_invariant": {"mean": mean}}) for each in (x, mixture @ x @ mixture.mT)
    ]
    torch.testing.assert_close(*found, atol=settled, rtol=0)


@given(seed=SEEDS, n=st.integers(2, 5))
@pytest.mark.parametrize("representation", ROTATED, ids=str)
@FEW
def test_vectors_do_not_know_the_frame(representation: Any, seed: int, n: int) -> None:
    x = random_spd(10, 1, n, n, seed=seed)
    q = torch.from_numpy(ortho_group.rvs(n, random_state=seed % 2**31))
    found = [_gram(each, representation) for each in (x, q @ x @ q.mT)]
    torch.testing.assert_close(*found, atol=1e-8, rtol=0)


@given(seed=SEEDS, exponent=st.floats(-10, 10))
@FEW
def test_centred_logarithms_do_not_know_the_scale(seed: int, exponent: float) -> None:
    x = random_spd(10, 2, 4, 4, seed=seed)
    found = [_gram(each, "log_euclidean") for each in (x, 10**exponent * x)]
    torch.testing.assert_close(*found, atol=1e-8, rtol=0)


@given(seed=SEEDS)
@pytest.mark.parametrize("representation", ["log_euclidean", "log_cholesky", "euclidean"])
@FEW
def test_correlations_do_not_know_how_each_channel_was_set(representation: str, seed: int) -> None:
    x = random_spd(10, 1, 4, 4, seed=seed)
    gains = torch.from_numpy(np.random.default_rng(seed).uniform(0.01, 100, (10, 1, 4)))
    moved = gains[..., None] * x * gains[..., None, :]
    found = [_gram(each, representation, norm="correlation") for each in (x, moved)]
    torch.testing.assert_close(*found, atol=1e-6, rtol=0)


@given(seed=SEEDS, classes=st.integers(2, 3))
@FEW
def test_regression_in_few_coordinates_is_that_of_all_entries(seed: int, classes: int) -> None:
    """Both solved to the end: scores in the basis of the Gram matrix are those of the vectors."""
    generator = np.random.default_rng(seed)
    vectors, new = generator.normal(size=(18, 40)) / 6, generator.normal(size=(7, 40)) / 6
    labels = np.arange(18) % classes
    gram = vectors @ vectors.T
    samples, basis = _samples(vectors, gram, gram, labels, classes)
    assert basis is not None and samples.coordinates.shape[1] <= 18

    def scores(features: np.ndarray, judged: np.ndarray) -> np.ndarray:
        model = LogisticRegression(C=10.0, solver="newton-cg", tol=1e-10, max_iter=1000)
        return np.asarray(model.fit(features, labels).decision_function(judged))

    found = scores(samples.coordinates, new @ basis)
    np.testing.assert_allclose(found, scores(vectors, new), atol=1e-6)


@given(seed=SEEDS, exponent=st.floats(-8, 8))
@pytest.mark.parametrize("mixing", ["log_euclidean", "affine_invariant"])
@settings(max_examples=4, deadline=None)
def test_cells_do_not_know_the_scale(mixing: str, seed: int, exponent: float) -> None:
    """Batch normalisation takes it away; thresholds are relative."""
    options = SpdCellOptions.model_validate({"mixing": mixing})
    torch.manual_seed(0)
    space, info = SpdCellSpace(options), TaskInfo("spd", (1, 6, 6), 2, 20)
    model = space.supernet(info).model
    x = random_spd(8, 1, 6, 6, seed=seed)
    torch.testing.assert_close(model(10**exponent * x), model(x), atol=1e-6, rtol=1e-6)
