"""Whole networks: published parameter counts, rebuilding from plain JSON, equivariance."""

import copy
import json

import pytest
import torch

from spd_matrices import random_spd
from toolkit_spd.genotype import Link, write_cell
from toolkit_spd.networks import CellNetwork, SpdNet

RADAR = {
    "normal": write_cell(
        [Link(0, 2, "skip"), Link(1, 2, "skip"), Link(0, 3, "bimap_0"), Link(2, 3, "bimap_1")]
    ),
    "reduction": write_cell(
        [Link(0, 2, "bimap_2"), Link(1, 2, "bimap_2"), Link(0, 3, "bimap_2"), Link(1, 3, "bimap_1")]
    ),
}
HDM05 = {
    "normal": write_cell(
        [Link(0, 2, "skip"), Link(1, 2, "skip"), Link(0, 3, "bimap_2"), Link(2, 3, "bimap_2")]
    ),
    "reduction": write_cell(
        [Link(0, 2, "bimap_1"), Link(1, 2, "bimap_1"), Link(0, 3, "bimap_2"), Link(1, 3, "bimap_1")]
    ),
}
SHAPE = {
    "channels_in": 1,
    "n": 20,
    "classes": 3,
    "cells": ["reduction", "normal"],
    "channels": [2, 4],
    "sizes": [10, 10],
}
GEOMETRIES = ["affine_invariant", "log_euclidean"]


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_parameter_counts_are_the_published_ones_without_dead_weights(geometry):
    radar = CellNetwork(RADAR, geometry=geometry, **SHAPE)
    shape = {**SHAPE, "n": 93, "classes": 117, "sizes": [30, 30]}
    assert count(radar) == 15_203
    assert count(CellNetwork(HDM05, geometry=geometry, **shape)) == 1_017_909
    radar(random_spd(4, 20, 20)).sum().backward()
    assert all(p.grad is not None for p in radar.parameters())
    assert count(SpdNet(1, [20, 16, 8], 3)) == 643
    assert count(SpdNet(1, [20, 16, 8], 3, batch_norm=True)) == 963


@pytest.mark.parametrize(
    "network",
    [
        lambda: CellNetwork(RADAR, **SHAPE),
        lambda: CellNetwork(RADAR, geometry="affine_invariant", heads=["triangle"], **SHAPE),
        lambda: CellNetwork(RADAR, dtype="float32", **SHAPE),
        lambda: SpdNet(1, [20, 16, 8], 3, batch_norm=True),
        lambda: SpdNet(1, [20, 16, 8], 3, rectify=0.1, rectify_relative=True),
    ],
)
def test_a_network_rebuilds_from_plain_json_and_its_state(network):
    torch.manual_seed(0)
    original, x = network(), random_spd(5, 1, 20, 20)
    for _ in range(3):
        original(x)
    original.eval()
    rebuilt = type(original)(**json.loads(json.dumps(original.config)))
    rebuilt.load_state_dict(original.state_dict())
    rebuilt.eval()
    assert torch.equal(rebuilt(x), original(x))
    assert torch.equal(copy.deepcopy(original)(x), original(x))
    assert torch.equal(original(x[:, 0]), original(x))


def test_evaluation_does_not_depend_on_the_batch():
    torch.manual_seed(0)
    network, x = CellNetwork(RADAR, **SHAPE), random_spd(6, 1, 20, 20)
    network(x)
    network.eval()
    torch.testing.assert_close(network(x[:1]), network(x)[:1])


def test_a_batch_of_one_trains():
    for geometry in GEOMETRIES:
        network = CellNetwork(RADAR, geometry=geometry, **SHAPE)
        loss = network(random_spd(1, 1, 20, 20)).square().sum()
        loss.backward()
        assert all(p.grad.isfinite().all() for p in network.parameters())


def test_spdnet_is_invariant_to_a_rotation_that_its_first_layer_undoes():
    torch.manual_seed(0)
    network, x = SpdNet(1, [6, 4, 2], 3), random_spd(5, 6, 6)
    q, _ = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))
    turned = copy.deepcopy(network)
    with torch.no_grad():
        turned.layers[0].weight.copy_(q @ network.layers[0].weight)
    torch.testing.assert_close(turned(q @ x @ q.mT), network(x))


@pytest.mark.parametrize("relative", [True, False])
def test_a_relative_threshold_makes_normalised_networks_blind_to_scale(relative):
    torch.manual_seed(0)
    arguments = {**SHAPE, "rectify": 0.05, "rectify_relative": relative}
    network, x = CellNetwork(RADAR, **arguments), random_spd(5, 20, 20)
    torch.testing.assert_close(network(x * 1e-9), network(x))
