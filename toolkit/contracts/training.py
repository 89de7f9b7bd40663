"""The training block: how one model is trained, with every default filled in for its trial."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator

from toolkit.contracts.constraints import FIRST, KNEE, parse_rule


class Block(BaseModel):
    """Base of the recipe's blocks: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Final(Block):
    """What is trained from scratch and tested once the search has ended."""

    seeds: PositiveInt = Field(3, description="trainings of each network, one per seed")
    random: Annotated[int, Field(ge=0)] = Field(
        3, description="random architectures of the space to train beside the found one"
    )
    baselines: bool = Field(True, description="train the space's hand-made networks too")
    ensemble: PositiveInt = Field(
        1,
        description="of how many of the search's best points the class probabilities are averaged,"
        " with equal weights; 1 for no ensemble",
    )
    hand_over: Literal["winner", "ensemble", "found"] = Field(
        "winner",
        description="what best/ holds: of all these networks the best on validation data, the"
        " ensemble, or what the search found",
    )
    choose: str = Field(
        FIRST,
        description="with several objectives, which point of the front: first (the best in the"
        ' first objective), knee, or a rule such as "accuracy >= 0.9 then parameters"',
    )
    front: PositiveInt = Field(
        1, description="with several objectives, points of the front to train and test"
    )

    refit: bool = Field(
        True,
        description="where trials are judged on folds: judge these networks on them as well, and"
        " then train them on every sample that is no test sample",
    )

    @field_validator("choose")
    @classmethod
    def _is_known(cls, text: str) -> str:
        if text not in (FIRST, KNEE):
            parse_rule(text)
        return text


class Train(Block):
    """How one model is trained, and how often in the end."""

    seed: Annotated[int, Field(ge=0)] = Field(0, description="the run's seed")
    epochs: PositiveInt | None = Field(
        None,
        description="passes over the training data; by default so many that it makes 600 steps",
    )
    batch_size: PositiveInt | None = Field(
        None, description="samples per step; by default 32, fewer on less than 128 samples"
    )
    lr: PositiveFloat | None = Field(
        None,
        description="learning rate; by default the model's own",
        examples=[{"log": [1e-4, 1e-1]}],
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.0, description="factor of the L2 penalty on the weights, as torch.optim has it"
    )
    class_weight: Literal["balanced"] | dict[str, PositiveFloat] | None = Field(
        None,
        description="weight of each class in the cross-entropy: balanced (inversely to its training"
        " samples) or by name, {rare: 5}, others 1; all alike by default",
    )
    loss: Literal["huber", "squared"] | None = Field(
        None,
        description="of continuous targets: huber, linear beyond a standard deviation of the"
        " targets, or squared; huber by default",
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="of the learning rate: to zero along half a cosine, or none"
    )
    clip: PositiveFloat | None = Field(5.0, description="largest norm of the whole gradient")
    final: Final = Field(
        default_factory=Final, description="what is trained and tested once the search has ended"
    )
