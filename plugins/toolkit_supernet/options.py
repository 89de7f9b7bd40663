"""Options of the one-shot strategy: how a supernet is searched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from toolkit.contracts import Options


class SupernetOptions(Options):
    """How the supernet is searched."""

    order: Literal["first", "second"] = Field(
        "first", description="whether the architecture step looks one weight step ahead"
    )
    epochs: PositiveInt | None = Field(
        None, description="of the search; by default so many that they make 370 steps, 3 to 60"
    )
    warmup: NonNegativeInt | None = Field(
        None, description="first epochs with frozen architecture; by default a quarter"
    )
    batch_size: PositiveInt | None = Field(
        None, description="samples per step, of both splits; by default train.batch_size"
    )
    lr: PositiveFloat | None = Field(
        None, description="learning rate of the weights; by default the supernet's own"
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="of the weights' learning rate"
    )
    clip: PositiveFloat | None = Field(
        5.0, description="largest norm of the whole gradient of the weights"
    )
    architecture_lr: PositiveFloat = Field(
        3e-3, description="learning rate of the architecture parameters (Adam)"
    )
    architecture_betas: tuple[float, float] = Field(
        (0.5, 0.999), description="decay rates of Adam's moments"
    )
    architecture_weight_decay: NonNegativeFloat = Field(
        1e-3, description="L2 penalty on the architecture parameters"
    )
    temperature: PositiveFloat | None = Field(
        None, description="what scores are divided by; below 1 sharpens. By default 1"
    )
    final_temperature: PositiveFloat | None = Field(
        None, description="of the last epoch, reached by equal ratios; by default the first's"
    )
    unrolled_lr: PositiveFloat | None = Field(
        None,
        description="second order: step looked ahead; by default the weights' present rate",
    )
    derive: PositiveInt = Field(
        1, description="architectures to train: the final one, then earlier epochs' others"
    )
