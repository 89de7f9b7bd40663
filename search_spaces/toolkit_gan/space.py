"""The search space `gan_transfer`: how a generator is carried to new classes with few images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

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
from toolkit_gan.design import opened
from toolkit_gan.tree import build_tree, hand_made, published, rivals

if TYPE_CHECKING:
    from toolkit_gan.networks import AnyNetworks

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
    networks: Literal["small", "biggan"] = Field(
        "small",
        description="small: convolutions of g_widths and d_widths; biggan: BigGAN's residual"
        " blocks, of channels, embedding and attention",
    )
    noise: PositiveInt = Field(32, description="numbers of noise that a generator takes")
    g_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (48, 32, 16), description="channels of the generator, from its start to its end"
    )
    d_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (16, 32, 64), description="channels of the discriminator's convolutions"
    )
    channels: PositiveInt = Field(
        64, description="of biggan: what the widths of both networks are multiples of"
    )
    embedding: PositiveInt = Field(
        128, description="of biggan: numbers of a class's embedding, which all layers share"
    )
    attention: NonNegativeInt = Field(
        0, description="of biggan: side of the features with self-attention; 0 for none"
    )
    adam_beta2: float = Field(
        0.9, gt=0, lt=1, description="second decay of Adam, for both networks; the first is 0"
    )
    accumulation: PositiveInt = Field(
        1, description="batches whose mean gradient is one step, for both networks"
    )
    begin_with: DataPath | None = Field(
        None,
        description="weights.safetensors of an earlier run's final training, whose networks are"
        " fine-tuned in place of the source networks (stage ft alone); `toolkit retrain"
        " --architecture FILE --from RUN` names it",
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
    goes_on_from: ClassVar[str | None] = "begin_with"
    options: GanTransferOptions

    def parameters(self, task: TaskInfo) -> Group:
        """The whole tree for these images.

        Raises:
            SpaceError: there are no source classes, or the images' sides are not multiples of 4.
        """
        self._check(task)
        return build_tree(self._stages(), self.options.mixings, self.options.augment)

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        """A generator with fresh weights, which the source networks' replace in its training."""
        from toolkit_gan.design import read
        from toolkit_gan.learner import Manner, TransferLearner

        self._check(task)
        options, design = self.options, read(architecture)
        if options.begin_with is not None and design.stage != "ft":
            raise SpaceError(
                f"The stage {design.stage} does not go on from an earlier stage's weights.",
                hint="Leave out --from or space.begin_with, or give an architecture of stage ft.",
            )
        manner = Manner(options.adam_beta2, options.accumulation, options.begin_with)
        return TransferLearner(self._networks(), design, task, manner)

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        """The same with another transfer: bn, bn_ft, free rows, ft, scratch."""
        return {} if self.options.begin_with else rivals(architecture)

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """The published protocol, whose rates lie outside of the tree, for `toolkit retrain`."""
        return {} if self.options.begin_with else {"published": published()}

    def anchors(self, task: TaskInfo) -> list[Architecture]:
        """Fine-tuning and the published rule."""
        return [point for point in hand_made() if opened(point["stage"])[0] in self._stages()]

    def preparation(self, task: TaskInfo) -> Mapping[str, Any]:
        """What the source networks depend on beside the source images."""
        options = self.options
        more: dict[str, Any] = {}
        if options.networks == "biggan":
            more = {
                "channels": options.channels,
                "embedding": options.embedding,
                "attention": options.attention,
            }
        if (options.adam_beta2, options.accumulation) != (0.9, 1):
            more |= {"beta2": options.adam_beta2, "accumulation": options.accumulation}
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
            **more,
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
            options.pretraining_steps,
            options.pretraining_batch,
            options.pretraining_lr,
            options.adam_beta2,
            options.accumulation,
        )
        pretrain(self._networks(), schooling, trial, folder)

    def _stages(self) -> tuple[Any, ...]:
        """Ways of training: from an earlier stage's weights, fine-tuning alone."""
        return ("ft",) if self.options.begin_with else self.options.stages

    def _networks(self) -> AnyNetworks:
        from toolkit_gan.networks import BigNetworks, Networks

        options = self.options
        if options.networks == "biggan":
            return BigNetworks(
                options.noise, options.channels, options.embedding, options.attention
            )
        return Networks(options.noise, options.g_widths, options.d_widths)

    def _check(self, task: TaskInfo) -> None:
        """Refuses data that no generator of the space gives, and options that fit no image."""
        _check(task)
        if self.options.networks == "biggan":
            _check_big(self.options, task.shape[1])


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


def _check_big(options: GanTransferOptions, side: int) -> None:
    """Refuses shapes that BigGAN's networks cannot have for images of this side."""
    from toolkit_gan.biggan import attention_sides, doublings

    if side > 128:
        raise SpaceError(
            f"The images have {side} x {side} pixels, and BigGAN's widths are laid down up to 128.",
            hint="Give smaller images.",
        )
    pieces, known = doublings(side) + 1, attention_sides(side)
    if options.noise % pieces:
        raise SpaceError(
            f"space.noise is {options.noise}, and the {pieces} parts of the generator (its start"
            " and its blocks) take an equal piece each.",
            hint=f"Give a multiple of {pieces}, for example"
            f" space.noise={pieces * max(options.noise // pieces, 1)}.",
        )
    if options.attention and options.attention not in known:
        raise SpaceError(
            f"space.attention is {options.attention}, and the sides that features of both networks"
            f" have are {', '.join(map(str, known)) or 'none'}.",
            hint="Name one of them, or 0 for no attention.",
        )


def _marks(folder: Path) -> list[list[Any]]:
    """Names, sizes and times of the files in a folder."""
    found = sorted(folder.glob("*.safetensors"))
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found]
