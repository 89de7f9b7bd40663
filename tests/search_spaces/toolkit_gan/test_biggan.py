"""BigGAN's networks at tiny shapes: exact mixtures, a frozen trunk, resumed as undisturbed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from toolkit.contracts import TaskInfo
from toolkit.errors import SpaceError
from toolkit_gan.biggan import BigGenerator, attention_sides, discriminator_widths, generator_widths
from toolkit_gan.carried import Carried
from toolkit_gan.networks import BigNetworks
from toolkit_gan.pretraining import GENERATOR
from toolkit_gan.rows import MixedRows
from toolkit_gan.sampling import sample
from toolkit_gan.space import GanTransferSpace
from toolkit_gan.tree import hand_made, rivals

INFO = TaskInfo("image", (1, 8, 8), 2, 6, ("x", "y"), outputs="images", source_classes=("a", "b"))
BIG: dict[str, Any] = {
    "networks": "biggan",
    "noise": 4,
    "channels": 1,
    "embedding": 3,
    "pretraining_steps": 3,
    "pretraining_batch": 8,
    "adam_beta2": 0.999,
    "accumulation": 2,
}
DIFFERENT: dict[str, Any] = {"augmentation": {"diffaug": {"translation": 0.2, "cutout": True}}}


def space_of(**more: Any) -> GanTransferSpace:
    return GanTransferSpace(GanTransferSpace.Options.model_validate(BIG | more))


@pytest.fixture
def source(make_trial: Callable[..., Any], tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    space_of().prepare(make_trial(seed=1), folder)
    return folder


def build(name: str, space: GanTransferSpace | None = None, **changes: Any) -> Any:
    torch.manual_seed(0)
    return (space or space_of()).build({**rivals(hand_made()[1])[name], **changes}, INFO)


def test_widths_are_those_published() -> None:
    assert generator_widths(32, 64) == [256, 256, 256, 256]
    assert [w // 96 for w in generator_widths(128, 96)] == [16, 16, 8, 4, 2, 1]
    assert [w // 96 for w in discriminator_widths(128, 96)] == [1, 2, 4, 8, 16, 16]
    assert discriminator_widths(32, 64) == [256] * 4
    assert attention_sides(128) == [64, 32, 16, 8] and attention_sides(32) == [16, 8]


def test_a_mixture_of_one_class_gives_that_class_back_with_its_noise_terms() -> None:
    torch.manual_seed(0)
    source = BigGenerator(3, 6, (1, 16, 16), 1, 8)
    for table in (*source.gains, *source.shifts):
        torch.nn.init.normal_(table, std=0.5)
    torch.nn.init.ones_(source.trunk.attention["0"].share)
    source.train()
    with torch.no_grad():
        source(torch.cat([torch.randn(33, 6), torch.eye(3).repeat(11, 1)], 1))
    source.eval()
    rows = MixedRows(source.tables(), [2, 0], 2, residual=False)
    folded = BigGenerator(2, 6, (1, 16, 16), 1, 8).eval()
    Carried(source.trunk, rows).eval().fold_into(folded)
    noise = torch.randn(5, 6)
    for new, old in ((0, 2), (1, 0)):
        ours = folded(torch.cat([noise, torch.eye(2)[new].expand(5, 2)], 1))
        theirs = source(torch.cat([noise, torch.eye(3)[old].expand(5, 3)], 1))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_weights_that_were_folded_act_as_they_did() -> None:
    networks = BigNetworks(4, 1, 3, 0)
    torch.manual_seed(0)
    model, folded = networks.fresh(2, INFO), networks.generator(2, INFO)
    for _ in range(3):
        model(torch.randn(8, 4), torch.arange(8) % 2)
    model.eval()
    model.fold_into(folded)
    noise, labels = torch.randn(6, 4), torch.arange(6) % 2
    given = torch.cat([noise, torch.eye(2)[labels]], 1)
    torch.testing.assert_close(folded.eval()(given), model(noise, labels), rtol=0, atol=1e-6)


def test_rows_alone_learn_in_the_stage_bn(make_trial: Callable[..., Any], source: Path) -> None:
    learner, trial = build("bn"), make_trial()
    trial.prepared = source
    learner.fit(trial)
    before = load_file(source / GENERATOR)
    for key, tensor in learner.model.generator.trunk.named_parameters():
        assert torch.equal(tensor, before[f"trunk.{key}"]), key
    assert any(not torch.equal(g, before["gains.0"]) for g in learner.model.generator.gains)


@pytest.mark.parametrize("name", ["bn_ft", "ft", "scratch"])
def test_a_resumed_training_equals_an_undisturbed_one(
    make_trial: Callable[..., Any], source: Path, name: str
) -> None:
    whole, trial = build(name, **DIFFERENT), make_trial()
    trial.prepared = source
    values = whole.fit(trial)
    resumed, again = build(name, **DIFFERENT), make_trial()
    again.prepared, again.start = source, trial.states[2]
    assert resumed.fit(again) == values
    for key, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[key]), key


def test_fine_tuning_goes_on_from_the_networks_of_an_earlier_stage(
    make_trial: Callable[..., Any], source: Path, tmp_path: Path
) -> None:
    earlier, trial = build("bn"), make_trial()
    trial.prepared = source
    earlier.fit(trial)
    path = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous().clone() for k, v in earlier.model.state_dict().items()}, path)
    space = space_of(begin_with=path)
    learner = build("ft", space)
    duel = learner._duel(trial)
    for key, tensor in earlier.model.opponent.state_dict().items():
        assert torch.equal(tensor, duel.discriminator.state_dict()[key]), key
    begun = learner.networks.generator(2, INFO)
    duel.model.eval().fold_into(begun)
    labels = torch.arange(8) % 2
    ours, theirs = (
        sample(each.eval(), labels, torch.Generator().manual_seed(0))
        for each in (begun, earlier.model.generator)
    )
    # Singular values of weights that were divided by theirs are 1 but for the power iteration.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)
    assert list(space.rivals(hand_made()[0], INFO)) == []
    with pytest.raises(SpaceError, match="The stage bn does not go on from an earlier stage"):
        build("bn", space)


@pytest.mark.parametrize(
    ("options", "shape", "says"),
    [
        ({"noise": 5}, (1, 8, 8), r"space.noise is 5, .* equal piece each"),
        ({"attention": 7}, (1, 32, 32), r"space.attention is 7, .* 16, 8\."),
        ({"noise": 14}, (3, 256, 256), "laid down up to 128"),
    ],
)
def test_shapes_that_biggan_cannot_have_are_refused(
    options: dict[str, Any], shape: tuple[int, int, int], says: str
) -> None:
    with pytest.raises(SpaceError, match=says):
        space_of(**options).parameters(replace(INFO, shape=shape))
