"""The search space `gan_transfer`: how a generator is carried to new classes with few images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from toolkit.contracts import (
    Architecture,
    DataPath,
    Direction,
    Learner,
    Options,
    SearchSpace,
    TaskInfo,
    TrialContext,
)
from toolkit.errors import SpaceError
from toolkit.space import Group
from toolkit_gan.tree import build_tree, hand_made, published, rivals

if TYPE_CHECKING:
    from toolkit_gan.pretraining import Networks

VERSION = 1
"""Of what `prepare` makes."""


class GanTransferOptions(Options):
    """Options of the space `gan_transfer`."""

    stages: tuple[Literal["bn", "bn_ft", "ft", "scratch"], ...] = Field(
        ("bn", "bn_ft", "ft", "scratch"),
        description="ways of training to search: rows of the batch normalisation alone (bn), these"
        " first and then all (bn_ft), all at once (ft), all from fresh weights (scratch)",
        min_length=1,
    )
    mixings: tuple[Literal["linear", "softmax", "sparsemax", "none"], ...] = Field(
        ("linear", "softmax", "sparsemax", "none"),
        description="how rows of new classes are made of those of the source classes; none for"
        " rows of their own",
        min_length=1,
    )
    augment: bool = Field(True, description="search augmentation of what the discriminator sees")
    noise: PositiveInt = Field(32, description="numbers of noise that a generator takes")
    g_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (48, 32, 16), description="channels of the generator, from its start to its end"
    )
    d_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (16, 32, 64), description="channels of the discriminator's convolutions"
    )
    pretraining_steps: PositiveInt = Field(
        600, description="steps of the pre-training on the source classes"
    )
    pretraining_batch: PositiveInt = Field(64, description="images of such a step")
    pretraining_lr: PositiveFloat = Field(1e-3, description="its rate, of both networks")
    weights: DataPath | None = Field(
        None,
        description="a folder with generator.safetensors and discriminator.safetensors of these"
        " source classes, to use in place of a pre-training",
    )


class GanTransferSpace(SearchSpace):
    """Stages, mixtures of rows, losses and augmentation of a class-conditional GAN's transfer.

    Shahbazi et al., "Efficient conditional GAN transfer with knowledge propagation across classes"
    (CVPR 2021, arXiv 2102.06696), beside fine-tuning, rows of their own and training from scratch.
    """

    Options = GanTransferOptions
    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    gives: ClassVar[frozenset[str]] = frozenset({"images"})
    measures: ClassVar[Mapping[str, Direction]] = {
        "copied": "maximize",
        "new_numbers": "minimize",
        "source_fid": "minimize",
    }
    exchanged: ClassVar[str] = "transfer"
    options: GanTransferOptions

    def parameters(self, task: TaskInfo) -> Group:
        """The whole tree for these images.

        Raises:
            SpaceError: there are no source classes, or the images' sides are not multiples of 4.
        """
        _check(task)
        return build_tree(self.options.stages, self.options.mixings, self.options.augment)

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """A generator with fresh weights, which the source networks' replace in its training."""
        from toolkit_gan.design import read
        from toolkit_gan.learner import TransferLearner

        _check(task)
        return TransferLearner(self._networks(), read(architecture), task)

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        """The same with another transfer: bn, bn_ft, free rows, ft, scratch."""
        return rivals(architecture)

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """The published protocol, whose rates lie outside of the tree, for `toolkit retrain`."""
        return {"published": published()}

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Fine-tuning and the published rule."""
        return hand_made()

    def preparation(self, task: TaskInfo) -> Mapping[str, Any]:
        """What the source networks depend on beside the source images."""
        options = self.options
        return {
            "version": VERSION,
            "shape": list(task.shape),
            "classes": list(task.source_classes),
            "noise": options.noise,
            "g_widths": list(options.g_widths),
            "d_widths": list(options.d_widths),
            "steps": options.pretraining_steps,
            "batch": options.pretraining_batch,
            "lr": options.pretraining_lr,
            "weights": None if options.weights is None else _marks(options.weights),
        }

    def prepare(self, trial: TrialContext, folder: Path) -> None:
        """Trains the source networks, or takes those that `weights` names.

        Raises:
            DataError: the weights cannot be read, or are of another shape.
        """
        from toolkit_gan.pretraining import Schooling, adopt, pretrain

        options = self.options
        if options.weights is not None:
            adopt(options.weights, self._networks(), trial, folder)
            return
        schooling = Schooling(
            options.pretraining_steps, options.pretraining_batch, options.pretraining_lr
        )
        pretrain(self._networks(), schooling, trial, folder)

    def _networks(self) -> Networks:
        from toolkit_gan.pretraining import Networks

        options = self.options
        return Networks(options.noise, options.g_widths, options.d_widths)


def _check(task: TaskInfo) -> None:
    """Refuses data that no generator of the space gives."""
    if not task.source_classes:
        raise SpaceError(
            "The task has no source classes to carry a generator from.",
            hint="Use a task such as digits_generation, and name its target classes.",
        )
    _, height, width = task.shape
    if height != width or height % 4 or height < 8:
        raise SpaceError(
            f"The images have {height} x {width} pixels, and generators of gan_transfer give"
            " squares whose side is a multiple of 4, from 8 pixels on.",
            hint="Give the task's size, for example task.size=28.",
        )


def _marks(folder: Path) -> list[list[Any]]:
    """Names, sizes and times of the files in a folder."""
    found = sorted(folder.glob("*.safetensors"))
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found]
