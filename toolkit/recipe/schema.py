"""The recipe's schema: its twelve words and what may stand under each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from toolkit.contracts import Direction
from toolkit.recipe.constraints import EXAMPLE, parse


def parse_duration(value: Any) -> Any:
    """Read `90`, `"90s"`, `"10m"` or `"1h30m"` as seconds; leave anything else to the schema."""
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", value.strip())
    if not parts or not any(parts.groups()):
        raise ValueError(f"{value!r} is no duration: write seconds, or 45s, 10m, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


DEFAULT_STRATEGY = "auto"
"""The strategy of recipes that name none."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
Duration = Annotated[PositiveFloat, BeforeValidator(parse_duration)]


def check_constraint(text: Any) -> Any:
    """Check the notation of a constraint's bounds; leave what is no text or number to the schema.

    Raises:
        ValueError: the text is no bound, or nothing keeps to all of it.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"{text:g} given, expected a bound such as {EXAMPLE}")
    if isinstance(text, str):
        parse("", text)
    return text


Constraint = Annotated[str, BeforeValidator(check_constraint)]


class Block(BaseModel):
    """Base of the recipe's blocks: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginChoice(Block):
    """A plugin's name and the options the recipe gives it (checked by the plugin's `Options`)."""

    name: str
    options: Mapping[str, Any] = Field(default_factory=dict)


class Final(Block):
    """What is trained from scratch and tested once the search has ended."""

    seeds: PositiveInt = Field(3, description="trainings of each network, one per seed")
    random: Annotated[int, Field(ge=0)] = Field(
        3, description="random architectures of the space to train beside the found one"
    )
    baselines: bool = Field(True, description="train the space's hand-made networks too")


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
    lr: PositiveFloat | None = Field(None, description="learning rate; by default the model's own")
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["cosine", "constant"] = Field("cosine", description="of the learning rate")
    clip: PositiveFloat | None = Field(5.0, description="largest norm of the whole gradient")
    final: Final = Field(default_factory=Final)


class Budget(Block):
    """Totals for the run, resumed or not."""

    trials: PositiveInt | None = Field(None, description="trials; by default the strategy's own")
    time: Duration | None = Field(None, description="of searching, as 600, 45s, 10m, 1h30m")
    epochs: PositiveFloat | None = Field(
        None, description="of training, over all trials; on a share of the data as that share"
    )
    failures: PositiveInt = Field(10, description="failed trials before the run gives up")
    dedup: Literal["reuse", "repeat", "reject"] = Field(
        "reuse",
        description="a known fingerprint, fidelity and seed: answer, train again, or refuse",
    )


class Resources(Block):
    """What trials run on."""

    executor: str = "local"
    workers: PositiveInt | None = Field(
        None, description="trials at once; by default cores or GPUs"
    )
    gpus: Annotated[float, Field(ge=0)] | None = Field(
        None, description="GPUs per trial, also fractions; by default 1 where there are any, else 0"
    )
    threads: PositiveInt | None = Field(
        None, description="CPU threads per trial; by default cores / workers"
    )
    trial_timeout: Duration | None = Field(None, description="longest time of one trial")
    deterministic: bool = Field(False, description="tell results in the order of trial numbers")


class Fidelity(Block):
    """How thoroughly trials of the search are trained; the final trainings are always full."""

    epochs: PositiveInt | None = None
    data: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of the training data, the same of each class"
    )


class RecipeBlocks(Block):
    """The twelve words."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)]
    task: PluginChoice
    space: PluginChoice
    strategy: PluginChoice = Field(
        PluginChoice(name=DEFAULT_STRATEGY), description="what to try next; by default auto"
    )
    objectives: dict[str, Direction] = Field(
        default_factory=dict, description="metric -> direction; by default the task's first metric"
    )
    constraints: dict[str, Constraint] = Field(
        default_factory=dict, description="metric or cost -> bounds that every trial must keep to"
    )
    fidelity: Fidelity = Field(default_factory=Fidelity)
    budget: Budget = Field(default_factory=Budget)
    resources: Resources = Field(default_factory=Resources)
    train: Train = Field(default_factory=Train)
    track: list[str] = Field(default_factory=list)
