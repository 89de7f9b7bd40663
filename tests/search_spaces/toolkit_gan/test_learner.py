"""Transfers: what learns and what stays, resumed as undisturbed, judged as exported."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from toolkit.errors import DataError
from toolkit_gan.duel import Duel
from toolkit_gan.learner import TransferLearner
from toolkit_gan.pretraining import GENERATOR, load_weights
from toolkit_gan.sampling import Sampler
from toolkit_gan.space import GanTransferSpace
from toolkit_gan.tree import hand_made, rivals


def build(space: Any, name: str, **changes: Any) -> TransferLearner:
    from toolkit.contracts import TaskInfo

    info = TaskInfo(
        "image", (1, 8, 8), 2, 6, ("x", "y"), outputs="images", source_classes=("a", "b")
    )
    torch.manual_seed(0)
    made = space.build({**rivals(hand_made()[1])[name], **changes}, info)
    assert isinstance(made, TransferLearner)
    return made


@pytest.mark.parametrize("name", ["bn", "free_rows"])
def test_the_stage_bn_leaves_every_other_number_of_the_generator(
    space: GanTransferSpace, make_trial: Callable[..., Any], prepared: Path, name: str
) -> None:
    learner, trial = build(space, name), make_trial()
    learner.fit(trial)
    before = load_file(prepared / GENERATOR)
    for key, tensor in learner.model.generator.trunk.named_parameters():
        assert torch.equal(tensor, before[f"trunk.{key}"]), key
    source = learner._source(trial)
    untouched = trial.task.judge(Sampler(source.generator), trial.splits.source_val, trial.device)
    measured = learner.measures(trial, trial.splits.val)
    assert measured["source_fid"] == untouched["class_fid"]
    assert measured["new_numbers"] == 2 * 2 * (6 + 5 + 5 + 4) + 2 * (6 + 5 + 5 + 4)


@pytest.mark.parametrize("name", ["bn", "bn_ft", "ft", "scratch"])
def test_a_resumed_training_equals_an_undisturbed_one(
    space: GanTransferSpace, make_trial: Callable[..., Any], name: str
) -> None:
    changed = {"augmentation": {"diffaug": {"translation": 0.2, "cutout": True}}, "d_steps": 2}
    whole, trial = build(space, name, **changed), make_trial()
    values = whole.fit(trial)
    for state in (trial.states[0], trial.states[2]):
        resumed, again = build(space, name, **changed), make_trial()
        again.start = state
        assert resumed.fit(again) == values
        assert again.states[-1]["step"] == trial.states[-1]["step"]
        for key, tensor in whole.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[key]), key
        _same(again.states[-1], trial.states[-1])


def _same(ours: Any, theirs: Any) -> None:
    """Both networks, the running mean, both optimisers, the generator, the spectral vectors."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            _same(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        for one, other in zip(ours, theirs, strict=True):
            _same(one, other)
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs)
    else:
        assert ours == theirs


def test_an_interrupted_pretraining_goes_on_bit_for_bit(
    space: GanTransferSpace, make_trial: Callable[..., Any], prepared: Path, tmp_path: Path
) -> None:
    first = make_trial(seed=1)
    space.prepare(first, tmp_path)
    again = make_trial(seed=1)
    again.start = first.states[0]
    (tmp_path / "again").mkdir()
    space.prepare(again, tmp_path / "again")
    for name in ("generator.safetensors", "discriminator.safetensors"):
        ours, theirs = load_file(tmp_path / "again" / name), load_file(prepared / name)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_four_steps_of_the_discriminator_are_four_on_batches_of_their_own(
    space: GanTransferSpace, make_trial: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[torch.Tensor] = []
    draw = Duel._draw_images

    def noted(self: Duel, labels: torch.Tensor) -> torch.Tensor:
        batches.append(draw(self, labels))
        return batches[-1]

    monkeypatch.setattr(Duel, "_draw_images", noted)
    learner = build(space, "ft", d_steps=4)
    duel = learner._duel(make_trial(batch_size=16))
    steps = []
    duel.d.register_step_post_hook(lambda *_: steps.append(1))
    duel.advance()
    assert (len(steps), len(batches)) == (4, 4)
    assert all(len(batch) == 16 for batch in batches), "a batch may hold more than all shots"
    assert len({tuple(batch.tolist()) for batch in batches}) == 4


def test_a_loss_that_is_not_finite_ends_a_trial_as_invalid(
    space: GanTransferSpace, make_trial: Callable[..., Any]
) -> None:
    trial = make_trial()
    trial.splits.train.tensors[0].fill_(math.nan)
    values = build(space, "scratch").fit(trial)
    assert math.isnan(values["class_fid"])
    assert "loss became nan" in trial.reports[-1][2]["reason"]


def test_frozen_layers_of_the_discriminator_stay(
    space: GanTransferSpace, make_trial: Callable[..., Any]
) -> None:
    point = {"stage": {"ft": {"lr_g": 1e-3, "start": "mean", "freeze_d": 2}}}
    learner = build(space, "ft", **point)
    duel = learner._duel(make_trial())
    name = "convs.{}.parametrizations.weight.original"
    state = {key: value.clone() for key, value in duel.discriminator.state_dict().items()}
    for _ in range(3):
        duel.advance()
    after = duel.discriminator.state_dict()
    assert [torch.equal(state[name.format(k)], after[name.format(k)]) for k in range(3)] == [
        True,
        True,
        False,
    ]


def test_weights_of_another_shape_are_refused_by_name(prepared: Path) -> None:
    from toolkit_gan.generator import Generator

    other = Generator(2, 5, (1, 8, 8), (6, 5, 4))
    with pytest.raises(DataError, match=r"holds \(24, 4\) under 'trunk.start.weight', and \(24, 5"):
        load_weights(other, prepared / GENERATOR)


def test_source_networks_trained_elsewhere_are_taken_over(
    prepared: Path, make_trial: Callable[..., Any], tmp_path: Path, space: GanTransferSpace
) -> None:
    given = space.options.model_copy(update={"weights": prepared})
    GanTransferSpace(given).prepare(make_trial(), tmp_path)
    ours, theirs = load_file(tmp_path / GENERATOR), load_file(prepared / GENERATOR)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
