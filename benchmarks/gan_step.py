"""CPU time of a step of `gan_transfer` beside a plain torch loop of the same two networks.

A step is one of the discriminator and one of the generator on 32 images of 28 x 28 pixels. The
plain loop has the same losses, optimisers and random draws, and neither warm-up, running mean of
the weights, penalty nor check for divergence.

    python benchmarks/gan_step.py [--repeats N] [--json]

The ratio is the plain loop's time over ours; 0.91 or more is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import torch
from timing import Row, compare, report
from torch.nn.functional import relu

from toolkit.contracts import TaskInfo
from toolkit_gan.carried import Carried
from toolkit_gan.duel import BETA1, Duel, Play
from toolkit_gan.networks import Networks

BATCH, SHOTS, CLASSES = 32, 75, 3
INFO = TaskInfo(
    "image", (1, 28, 28), CLASSES, SHOTS, outputs="images", source_classes=tuple("abcdefg")
)
NETWORKS = Networks(32, (48, 32, 16), (16, 32, 64))


def plain_step(images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A step as one writes it by hand."""
    model: Carried = NETWORKS.fresh(CLASSES, INFO).train()
    opponent = NETWORKS.discriminator(CLASSES, INFO).train()
    g = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(BETA1, 0.9), foreach=True)
    d = torch.optim.Adam(opponent.parameters(), lr=1e-3, betas=(BETA1, 0.9), foreach=True)

    def step() -> None:
        chosen = torch.randint(SHOTS, (BATCH,))
        own = labels[chosen]
        with torch.no_grad():
            fake = model(torch.randn(BATCH, 32), own)
        scores = opponent(torch.cat([images[chosen], fake]), torch.cat([own, own]))
        d.zero_grad(set_to_none=True)
        (relu(1 - scores[:BATCH]).mean() + relu(1 + scores[BATCH:]).mean()).backward()
        d.step()
        own = torch.randint(CLASSES, (BATCH,))
        opponent.requires_grad_(False)
        g.zero_grad(set_to_none=True)
        (-opponent(model(torch.randn(BATCH, 32), own), own).mean()).backward()
        g.step()
        opponent.requires_grad_(True)

    return step


def rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """Both steps in turns; the ratio is to be 1 / 1.1 or more."""
    images, labels = torch.rand(SHOTS, 1, 28, 28), torch.arange(SHOTS) % CLASSES
    model, opponent = NETWORKS.fresh(CLASSES, INFO), NETWORKS.discriminator(CLASSES, INFO)
    duel = Duel(model, opponent, images, labels, Play(1e-3, 1e-3, BATCH, 32), 0)
    name = f"a step on {BATCH} images of 28 x 28"
    plain = plain_step(images, labels)
    yield compare(name, duel.advance, plain, "plain torch loop", arguments.repeats)


if __name__ == "__main__":
    report(__doc__, rows)
