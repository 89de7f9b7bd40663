"""What the space measures of a carried generator beside the task's distances."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from toolkit_gan.averaging import renew_statistics
from toolkit_gan.design import Design
from toolkit_gan.generator import AnyGenerator
from toolkit_gan.pretraining import Source

STATISTICS = 16
_BATCH = 64


def new_numbers(generator: AnyGenerator, design: Design) -> int:
    """Numbers to store beside the source generator: rows and statistics, or all of it."""
    widths = [len(gain[0]) for gain in generator.gains]
    classes = generator.config["classes"]
    learning = design.learning(len(widths)) if design.keeps_trunk else range(len(widths))
    rows = 2 * classes * sum(widths[layer] for layer in learning)
    norms = [each for each in generator.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    statistics = 2 * sum(norm.num_features for norm in norms)
    trunk = sum(parameter.numel() for parameter in generator.trunk.parameters())
    return rows + statistics + (0 if design.keeps_trunk else trunk)


@torch.no_grad()
def copied(samples: Tensor, real: Tensor, shots: Tensor) -> float:
    """How near samples are to the shots: 0 for copies, 1 for new images, in pixels.

    The median distance of samples to the nearest shot, over that of real images; at most 1.
    """
    ours = torch.cdist(samples.flatten(1), shots.flatten(1)).amin(1).median()
    theirs = torch.cdist(real.flatten(1), shots.flatten(1)).amin(1).median()
    return min(float(ours / theirs.clamp_min(1e-12)), 1.0)


@torch.no_grad()
def source_after(carried: AnyGenerator, source: Source, design: Design) -> AnyGenerator:
    """The source classes' generator after the transfer: the carried trunk with the source rows.

    Statistics of the source classes are kept apart where the trunk was kept, and else taken anew.
    """
    made = copy.deepcopy(source.generator)
    own = dict(made.trunk.named_parameters())
    for name, parameter in carried.trunk.named_parameters():
        own[name].copy_(parameter)
    if design.keeps_trunk:
        return made
    drawing, classes = torch.Generator().manual_seed(0), made.config["classes"]
    device = made.gains[0].device
    batches = []
    for _ in range(STATISTICS):
        noise = torch.randn(_BATCH, made.config["noise"], generator=drawing)
        labels = torch.randint(classes, (_BATCH,), generator=drawing)
        weights = torch.nn.functional.one_hot(labels, classes).float()
        batches.append((torch.cat([noise, weights], 1).to(device),))
    renew_statistics(made, batches)  # type: ignore[arg-type]
    return made
