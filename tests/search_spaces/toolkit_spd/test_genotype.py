"""Architectures as JSON, and the published rule that derives one."""

import json

from toolkit_spd.genotype import (
    NORMAL_OPERATIONS,
    Link,
    cell_edges,
    derive_cell,
    read_cell,
    spdnet_sizes,
    write_cell,
)


def test_a_cell_survives_json():
    links = [Link(0, 2, "skip"), Link(1, 2, "bimap_0"), Link(0, 3, "bimap_1"), Link(2, 3, "skip")]
    cell = write_cell(links)
    assert cell["node_3"] == {"0,2": {"from_0": "bimap_1", "from_2": "skip"}}
    assert read_cell(json.loads(json.dumps(cell))) == links


def test_edges_come_by_target_then_source():
    assert cell_edges(2) == [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def test_each_node_keeps_its_two_heaviest_edges_and_none_never_counts():
    names = [NORMAL_OPERATIONS] * 5
    weights = [
        [0.9, 0.1, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [0.5, 0.0, 0.5, 0.0, 0.0, 0.0],
        [0.8, 0.0, 0.0, 0.2, 0.0, 0.0],
        [0.4, 0.0, 0.0, 0.0, 0.6, 0.0],
    ]
    assert read_cell(derive_cell(weights, names, 2)) == [
        Link(0, 2, "weighted_pooling"),
        Link(1, 2, "skip"),
        Link(0, 3, "bimap_0"),
        Link(2, 3, "bimap_2"),
    ]


def test_ties_go_to_the_lower_source_and_the_first_candidate():
    names = [NORMAL_OPERATIONS] * 5
    assert read_cell(derive_cell([[1 / 6] * 6] * 5, names, 2)) == [
        Link(source, target, "weighted_pooling") for target in (2, 3) for source in (0, 1)
    ]


def test_candidate_lists_of_unequal_length():
    names = [["none", "skip"], ["none", "bimap_0", "skip"]]
    links = read_cell(derive_cell([[0.0, 1.0, 0.0], [0.2, 0.1, 0.7]], names, 1))
    assert links == [Link(0, 2, "skip"), Link(1, 2, "skip")]


def test_sizes_of_the_hand_made_network():
    assert spdnet_sizes(20) == [20, 16, 8]
    assert spdnet_sizes(2) == [2, 2, 1]
