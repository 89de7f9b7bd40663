"""Costs against counts by hand."""

from __future__ import annotations

import torch
from torch import nn

from toolkit.contracts import Learner
from toolkit.contracts.costs import COSTS
from toolkit.training import costs


def test_multiply_adds_are_those_counted_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 36, 5))
    expected = 36 * 8 * 27 + 8 * 36 * 5
    assert costs.multiply_adds(model, torch.zeros(2, 3, 6, 6)) == expected
    assert model.training, "the model is left as it was"


def test_multiply_adds_see_products_outside_layers() -> None:
    class Product(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs @ inputs.mT

    assert costs.multiply_adds(Product(), torch.zeros(3, 4, 5)) == 4 * 5 * 4


def test_latency_covers_the_whole_model_and_grows_with_the_batch() -> None:
    model = nn.Sequential(*[nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)])
    one = costs.latency(model, torch.zeros(1, 8, 24, 24), runs=9)
    many = costs.latency(model, torch.zeros(64, 8, 24, 24), runs=9)
    assert 0 < one.median_ms < many.median_ms
    assert one.spread_ms >= 0


def test_memory_is_weights_and_the_most_that_lives_at_once() -> None:
    model = nn.Sequential(*[nn.Linear(100, 100, bias=False) for _ in range(5)])
    weights = 5 * 100 * 100 * 4
    # The input, held by the caller; and of the activations what a layer reads and what it writes.
    assert costs.memory(model, torch.zeros(1, 100)) == weights + 3 * 100 * 4
    assert costs.measure(model, torch.zeros(7, 100), ["memory_mb"]) == {
        "memory_mb": (weights + 3 * 100 * 4) / 1e6
    }


def test_only_what_is_named_is_measured() -> None:
    model = nn.Linear(3, 2)
    found = costs.measure(model, torch.zeros(1, 3), ["parameters", "latency_batch_ms"])
    assert found["parameters"] == 8
    assert set(found) == {"parameters", "latency_batch_ms"}
    assert set(costs.measure(model, torch.zeros(1, 3), COSTS)) == set(COSTS)


def test_a_learner_is_left_as_it_was() -> None:
    learner = Learner(nn.Sequential(nn.Linear(3, 3), nn.Dropout(), nn.BatchNorm1d(3)))
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    found = costs.of_learner(learner, torch.ones(1, 3), cpu, ["latency_ms", "parameters"])
    assert found["parameters"] == 18
    assert torch.rand(()) == expected
    assert learner.model.training
    torch.testing.assert_close(learner.model.state_dict(), before, rtol=0, atol=0)


def test_what_is_only_counted_is_measured_first() -> None:
    assert costs.stages(["latency_ms", "parameters", "latency_batch_ms", "memory_mb"]) == [
        ["parameters", "memory_mb"],
        ["latency_ms", "latency_batch_ms"],
    ]
    assert costs.stages(()) == []
