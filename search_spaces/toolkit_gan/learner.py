"""How a generator is carried to new classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from toolkit.base.conditions import conditions
from toolkit.contracts import Drawing, Learner, TaskInfo, TrialContext
from toolkit.training.loop import DivergedError, evaluate, report_divergence
from toolkit_gan.carried import Carried
from toolkit_gan.design import Design
from toolkit_gan.discriminator import AnyDiscriminator
from toolkit_gan.duel import Duel, Play
from toolkit_gan.generator import AnyGenerator
from toolkit_gan.measures import copied, new_numbers, source_after
from toolkit_gan.networks import AnyNetworks
from toolkit_gan.portrait import draw
from toolkit_gan.pretraining import Source, load_weights, read_source, tensors
from toolkit_gan.rows import FreeRows, MixedRows, Mixing, Rows
from toolkit_gan.sampling import Sampler, sample
from toolkit_gan.start import nearest_classes, starting_rows

if TYPE_CHECKING:
    from torch.utils.data import Dataset

_REPORTS = 10
"""How often a training saves a checkpoint."""


@dataclass(frozen=True)
class Manner:
    """What all trainings of a recipe have in common.

    Attributes:
        beta2, accumulation: see `toolkit_gan.duel.Play`.
        begin_with: weights of an earlier stage, to go on from in place of the source networks.
    """

    beta2: float = 0.9
    accumulation: int = 1
    begin_with: Path | None = None


class Model(nn.Module):
    """What a training leaves: the generator, and what its rows were mixed of.

    Attributes:
        generator: of the new classes: the running mean, its rows folded.
        opponent: the discriminator as it ended, for a later stage to go on with.
        mixtures: weights of source classes (2, layers, n, K); all 0 for rows of their own.
    """

    mixtures: Tensor

    def __init__(self, generator: AnyGenerator, opponent: AnyDiscriminator, sources: int) -> None:
        super().__init__()
        self.generator, self.opponent = generator, opponent
        classes, layers = generator.config["classes"], len(generator.gains)
        self.register_buffer("mixtures", torch.zeros(2, layers, classes, sources))

    def forward(self, given: Tensor) -> Tensor:
        images: Tensor = self.generator(given)
        return images


class TransferLearner(Learner):
    """A generator that is carried from the source classes, or trained from scratch.

    Args:
        networks: their shapes.
        design: what to do.
        info: the data.
        manner: what all trainings of a recipe have in common.
    """

    model: Model

    def __init__(
        self, networks: AnyNetworks, design: Design, info: TaskInfo, manner: Manner | None = None
    ) -> None:
        generator = networks.generator(info.classes, info)
        opponent = networks.discriminator(info.classes, info)
        super().__init__(Model(generator, opponent, len(info.source_classes)), lr=design.lr_g)
        self.networks, self.design, self.info = networks, design, info
        self.manner = manner or Manner()
        self.weighs_classes = False

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Trains for `trial.train.epochs`; judges the running mean of the weights at the end.

        An epoch has as many steps as batches of the recipe's size hold all shots.
        """
        duel = self._duel(trial)
        if (state := trial.restore()) is not None:
            duel.restore(state)
        each = steps_of_epoch(trial)
        epochs = trial.train.epochs or 1
        whole = max(trial.of_epochs or epochs, epochs) * each
        switch = round(self.design.bn_share * whole)
        saved = max(math.ceil(epochs / _REPORTS), 1)
        try:
            while duel.step < epochs * each:
                if self.design.stage == "bn_ft" and duel.step >= switch:
                    self._set_free(duel)
                d_loss, g_loss = duel.advance()
                epoch, left = divmod(duel.step, each)
                if not left and (epoch % saved == 0 or epoch == epochs):
                    trial.save(duel.state())
                    trial.report(epoch, {"d_loss": float(d_loss), "g_loss": float(g_loss)})
        except DivergedError as error:
            values = dict.fromkeys(trial.task.directions, math.nan)
            report_divergence(trial, duel.model, error, duel.step // each + 1, values)
            return values
        self._take(duel)
        return evaluate(self, trial.splits.val, trial.task, trial.device)

    def smoke(self, trial: TrialContext) -> None:
        """One step of both networks, and a sample."""
        duel = self._duel(trial)
        duel.advance()
        self._take(duel)
        with torch.no_grad():
            self.model.eval()
            self.generate(torch.arange(self.info.classes), torch.Generator().manual_seed(0))

    def generate(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Images of the new classes."""
        return sample(self.model.generator, labels, generator)

    def example(self, inputs: Tensor) -> Tensor:
        """Noise and the weights of every class in turn."""
        labels = torch.arange(len(inputs)) % self.info.classes
        drawing = torch.Generator().manual_seed(0)
        return conditions(labels, self.info.classes, self.networks.noise, drawing)

    def deployed(self) -> nn.Module:
        """The generator of the new classes."""
        return self.model.generator

    def measures(self, trial: TrialContext, held_out: Dataset[Any]) -> dict[str, float]:
        """Copying, numbers to store, and how well the source classes are given afterwards."""
        real, labels = tensors(held_out, trial.device)
        shots, _ = tensors(trial.splits.train, trial.device)
        made = self.generate(labels.cpu(), torch.Generator().manual_seed(0))
        found = {
            "copied": copied(made, real, shots),
            "new_numbers": float(new_numbers(self.model.generator, self.design)),
        }
        if self.design.stage == "scratch" or trial.splits.source_val is None:
            return found  # The source generator is another network, and stays as it is.
        after = source_after(self.model.generator, self._source(trial), self.design)
        judged = evaluate(Sampler(after), trial.splits.source_val, trial.task, trial.device)
        return found | {"source_fid": judged["class_fid"]}

    def drawing(self, trial: TrialContext, held_out: Dataset[Any]) -> list[Drawing]:
        """Samples beside the nearest shots, and the mixture."""
        shots, labels = tensors(trial.splits.train, trial.device)
        mixtures = self.model.mixtures if self._mixes else None
        return draw(self.model.generator, mixtures, shots, labels, self.info)

    @property
    def _mixes(self) -> bool:
        return self.design.mixing in ("linear", "softmax", "sparsemax")

    def _source(self, trial: TrialContext) -> Source:
        assert trial.prepared is not None
        return read_source(trial.prepared, self.networks, self.info, trial.device)

    def _duel(self, trial: TrialContext) -> Duel:
        """Both networks at the start of the training."""
        design, info = self.design, self.info
        shots, labels = tensors(trial.splits.train, trial.device)
        discriminator = self.networks.discriminator(info.classes, info)
        if design.stage == "scratch":
            model = self.networks.fresh(info.classes, info)
        else:
            source = self._source(trial)
            nearest = nearest_classes(source, shots, labels)
            if self.manner.begin_with is not None:
                model = self._go_on(self.manner.begin_with, discriminator)
            else:
                model = self._carry(source, nearest if design.nearest else None)
                discriminator.take_over(source.discriminator.cpu(), nearest)
            discriminator.freeze(design.freeze_d)
        play = Play(
            lr_g=design.lr_g,
            lr_d=design.lr_d,
            batch=trial.train.batch_size or 32,
            noise=self.networks.noise,
            d_steps=design.d_steps,
            decay=design.decay,
            l1=design.l1,
            l2=design.l2,
            augmentation=design.augmentation,
            beta2=self.manner.beta2,
            accumulation=self.manner.accumulation,
        )
        device = trial.device
        return Duel(model.to(device), discriminator.to(device), shots, labels, play, trial.seed)

    def _carry(self, source: Source, nearest: list[int] | None) -> Carried:
        """The source trunk with rows for the new classes, which alone learn in the stage `bn`."""
        design, classes = self.design, self.info.classes
        tables = source.generator.tables()
        rows: Rows
        if self._mixes:
            mixing: Mixing = design.mixing  # type: ignore[assignment]
            rows = MixedRows(
                tables,
                nearest,
                classes,
                mixing=mixing,
                residual=design.residual,
                layers=design.learning(len(tables)),
                per_layer=design.per_layer,
            )
        else:
            rows = FreeRows(starting_rows(tables, nearest, classes), design.learning(len(tables)))
        trunk = self.networks.generator(classes, self.info).trunk
        trunk.load_state_dict(source.generator.trunk.state_dict())
        if not design.keeps_trunk:
            trunk = self.networks.learning(trunk)
        trunk.requires_grad_(design.stage == "ft")
        return Carried(trunk, rows)

    def _go_on(self, weights: Path, discriminator: AnyDiscriminator) -> Carried:
        """Both networks as an earlier stage left them, with fresh optimisers."""
        with torch.random.fork_rng(devices=[]):
            before = TransferLearner(self.networks, self.design, self.info).model
        load_weights(before, weights)
        discriminator.load_state_dict(before.opponent.state_dict())
        tables = before.generator.tables()
        trunk = self.networks.learning(before.generator.trunk)
        return Carried(trunk, FreeRows(tables, self.design.learning(len(tables))))

    def _set_free(self, duel: Duel) -> None:
        """From rows alone to all of the generator but the weights of the mixture."""
        duel.lr_g = self.design.lr_ft
        duel.model.trunk.requires_grad_(True)
        if isinstance(duel.model.rows, MixedRows):
            duel.model.rows.scores.requires_grad_(False)
            duel.model.rows.scores.grad = None

    @torch.no_grad()
    def _take(self, duel: Duel) -> None:
        """Takes the running mean over, its rows folded."""
        self.model.to(duel.images.device)
        mean = duel.averaged()
        mean.fold_into(self.model.generator)
        self.model.opponent.load_state_dict(duel.discriminator.state_dict())
        mixtures = mean.rows.mixtures()
        if mixtures is not None:
            self.model.mixtures.copy_(mixtures)
        self.model.eval()


def steps_of_epoch(trial: TrialContext) -> int:
    """Steps in an epoch: batches that hold all shots."""
    return math.ceil(trial.info.train_size / (trial.train.batch_size or 32))
