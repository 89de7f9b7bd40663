"""The space: its tree, what it refuses, and how its learners learn."""

import random
import warnings

import pytest
import torch
from torch.utils.data import TensorDataset

from toolkit.contracts import TaskInfo, Train
from toolkit.errors import DataError, SpaceError
from toolkit.space import sample, validate
from toolkit.space.graphs import fingerprint
from toolkit.testing import check_search_space
from toolkit.training.costs import multiply_adds, parameters
from toolkit.training.loop import Schedule
from toolkit_nullspace.design import read_design
from toolkit_nullspace.optimizers import AdaMod
from toolkit_nullspace.sampler import BalancedBatches
from toolkit_nullspace.space import NullspaceHeadSpace

DIGITS = TaskInfo("image", (1, 8, 8), 10, 1000)
COLOUR = TaskInfo("image", (3, 32, 32), 3, 60)
STRIPES = TaskInfo("image", (3, 16, 16), 3, 60)


def space(**options):
    return NullspaceHeadSpace(NullspaceHeadSpace.Options.model_validate(options))


def test_contract_is_kept_by_larger_images_in_colour():
    torch.manual_seed(0)
    inputs = torch.rand(20, *COLOUR.shape)
    only = {
        "backbone": ["smallcnn", "resnet"],
        "backbone.smallcnn.width": [8, 16],
        "head.fc_after_null.hidden": "none",
    }
    check_search_space(space(only=only), COLOUR, inputs, samples=4)


@pytest.mark.parametrize("head", ["fc", "nullspace", "fc_after_null", "joint"])
@pytest.mark.parametrize("seed", range(2))
def test_every_head_trains_to_finite_gradients(head, seed):
    chosen = space(only={"head": head, "backbone": "smallcnn"}, published=True)
    rng = random.Random(seed)
    images, labels = torch.rand(60, *STRIPES.shape), torch.arange(60) % 3
    for _ in range(3):
        torch.manual_seed(seed)
        point = sample(chosen.parameters(STRIPES), rng)
        learner = chosen.build(point, STRIPES)
        train = Train(epochs=1, batch_size=20)
        optimizer = learner.optimizer(train)
        learner.model.train()
        generator = torch.Generator().manual_seed(seed)
        own = learner.sampler(TensorDataset(images, labels), train, generator)
        for indices in list(own or torch.arange(60).split(20))[:2]:
            optimizer.zero_grad()
            learner.loss((images[indices], labels[indices])).backward()
            gradients = [p.grad for p in learner.model.parameters() if p.grad is not None]
            assert gradients and all(gradient.isfinite().all() for gradient in gradients)
            optimizer.step()


@pytest.mark.parametrize("head", ["fc", "nullspace", "fc_after_null", "joint"])
def test_every_head_draws_one_seed_an_epoch_from_the_order_of_samples(head):
    """So that trainings are to the digit what they were when they were published."""
    chosen = space(only={"head": head, "backbone": "smallcnn"})
    learner = chosen.build(sample(chosen.parameters(COLOUR), random.Random(0)), COLOUR)
    labels = torch.arange(60) % 3
    order, expected = (torch.Generator().manual_seed(5) for _ in range(2))
    seed = int(torch.randint(2**31, (), generator=expected))
    own = learner.sampler(TensorDataset(torch.rand(60, 3, 32, 32), labels), Train(), order)
    assert (own is None) == (head == "fc")
    if own is not None:
        null = learner.design.null
        same = BalancedBatches(labels, null.classes_per_batch, own.samples, seed)
        assert all(torch.equal(a, b) for a, b in zip(own, same, strict=True))
    assert torch.equal(order.get_state(), expected.get_state())


def fit(learner, images, labels, epochs):
    train = Train(epochs=epochs, batch_size=20)
    optimizer = learner.optimizer(train)
    schedule = Schedule(optimizer, train.schedule, epochs, learner.schedule)
    data, order = TensorDataset(images, labels), torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        learner.model.train()
        for indices in learner.sampler(data, train, order) or torch.arange(60).split(20):
            schedule.set(epoch)
            optimizer.zero_grad()
            learner.loss((images[indices], labels[indices])).backward()
            optimizer.step()


def stripes():
    """Three kinds of stripes in noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    images = 0.2 * torch.rand(60, 3, 16, 16, generator=generator)
    for index, label in enumerate(labels.tolist()):
        images[index, :, :: label + 2] += 0.7
    return images, labels


@pytest.mark.parametrize("name", ["null_space", "linear", "average"])
def test_baselines_learn_and_predict_as_deployed_before_and_after_being_saved(name):
    torch.manual_seed(0)
    images, labels = stripes()
    chosen = space()
    architecture = chosen.baselines(STRIPES)[name]
    learner = chosen.build(architecture, STRIPES)
    fit(learner, images, labels, 30)
    learner.model.eval()
    with torch.no_grad():
        during = learner.predict(images).argmax(1)
        learner.finalize(TensorDataset(images, labels))
        scores = learner.predict(images)
    assert (during == labels).double().mean() > 0.9
    assert torch.equal(scores.argmax(1), labels)
    again = chosen.build(architecture, STRIPES)
    again.model.load_state_dict(learner.model.state_dict())
    again.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(again.predict(images), scores)
        torch.testing.assert_close(again.deployed()(images), scores)


def test_fully_connected_head_after_the_null_space_is_trained_on_its_features():
    torch.manual_seed(0)
    images, labels = stripes()
    chosen = space()
    architecture = chosen.baselines(STRIPES)["null_space"]
    settings = architecture["head"].pop("nullspace")
    hidden = {"one": {"width": 128, "dropout": 0.1}}
    architecture["head"]["fc_after_null"] = {**settings, "hidden": hidden, "epochs": 20, "lr": 1e-2}
    learner = chosen.build(architecture, STRIPES)
    fit(learner, images, labels, 30)
    before = learner.network.head[0].weight.clone()
    learner.finalize(TensorDataset(images, labels))
    assert not torch.equal(learner.network.head[0].weight, before)
    with torch.no_grad():
        assert torch.equal(learner.predict(images).argmax(1), labels)


def test_only_restricts_the_tree():
    chosen = space(
        only={
            "head": ["fc", "nullspace"],
            "backbone": "smallcnn",
            "augmentation": 0.5,
            "backbone.smallcnn.width": [10, 12],
            "optimiser.adam.lr": 0.001,
        }
    )
    rng = random.Random(0)
    tree = chosen.parameters(DIGITS)
    for _ in range(50):
        point = sample(tree, rng)
        validate(space().parameters(DIGITS), point)
        assert set(point["head"]) <= {"fc", "nullspace"}
        assert 10 <= point["backbone"]["smallcnn"]["width"] <= 12
        assert point["augmentation"] == 0.5


@pytest.mark.parametrize(
    ("options", "task", "message"),
    [
        ({"only": {"heed": "fc"}}, DIGITS, "no decision 'heed'. Is it head"),
        ({"only": {"head": "fcc"}}, DIGITS, "head cannot be 'fcc'"),
        ({"only": {"augmentation": 2}}, DIGITS, "augmentation cannot be 2"),
        ({"only": {"backbone": "vgg"}}, DIGITS, "8 pixels are too small for the backbone vgg"),
        ({}, TaskInfo("image", (1, 8, 8), 1, 100), "one class only"),
        ({}, TaskInfo("image", (1, 8, 8), 10, 15), "15 training images for 10 classes"),
        ({}, TaskInfo("image", (3, 1, 1), 2, 100), "too small for any backbone"),
        ({"image_sizes": [32], "only": {"backbone": "vgg16_imagenet"}}, DIGITS, "colour images"),
        ({"pretrained": "require"}, COLOUR, "vgg16_bn are not on this machine"),
        ({"weights": {"resnet18": "none.pth"}}, COLOUR, "there is no file"),
    ],
)
def test_impossible_wishes_are_named(options, task, message, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SpaceError, match=message) as caught:
        space(**options).parameters(task)
    assert "\n" not in str(caught.value)


def test_published_weights_are_used_where_they_are_and_missed_with_a_word(tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "resnet18_imagenet" not in space().parameters(COLOUR).members["backbone"].options
    only = {"backbone": "resnet18_imagenet", "head": "fc"}
    with pytest.warns(UserWarning, match=r"resnet18-<hash>\.pth"):
        point = sample(space(only=only).parameters(COLOUR), random.Random(0))
    with pytest.warns(UserWarning, match=r"resnet18-<hash>\.pth .* Training from scratch"):
        space(only=only).build(point, COLOUR)
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, checkpoints / "resnet18-0123abcd.pth")
    assert "resnet18_imagenet" in space().parameters(COLOUR).members["backbone"].options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner = space(only=only).build(point, COLOUR)
    assert torch.equal(learner.network.backbone.conv1.weight, state["conv1.weight"])
    frozen = point["backbone"]["resnet18_imagenet"]["freeze"]
    assert learner.network.backbone.conv1.weight.requires_grad == (frozen == 0)
    (checkpoints / "resnet18-0123abcd.pth").write_bytes(b"half a file")
    with pytest.raises(DataError, match="does not hold torchvision's weights of resnet18"):
        space(only=only).build(point, COLOUR)


def test_every_setting_counts_in_the_fingerprint():
    chosen = space()
    tree = chosen.parameters(DIGITS)
    rng = random.Random(1)
    points = [sample(tree, rng) for _ in range(40)]
    prints = {fingerprint(chosen.graph(point, DIGITS)) for point in points}
    assert len(prints) == len({str(point) for point in points})


def test_schedules_follow_their_definitions():
    architecture = space().baselines(DIGITS)["linear"]

    def factor(schedule, progress, epochs=100):
        design = read_design({**architecture, "schedule": schedule}, DIGITS)
        return design.lr_factor(progress, epochs)

    assert factor({"geometric": {"warmup": 0.0, "gamma": 0.99}}, 0.5) == pytest.approx(0.99**50)
    assert factor({"cosine": {"warmup": 0.0}}, 0.5) == pytest.approx(0.5)
    assert factor({"cosine": {"warmup": 0.2}}, 0.1) < 0.5
    assert factor("onecycle", 0.3) == pytest.approx(1.0)
    assert factor("onecycle", 0.0) == pytest.approx(0.04)
    # An epoch's factor holds from its first step, whatever the rounding of its share.
    geometric = {"geometric": {"warmup": 0.0, "gamma": 0.99}}
    assert factor(geometric, 29 / 100) == pytest.approx(0.99**29)
    two_stage = {"two_stage": {"gamma": 0.99}}
    assert factor(two_stage, 0.4) == 1.0
    assert factor(two_stage, 1.0, 220) == pytest.approx(0.1 * 0.99**120)


def test_rivals_are_the_same_network_under_every_head():
    chosen = space(published=True)
    full = chosen.parameters(COLOUR)
    rng = random.Random(0)
    for _ in range(40):
        point = sample(full, rng)
        found = chosen.rivals(point, COLOUR)
        assert sum(rival == point for rival in found.values()) == 1
        hidden = next(iter(point["head"].values())).get("hidden", "none") != "none"
        assert len(found) == (7 if hidden else 4)
        for rival in found.values():
            assert {**rival, "head": point["head"]} == point
            validate(full, rival)


@pytest.mark.parametrize("projection", ["gap_linear", "conv"])
@pytest.mark.parametrize("post", ["none", "bn", "bn_noaffine", "l2norm"])
def test_rivals_without_hidden_layers_cost_the_same_once_deployed(projection, post):
    chosen = space()
    architecture = chosen.baselines(STRIPES)["linear"]
    architecture["projection"] = {projection: {"dim": 40}}
    architecture["head"]["fc"]["post"] = post
    image = torch.zeros(1, 3, 16, 16)
    costs = set()
    for rival in chosen.rivals(architecture, STRIPES).values():
        deployed = chosen.build(rival, STRIPES).deployed()
        costs.add((parameters(deployed), multiply_adds(deployed, image)))
    assert len(costs) == 1


def test_rates_and_ridge_follow_the_design():
    chosen = space()
    architecture = chosen.baselines(DIGITS)["null_space"]
    architecture["head"]["nullspace"]["rho_end"] = 0.01
    learner = chosen.build(architecture, DIGITS)
    train = Train(epochs=4, batch_size=20, schedule="constant")
    optimizer = learner.optimizer(train)
    schedule = Schedule(optimizer, train.schedule, 4, learner.schedule)
    images, labels = torch.rand(20, 1, 8, 8), torch.arange(20) % 10
    rates, losses = [], []
    for step in range(41):
        schedule.set(step / 10)
        rates.append(optimizer.param_groups[0]["lr"])
        with torch.no_grad():
            losses.append(float(learner.loss((images, labels))))
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] < 2e-5
    # The same weights, and a hundredth of the ridge.
    assert losses[-1] > losses[0] + 0.1


def test_batches_are_balanced_and_cover_everything():
    labels = torch.cat([torch.zeros(50), torch.ones(30), torch.full((4,), 2)]).long()
    batches = list(BalancedBatches(labels, 2, 4, seed=0))
    assert len(batches) == len(BalancedBatches(labels, 2, 4, seed=0)) == 84 // 8
    for batch in batches:
        assert sorted(labels[batch].bincount().tolist())[-2:] == [4, 4]
    assert len(torch.cat(batches)[labels[torch.cat(batches)] == 1].unique()) > 20
    same = list(BalancedBatches(labels, 2, 4, seed=0))
    assert all(torch.equal(a, b) for a, b in zip(batches, same, strict=True))
    every = list(BalancedBatches(labels, 9, 2, seed=1))
    assert labels[every[0]].bincount().tolist() == [2, 2, 2]


def test_adamod_bounds_the_step_by_its_mean():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = AdaMod([weight], lr=0.1, beta3=0.9)
    weight.grad = torch.ones(1)
    optimizer.step()
    # eta = 0.1, its mean from zero 0.1 * eta, and the first moment corrected is the gradient.
    assert weight.item() == pytest.approx(-0.01, rel=1e-4)
    for _ in range(300):
        weight.grad = 2 * (weight.detach() - 3)
        optimizer.step()
    assert weight.item() == pytest.approx(3, abs=0.2)
