"""Maps to the simplex: on it, exact, and with exact gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.training.simplex import RELAXATIONS, entmax15, sparsemax


@pytest.mark.parametrize("name", RELAXATIONS)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_weights_are_on_the_simplex_and_keep_the_order(name, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(4, 6, generator=generator, dtype=torch.float64)
    weights = RELAXATIONS[name](scores)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, dtype=torch.float64))
    ordered = weights.gather(-1, scores.argsort(-1))
    assert (ordered.diff(dim=-1) >= -1e-15).all()


@pytest.mark.parametrize("name", RELAXATIONS)
def test_gradients_are_exact(name):
    for scale in (1e-3, 1.0, 3.0):
        torch.manual_seed(1)
        scores = (scale * torch.randn(5, 6, dtype=torch.float64)).requires_grad_()
        assert torch.autograd.gradcheck(RELAXATIONS[name], scores)


def test_sparsemax_is_the_euclidean_projection():
    scores = torch.tensor([[0.5, 0.2, -1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.65, 0.35, 0.0], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    torch.testing.assert_close(sparsemax(scores), expected)


def test_entmax_solves_its_optimality_condition():
    torch.manual_seed(0)
    scores = torch.randn(50, 6, dtype=torch.float64) * 2
    weights = entmax15(scores)
    support = weights > 0
    # p = [z / 2 - tau]_+^2: on the support z / 2 - sqrt(p) is one number, elsewhere z / 2 is below.
    level = scores / 2 - weights.sqrt()
    tau = level.where(support, torch.nan).nanmean(-1, keepdim=True)
    torch.testing.assert_close(level.where(support, tau), tau.expand_as(level))
    assert (scores / 2 <= tau + 1e-12).logical_or(support).all()


@pytest.mark.parametrize("name", ["sparsemax", "entmax15"])
def test_weights_off_the_support_get_no_gradient(name):
    scores = torch.tensor([4.0, 0.1, 0.0], dtype=torch.float64, requires_grad=True)
    weights = RELAXATIONS[name](scores)
    assert weights.tolist() == [1.0, 0.0, 0.0]
    (weights * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert scores.grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", RELAXATIONS)
def test_a_column_that_is_absent_weighs_nothing(name):
    scores = torch.tensor([[0.3, -0.2, 0.9]], dtype=torch.float64)
    padded = torch.cat([scores, torch.full((1, 2), -1e9, dtype=torch.float64)], -1)
    weights = RELAXATIONS[name](padded)
    torch.testing.assert_close(weights[:, :3], RELAXATIONS[name](scores))
    assert weights[:, 3:].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("name", RELAXATIONS)
def test_nan_scores_give_nan_weights(name):
    scores = torch.tensor([[torch.nan, 0.0, 1.0], [0.0, 1.0, 2.0]])
    weights = RELAXATIONS[name](scores)
    assert weights[0].isnan().any()
    assert weights[1].isfinite().all()
