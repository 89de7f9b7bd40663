"""The plugin class: any data, any architecture, clear refusals, no torch until it is needed."""

import json
import random

import pytest
import torch

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo, Train
from toolkit.errors import SpaceError
from toolkit.space import is_point, sample, validate
from toolkit.space.graphs import fingerprint
from toolkit_spd.genotype import read_cell
from toolkit_spd.space import SpdCellOptions, SpdCellSpace


def task(channels=1, n=20, classes=3):
    return TaskInfo("spd", (channels, n, n), classes, 100)


def space(**options):
    return SpdCellSpace(SpdCellOptions(**options))


def batch(channels, n, size=6, classes=3):
    return random_spd(size, channels, n, n, dof=2), torch.arange(size) % classes


@pytest.mark.parametrize(("channels", "n"), [(1, 2), (1, 3), (2, 5), (12, 7), (1, 20)])
@pytest.mark.parametrize("mixing", ["affine_invariant", "log_euclidean"])
def test_defaults_build_and_learn_on_any_size_and_channels(channels, n, mixing):
    spd, data = space(mixing=mixing), batch(channels, n)
    info = task(channels, n)
    architecture = sample(spd.parameters(info), random.Random(0))
    for each in (architecture, *spd.baselines(info).values()):
        learner = spd.build(json.loads(json.dumps(each)), info)
        if learner.fit is not None:  # It learns without steps; test_tangent.py has it.
            continue
        optimizer = learner.optimizer(Train())
        learner.loss(data).backward()
        optimizer.step()
        learner.model.eval()
        assert learner.predict(data[0]).shape == (6, 3)
        assert learner.loss(data).isfinite()
    supernet = spd.supernet(info)
    validate(spd.parameters(info), supernet.derive())


@pytest.mark.parametrize("scale", [1e-14, 1e-6, 1.0, 1e9])
def test_defaults_learn_at_any_scale_of_the_data(scale):
    spd, (x, y) = space(), batch(1, 6, size=24)
    x = x * (1 + 3 * y[:, None, None, None] * torch.eye(6, dtype=torch.float64))
    # Plain SPDNet has nothing that takes a common scale away, and is left out.
    for each in (spd.baselines(task(n=6))["spdnet_bn"], spd.supernet(task(n=6)).derive()):
        learner = spd.build(each, task(n=6))
        optimizer = learner.optimizer(Train())
        for _ in range(25):
            optimizer.zero_grad()
            loss = learner.loss((x * scale, y))
            loss.backward()
            optimizer.step()
        assert learner.loss((x * scale, y)) < 0.8


def test_size_counts_pairs_of_sources_and_operations():
    # Node 2: 5 x 5 choices; node 3: (0,1), (0,2), (1,2) with 5 x 5 each; two cell types.
    assert space().parameters(task()).size() == (25 * 75) ** 2


def test_isomorphic_cells_have_equal_fingerprints_and_others_not():
    spd, info = space(), task()
    one = {"0,1": {"from_0": "skip", "from_1": "bimap_1"}}
    two = {"0,1": {"from_0": "bimap_2", "from_1": "skip"}}
    reduction = {"node_2": one, "node_3": two}

    def of(normal):
        return fingerprint(spd.graph({"normal": normal, "reduction": reduction}, info))

    assert of({"node_2": one, "node_3": two}) == of({"node_2": two, "node_3": one})
    assert of({"node_2": one, "node_3": two}) != of({"node_2": one, "node_3": one})
    swapped = {"0,1": {"from_0": "bimap_1", "from_1": "skip"}}
    assert of({"node_2": one, "node_3": two}) != of({"node_2": swapped, "node_3": two})
    baselines = spd.baselines(info).values()
    assert len({fingerprint(spd.graph(each, info)) for each in baselines}) == 6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sizes": (30,)}, "cannot bring 20 x 20 matrices to 30 x 30"),
        ({"sizes": (10, 5)}, "2 numbers for 1 reduction"),
        ({"channels": (2, 4, 8)}, "3 numbers for 2 cells"),
        ({"normal_ops": ("skip", "bimap1")}, "Did you mean 'bimap_1'"),
        ({"reduction_ops": ("weighted_pooling",)}, "no operation 'weighted_pooling' for reduction"),
        ({"normal_ops": ("none",)}, "nothing but 'none'"),
        ({"stem": "entries", "stem_channels": 4}, "leaves the data's 1 channels as they are"),
        ({"normal_ops": ("skip", "skip")}, "names an operation twice"),
    ],
)
def test_impossible_options_are_refused_with_the_reason(options, says):
    with pytest.raises(SpaceError) as caught:
        space(**options).parameters(task())
    assert says in str(caught.value)


def test_data_of_another_shape_and_foreign_architectures_are_refused():
    with pytest.raises(SpaceError, match=r"needs \(channels, n, n\)"):
        space().parameters(TaskInfo("spd", (20, 30), 3, 100))
    with pytest.raises(SpaceError, match="Not a point"):
        space().build({"normal": {}}, task())
    with pytest.raises(SpaceError, match="starts with 20"):
        space().build({"network": "spdnet", "sizes": [16, 8]}, task())
    with pytest.raises(SpaceError, match="no hand-made network"):
        space().build({"network": "resnet", "sizes": [20, 8]}, task())


def test_an_operation_beyond_the_published_ones_is_one_word():
    names = ("none", "bimap_0", "skip")
    spd = space(reduction_ops=names)
    architecture = sample(spd.parameters(task()), random.Random(1))
    assert spd.build(architecture, task()).model is not None


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_searches_with_convolutions_start_from_cells_of_nothing_else(nodes):
    names = ("log_convolution", "skip")
    heads = ("power_euclidean", "triangle")
    spd = space(nodes=nodes, normal_ops=(*names, "none"), reduction_ops=names, head=heads)
    anchors = spd.anchors(task())
    assert len(anchors) == (1 if nodes == 1 else 2)  # joined side by side, and in a chain
    for anchor in anchors:
        assert is_point(spd.parameters(task()), anchor)
        links = read_cell(anchor["reduction"]) + read_cell(anchor["normal"])
        assert {link.operation for link in links} == {"log_convolution"}
    # What one kind of cell has no candidate for is no start, and the published space has none.
    assert space(normal_ops=names).anchors(task()) == []
    assert space().anchors(task()) == []
