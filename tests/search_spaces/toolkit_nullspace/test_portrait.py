"""What is measured and drawn of a trained network, whichever head it has."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import TensorDataset

from toolkit.contracts import Splits, TaskInfo, Train
from toolkit.training.loop import Schedule
from toolkit_nullspace.classifier import fit_classifier
from toolkit_nullspace.space import NullspaceHeadSpace

STRIPES = TaskInfo("image", (1, 12, 12), 3, 90)
NULL = {
    "objective": {"log": {"post": "bn"}},
    "rho": 1.0,
    "rho_end": 1.0,
    "classes_per_batch": 3,
    "samples_per_class": 10,
}
CLOSED = {"ridge": 1e-3, "whiten": True}
HEADS = {
    "nullspace": {**NULL, **CLOSED},
    "fc": {"post": "bn", "hidden": "none", "label_smoothing": 0.0},
    "fc_after_null": {**NULL, **CLOSED, "hidden": "none", "epochs": 20, "lr": 1e-2},
    "joint": {**NULL, "hidden": "none", "label_smoothing": 0.0, "alpha": 1.0},
}


def stripes(kinds, count, seed):
    """Stripes of several widths in noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(kinds)
    images = 0.3 * torch.rand(count, 1, 12, 12, generator=generator)
    for index, label in enumerate(labels.tolist()):
        images[index, :, :: kinds[label]] += 0.7
    return TensorDataset(images, labels)


def parts(kinds=(2, 3, 4), novel=(6,)):
    test = stripes(kinds, 30, 2)
    return Splits(
        stripes(kinds, 90, 0),
        stripes(kinds, 30, 1),
        lambda: test,
        "",
        stripes(novel, 20, 3),
        lambda: stripes(novel, 24, 4),
    )


def build(head, info=STRIPES):
    space = NullspaceHeadSpace(NullspaceHeadSpace.Options())
    architecture = {**space.baselines(info)["null_space"], "head": {head: HEADS[head]}}
    return space.build(architecture, info)


def fit(learner, data, epochs=12):
    train = Train(epochs=epochs, batch_size=30)
    optimizer = learner.optimizer(train)
    schedule = Schedule(optimizer, train.schedule, epochs, learner.schedule)
    images, labels = data.tensors
    order = torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        learner.model.train()
        schedule.set(epoch)
        own = learner.sampler(data, train, order)
        for indices in torch.randperm(len(labels)).split(30) if own is None else own:
            optimizer.zero_grad()
            learner.loss((images[indices], labels[indices])).backward()
            optimizer.step()
    learner.model.eval()
    learner.finalize(data)


@pytest.mark.parametrize("head", HEADS)
def test_measures_are_those_of_the_saved_network_and_say_what_was_learned(head):
    torch.manual_seed(0)
    learner, splits = build(head), parts()
    trial = SimpleNamespace(splits=splits)
    learner.model.eval()
    before = learner.measures(trial, splits.val)
    learner = build(head)
    fit(learner, splits.train)
    test = splits.load_test()
    found = learner.measures(trial, test)
    assert set(found) == set(NullspaceHeadSpace.measures)
    assert found["collapse_ratio"] < found["collapse_ratio_raw"] < before["collapse_ratio_raw"]
    if head == "nullspace":
        assert found["novelty_auroc"] > 0.9
    else:
        with torch.no_grad():
            known, novel = (
                -learner.deployed()(data.tensors[0]).amax(1)
                for data in (test, splits.load_novel_test())
            )
        ahead = (novel[:, None] > known).double().mean()
        assert found["novelty_auroc"] == pytest.approx(float(ahead), abs=2e-3)
    # Training images lie no further from their points than new ones.
    assert learner.measures(trial, splits.train)["collapse_ratio"] < found["collapse_ratio"] * 1.05
    again = build(head)
    again.model.load_state_dict(learner.model.state_dict())
    again.model.eval()
    assert again.measures(trial, test) == pytest.approx(found, rel=1e-9)


def test_novelty_is_left_out_where_no_class_is():
    torch.manual_seed(0)
    learner, splits = build("fc"), parts()
    known = Splits(splits.train, splits.val, splits.load_test)
    learner.model.eval()
    found = learner.measures(SimpleNamespace(splits=known), known.val)
    assert set(found) == {"collapse_ratio", "collapse_ratio_raw"}


@pytest.mark.parametrize("kinds", [(2, 3, 4), (2, 3)], ids=["plane", "line"])
def test_drawing_shows_every_kind_of_image_and_the_class_points(kinds):
    torch.manual_seed(0)
    info = TaskInfo("image", (1, 12, 12), len(kinds), 90)
    learner, splits = build("nullspace", info), parts(kinds)
    fit(learner, splits.train)
    drawing = learner.drawing(SimpleNamespace(splits=splits), splits.load_test())
    drawn = {series.name: series for series in drawing.series}
    assert [len(series.points) for series in drawing.series] == [90, 30, 24, len(kinds)]
    assert "joint null space" in drawing.title and "100%" in drawing.caption
    points = torch.tensor(drawn["class points"].points)
    images = torch.tensor(drawn["test images"].points)
    assert torch.equal(
        torch.cdist(images, points).argmin(1), torch.tensor(drawn["test images"].classes)
    )
    # Left-out images have a colour of their own.
    assert set(drawn["images of left-out classes"].classes) == {len(kinds)}
    assert drawing.to_json()["series"][0]["points"]


@pytest.mark.parametrize("kinds", [(2, 3, 4), (2, 3)], ids=["three classes", "two"])
def test_deployed_scores_say_how_novel_an_input_is(kinds):
    """Distances in the null space of all features are read off the folded network's scores."""
    torch.manual_seed(0)
    learner, splits = build("nullspace", TaskInfo("image", (1, 12, 12), len(kinds), 90)), parts()
    fit(learner, stripes(kinds, 90, 0))
    deployed = learner.deployed()
    rebuilt = type(deployed)(**deployed.config)
    rebuilt.load_state_dict(deployed.state_dict())
    rebuilt.eval()
    classifier = fit_classifier(learner.statistics, CLOSED["ridge"], whiten=CLOSED["whiten"])
    inputs = torch.cat([splits.val[:][0], splits.novel[:][0]])
    with torch.no_grad():
        expected = classifier.novelty(learner.network.features(inputs))
        found = rebuilt.novelty(rebuilt(inputs))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert found[-20:].median() > 2 * found[:30].median(), "what was never learned lies further off"


@pytest.mark.parametrize("head", ["fc", "fc_after_null", "joint"])
def test_other_heads_say_nothing_of_novelty(head):
    deployed = build(head).deployed()
    assert deployed.novelty(torch.zeros(2, 3)) is None


def test_weights_of_earlier_versions_are_read():
    """They have no class points, so nothing is said of novelty."""
    learner, again = build("nullspace"), build("nullspace")
    names = ("points", "present", "temperature")
    state = {k: v for k, v in learner.model.state_dict().items() if k not in names}
    again.model.load_state_dict(state)
    assert again.deployed().novelty(torch.zeros(2, 3)) is None


def test_values_are_given_by_connected_heads_alone():
    info = TaskInfo("image", (1, 12, 12), 0, 90, outputs="values")
    space = NullspaceHeadSpace(NullspaceHeadSpace.Options())
    assert space.parameters(info).members["head"].options == ("fc",)
    assert set(space.baselines(info)) == {"linear", "average", "perceptron"}
    assert not space.rivals(space.baselines(info)["linear"], info)
    assert set(space.unmeasurable(info)) == set(space.measures)
    learner = space.build(space.baselines(info)["linear"], info)
    images, targets = stripes((2, 3), 12, 0).tensors[0], 100.0 + torch.arange(12.0).double()
    learner.units.fit(targets)
    learner.loss((images, targets)).backward()
    learner.model.eval()
    with torch.no_grad():
        found = learner.predict(images)
        torch.testing.assert_close(learner.deployed()(images), found, rtol=1e-5, atol=1e-4)
    assert found.shape == (12, 1) and 80 < float(found.mean()) < 130, "units, not deviations"
    assert learner.drawing(None, None) is None and learner.measures(None, None) == {}
