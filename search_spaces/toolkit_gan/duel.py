"""Generator against discriminator: the steps of a training, and all of its state.

Whatever is random comes from one generator on the CPU, which the state holds: a resumed training
equals an undisturbed one bit for bit on the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from toolkit.training.loop import stop_if_diverged
from toolkit_gan.augmentation import Augmentation
from toolkit_gan.averaging import follow, renew_statistics
from toolkit_gan.carried import Carried
from toolkit_gan.discriminator import AnyDiscriminator
from toolkit_gan.losses import discriminator_loss, generator_loss

BETA1 = 0.0
"""Of Adam, for both networks."""
WARM_UP = 25
"""Steps over which rates rise to what was asked for."""
STATISTICS = 16
"""Batches over which batch normalisation's statistics are taken before a judgement."""


@dataclass(frozen=True)
class Play:
    """How two networks play.

    Attributes:
        lr_g, lr_d: rates of Adam.
        batch: images of a step.
        noise: numbers of noise.
        d_steps: steps of the discriminator, each on a batch of its own, before one of the other.
        decay: of the running mean of the generator's weights; 0 for none.
        l1, l2: factors of the rows' penalties.
        augmentation: of what the discriminator sees.
        beta2: of Adam, for both networks.
        accumulation: batches whose mean gradient is one step, for both networks.
    """

    lr_g: float
    lr_d: float
    batch: int
    noise: int
    d_steps: int = 1
    decay: float = 0.99
    l1: float = 0.0
    l2: float = 0.0
    augmentation: Augmentation | None = None
    beta2: float = 0.9
    accumulation: int = 1


class Duel:
    """A generator and a discriminator in training.

    Args:
        model: the generator.
        discriminator: its opponent.
        images, labels: what is real, (N, C, H, W) and (N,), every class at least once.
        play: how they play.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        model: Carried,
        discriminator: AnyDiscriminator,
        images: Tensor,
        labels: Tensor,
        play: Play,
        seed: int,
    ) -> None:
        # Convolutions of so few channels are a sixth faster with the channels last.
        last = torch.channels_last
        self.model = model.to(memory_format=last)
        self.discriminator = discriminator.to(memory_format=last)
        self.play = play
        self.images, self.labels = images.contiguous(memory_format=last), labels
        self.members, self.counts = _members(labels)
        self.mean = copy.deepcopy(model).eval()
        self.drawing = torch.Generator().manual_seed(seed)
        self.step = 0
        # A rate for each group, so that a later stage may give the trunk another than the rows.
        self.g = torch.optim.Adam(
            [
                {"params": list(model.rows.parameters()), "lr": play.lr_g},
                {"params": list(model.trunk.parameters()), "lr": play.lr_g},
            ],
            betas=(BETA1, play.beta2),
            foreach=True,
        )
        self.d = torch.optim.Adam(
            discriminator.parameters(), lr=play.lr_d, betas=(BETA1, play.beta2), foreach=True
        )
        self.lr_g = play.lr_g
        self._learning = [p for p in discriminator.parameters() if p.requires_grad]

    def advance(self) -> tuple[Tensor, Tensor]:
        """Takes the discriminator's steps and one of the generator; returns both losses.

        Raises:
            DivergedError: a loss is not finite.
        """
        rise = min((self.step + 1) / WARM_UP, 1.0)
        _set_rate(self.g, self.lr_g * rise)
        _set_rate(self.d, self.play.lr_d * rise)
        self.model.train()
        self.discriminator.train()
        for _ in range(self.play.d_steps):
            d_loss = self._discriminator_step()
        g_loss = self._generator_step()
        self.step += 1
        follow(self.mean, self.model, self.play.decay, self.step)
        stop_if_diverged(d_loss + g_loss, None)
        return d_loss.detach(), g_loss.detach()

    def _discriminator_step(self) -> Tensor:
        self.d.zero_grad(set_to_none=True)
        loss = self._accumulated(self._discriminator_loss)
        self.d.step()
        return loss

    def _generator_step(self) -> Tensor:
        for parameter in self._learning:
            parameter.requires_grad_(False)
        self.g.zero_grad(set_to_none=True)
        loss = self._accumulated(self._generator_loss)
        self.g.step()
        for parameter in self._learning:
            parameter.requires_grad_(True)
        return loss

    def _accumulated(self, loss_of: Callable[[], Tensor]) -> Tensor:
        """The mean loss over the batches of a step, its gradient added up."""
        losses = []
        for _ in range(self.play.accumulation):
            loss = loss_of() / self.play.accumulation
            loss.backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _discriminator_loss(self) -> Tensor:
        labels = self._draw_labels()
        real = self.images[self._draw_images(labels)]
        with torch.no_grad():
            fake = self.model(self._draw_noise(), labels)
        both = self._augmented(torch.cat([real, fake]))
        scores = self.discriminator(both, torch.cat([labels, labels]))
        return discriminator_loss(scores[: len(labels)], scores[len(labels) :])

    def _generator_loss(self) -> Tensor:
        labels = self._draw_labels()
        fake = self._augmented(self.model(self._draw_noise(), labels))
        loss = generator_loss(self.discriminator(fake, labels))
        return loss + self.model.rows.penalty(self.play.l1, self.play.l2)

    def averaged(self) -> Carried:
        """The running mean of the generator, its statistics taken anew; nothing drawn for it."""
        generator = torch.Generator().manual_seed(0)
        model = self.mean if self.play.decay else copy.deepcopy(self.model)
        _copy_singular_vectors(self.model, model)
        device, classes = self.images.device, len(self.members)
        batches = []
        for _ in range(STATISTICS):
            labels = torch.randint(classes, (max(self.play.batch, 32),), generator=generator)
            noise = torch.randn(len(labels), self.play.noise, generator=generator)
            batches.append((noise.to(device), labels.to(device)))
        renew_statistics(model, batches)  # type: ignore[arg-type]
        return model

    def state(self) -> dict[str, Any]:
        """All that a training needs to go on."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "g": self.g.state_dict(),
            "d": self.d.state_dict(),
            "drawing": self.drawing.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state."""
        self.step = int(state["step"])
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.g.load_state_dict(state["g"])
        self.d.load_state_dict(state["d"])
        self.drawing.set_state(state["drawing"])

    def _draw_labels(self) -> Tensor:
        """A batch of classes, all equally often in the mean."""
        drawn = torch.randint(len(self.members), (self.play.batch,), generator=self.drawing)
        return drawn.to(self.images.device)

    def _draw_images(self, labels: Tensor) -> Tensor:
        """Positions of images of these classes, drawn with replacement."""
        own = labels.cpu()
        shares, counts = torch.rand(len(own), generator=self.drawing), self.counts[own]
        chosen = torch.minimum((shares * counts).long(), counts - 1)
        return self.members[own, chosen].to(labels.device)

    def _draw_noise(self) -> Tensor:
        drawn = torch.randn(self.play.batch, self.play.noise, generator=self.drawing)
        return drawn.to(self.images.device)

    def _augmented(self, images: Tensor) -> Tensor:
        if self.play.augmentation is None:
            return images
        return self.play.augmentation(images, self.drawing)


def _members(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of each class's images (classes, most), filled up with 0, and their numbers."""
    known = labels.cpu()
    counts = known.bincount()
    positions = torch.zeros(len(counts), int(counts.max()), dtype=torch.int64)
    for label, count in enumerate(counts.tolist()):
        positions[label, :count] = (known == label).nonzero().flatten()
    return positions, counts


@torch.no_grad()
def _copy_singular_vectors(model: torch.nn.Module, to: torch.nn.Module) -> None:
    """Gives a running mean of weights the singular vectors that the weights themselves have."""
    for (name, ours), theirs in zip(model.named_buffers(), to.buffers(), strict=True):
        if ".parametrizations." in name:
            theirs.copy_(ours)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
