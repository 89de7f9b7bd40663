"""Networks: published parameter counts, torchvision's weights, folding, export."""

import pytest
import torch

from toolkit_nullspace.backbones import BACKBONES
from toolkit_nullspace.design import map_size
from toolkit_nullspace.folding import deploy
from toolkit_nullspace.network import Network

VGG16 = {"kind": "vgg", "depth": 16}


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_parameter_counts():
    with torch.device("meta"):
        network = Network(3, 10, VGG16, [3, 3], "conv", 800, "bn")
        full = Network(3, 10, VGG16, [3, 3], "pool7", 0, "none", [4096, 4096], 0.5)
        average = Network(3, 10, VGG16, [3, 3], "gap", 0, "none")
        folded = Network(3, 10, VGG16, [3, 3], "conv", 10, "none", folded=True, merged=True)
    assert size(network.backbone) == 14_723_136
    assert size(network) - size(network.head) == 18_411_936
    assert size(full) == 134_309_962
    assert size(average) == 14_728_266
    # The batch norms' 8,448 parameters are folded away, too.
    assert size(folded) == 14_723_136 + 4608 * 10 + 10 - 8_448


def test_names_and_outputs_are_torchvisions():
    torchvision = pytest.importorskip("torchvision")
    images = torch.randn(2, 3, 64, 64)
    theirs = torchvision.models.vgg16_bn(weights=None, init_weights=False).features.eval()
    with torch.device("meta"):  # Weights are drawn once.
        ours = BACKBONES["vgg"](3, 16).eval()
    ours.load_state_dict(theirs.state_dict(), assign=True)
    torch.testing.assert_close(ours(images), theirs(images))
    resnet = torchvision.models.resnet18(weights=None).eval()
    with torch.device("meta"):
        ours = BACKBONES["resnet"](3, 18).eval()
    state = {k: v for k, v in resnet.state_dict().items() if not k.startswith("fc.")}
    ours.load_state_dict(state, assign=True)
    maps = ours(images)
    torch.testing.assert_close(resnet.fc(maps.mean((2, 3))), resnet(images))


SETTINGS = [
    {"kind": "smallcnn", "depth": 2, "width": 8, "kernel": 5, "activation": "gelu"},
    {"kind": "smallcnn", "depth": 3, "width": 4},
    {"kind": "vgg", "depth": 11, "multiplier": 0.125},
    {"kind": "vgg", "depth": 13, "multiplier": 0.125, "batch_norm": False},
    {"kind": "resnet", "depth": 8, "multiplier": 0.25},
    {"kind": "resnet", "depth": 14, "multiplier": 0.25, "activation": "silu"},
    {"kind": "resnet", "depth": 18, "multiplier": 0.125},
]


@pytest.mark.parametrize("backbone", SETTINGS, ids=lambda b: f"{b['kind']}{b['depth']}")
@pytest.mark.parametrize("side", [32, 45])
def test_map_size_is_known_without_building(backbone, side):
    settings = {key: value for key, value in backbone.items() if key != "kind"}
    built = BACKBONES[backbone["kind"]](2, **settings).eval()
    maps = built(torch.zeros(1, 2, side, side + 20))
    assert tuple(maps.shape[1:]) == (
        built.width,
        *map_size(backbone, [side, side + 20]),
    )
    blocks = {built.block_of(name) for name, _ in built.named_parameters()}
    assert blocks == set(range(built.blocks))


def stir(network):
    """Weights and running statistics that are not what they were initialised to."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not name.startswith(("mean", "std")):
            noise = torch.rand_like(value)
            value.copy_(0.5 + noise if "var" in name else value + 0.1 * noise)


@pytest.mark.parametrize("backbone", SETTINGS, ids=lambda b: f"{b['kind']}{b['depth']}")
@pytest.mark.parametrize(
    ("projection", "post", "hidden"),
    [
        ("gap_linear", "bn", []),
        ("conv", "bn_noaffine", []),
        ("conv", "none", [12]),
        ("conv", "bn", [200]),
        ("gap_linear", "l2norm", []),
        ("gap", "none", []),
        ("pool7", "none", [9, 8]),
    ],
)
def test_deployed_network_gives_the_same_scores(backbone, projection, post, hidden):
    torch.manual_seed(0)
    maps = map_size(backbone, [32, 32])
    network = Network(
        2, 5, backbone, maps, projection, 16, post, hidden, 0.3, [32, 32], [0.4, 0.5], [0.2, 0.3]
    )
    stir(network)
    network.double().eval()
    deployed = deploy(network).double()
    images = torch.rand(3, 2, 28, 28, dtype=torch.float64)
    expected = network(images)
    scale = expected.abs().max()
    # Folding is exact; the new weights were rounded to single precision once.
    torch.testing.assert_close(deployed(images) / scale, expected / scale, rtol=0, atol=1e-4)
    assert size(deployed) <= size(network)
    again = type(deployed)(**deployed.config)
    again.load_state_dict(deployed.state_dict())


def test_null_space_and_linear_head_cost_the_same_deployed():
    backbone = SETTINGS[1]
    wide = deploy(Network(1, 10, backbone, [2, 2], "conv", 512, "bn"))
    narrow = deploy(Network(1, 10, backbone, [2, 2], "conv", 32, "none"))
    assert size(wide) == size(narrow)


def test_export_needs_no_toolkit(tmp_path):
    import networkx

    from toolkit.export import Card, export_model

    network = deploy(Network(1, 10, SETTINGS[0], [4, 4], "conv", 32, "bn", mean=[0.5], std=[0.5]))
    graph = networkx.DiGraph()
    graph.add_node("a", label="network")
    export_model(network, torch.rand(2, 1, 8, 8), {"head": "fc"}, graph, Card(), tmp_path / "best")
    text = (tmp_path / "best" / "model.py").read_text()
    assert "torchvision" not in text and "import toolkit" not in text
