"""The recipe's schema: its thirteen words and what may stand under each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from toolkit.contracts import BusyGpus, Direction, Train
from toolkit.contracts.constraints import EXAMPLE, parse
from toolkit.contracts.outer import OuterFold
from toolkit.contracts.training import Block


def parse_duration(value: Any) -> Any:
    """Read `90`, `"90s"`, `"10m"` or `"1h30m"` as seconds; leave anything else to the schema."""
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", value.strip())
    if not parts or not any(parts.groups()):
        raise ValueError(f"{value!r} is no duration: write seconds, or 45s, 10m, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_size(value: Any) -> Any:
    """Read `"500MB"`, `"8 GB"` or `"1.5GiB"` as bytes; leave anything else to the schema."""
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B?", value.strip(), re.IGNORECASE)
    if not parts:
        raise ValueError(f"{value!r} is no size: write bytes, or 500MB, 8GB, 1.5GiB")
    power = "KMGT".index(parts[2].upper()) + 1
    return round(float(parts[1]) * (1024 if parts[3] else 1000) ** power)


DEFAULT_STRATEGY = "auto"
"""The strategy of recipes that name none."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
Duration = Annotated[
    PositiveFloat, BeforeValidator(parse_duration, json_schema_input_type=PositiveFloat | str)
]
Size = Annotated[int, Field(ge=0), BeforeValidator(parse_size, json_schema_input_type=int | str)]


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


Constraint = Annotated[str, BeforeValidator(check_constraint, json_schema_input_type=str | float)]


PLUGIN_WORDS = {"task": "tasks", "space": "search_spaces", "strategy": "strategies"}
"""Words that name a plugin, and the kind of plugin."""


class PluginChoice(Block):
    """A plugin's name and the options the recipe gives it (checked by the plugin's `Options`)."""

    name: str = Field(description="the plugin's name, as `toolkit plugins` lists them")
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="the plugin's own options, beside its name"
    )


def parse_tracker(value: Any) -> Any:
    """Read `mlflow` or `{mlflow: {experiment: x}}` as a plugin and its options.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        if isinstance(options, Mapping | None):
            return {"name": name, "options": options or {}}
    if isinstance(value, PluginChoice):
        return value
    raise ValueError(
        f"{json.dumps(value)} given, expected a tracker's name, or its name with options:"
        " {wandb: {project: x}}"
    )


Tracked = Annotated[
    PluginChoice,
    BeforeValidator(parse_tracker, json_schema_input_type=str | dict[str, dict[str, Any] | None]),
]


class Budget(Block):
    """Totals for the run, resumed or not."""

    trials: PositiveInt | None = Field(None, description="trials; by default the strategy's own")
    time: Duration | None = Field(
        None, description="of searching, in seconds or as 45s, 10m, 1h30m", examples=["10m"]
    )
    total: Duration | None = Field(
        None,
        description="of the whole run, final trainings and test with it, in seconds or as 45s, 10m:"
        " the search ends in time for them, and those that there is no time for are left out",
        examples=["30m"],
    )
    epochs: PositiveFloat | None = Field(
        None, description="of training, over all trials; on a share of the data as that share"
    )
    failures: PositiveInt = Field(10, description="failed trials before the run gives up")
    pilot: Literal["off", "auto", "only"] = Field(
        "off",
        description="train 8 random architectures with 2 seeds each first, and search if the best"
        " of many can be expected to be ahead by more than the test can see; only: never search",
    )
    dedup: Literal["reuse", "repeat", "reject"] = Field(
        "reuse",
        description="a known fingerprint, fidelity and seed: answer, train again, or refuse",
    )


class Resources(Block):
    """What trials run on."""

    executor: str = Field(
        "local", description="where trials run: local (processes of this machine), nni, or another"
    )
    workers: PositiveInt | None = Field(
        None, description="trials at once; by default cores or GPUs"
    )
    gpus: Annotated[float, Field(ge=0)] | None = Field(
        None, description="GPUs per trial, also fractions; by default 1 where there are any, else 0"
    )
    busy_gpus: BusyGpus = Field(
        "share", description="GPUs on which somebody else computes: share them, or leave them alone"
    )
    threads: PositiveInt | None = Field(
        None, description="CPU threads per trial; by default cores / workers"
    )
    trial_timeout: Duration | None = Field(
        None, description="longest time of one trial, in seconds or as 45s, 10m", examples=["30m"]
    )
    memory: Annotated[Size, Field(ge=10_000_000)] | None = Field(
        None, description="host memory of one worker with all it starts, as 500MB, 8GB, 1.5GiB"
    )
    log_limit: Annotated[Size, Field(ge=10_000)] = Field(
        10_000_000,
        description="longest standard output, and error, that is kept of a trial, as 500kB, 10MB:"
        " its head and its tail",
    )
    disk_reserve: Size | None = Field(
        None,
        description="room on the run folder's disk below which nothing new is started, as 500MB;"
        " by default 100MB, or a hundredth of the disk if that is less",
    )
    storage: str | None = Field(
        None,
        description="a folder or fsspec URL that every machine of ray or slurm sees; of a run below"
        " that folder nothing is copied",
        examples=["/shared/nas", "s3://bucket/nas"],
    )
    deterministic: bool = Field(False, description="tell results in the order of trial numbers")


class Fidelity(Block):
    """How thoroughly trials of the search are trained; the final trainings are always full."""

    epochs: PositiveInt | None = Field(
        None, description="epochs of a trial; by default those of `train`"
    )
    data: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of the training data, the same of each class"
    )


def parse_validation(value: Any) -> Any:
    """Read `own`, `groups` and `folds`; leave anything else to the schema."""
    short: dict[Any, Any] = {"own": {}, "groups": {"groups": True}, "folds": {"folds": 5}}
    return short.get(value, value) if isinstance(value, str) else value


class Validation(Block):
    """What a trial of the search is judged on; by default the task's own validation part."""

    stratified: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="folds of the samples to train and validate on, the same of each class"
    )
    groups: Literal[True] | Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="folds of whole groups; true: one group at a time"
    )
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None,
        description="folds of whole groups where the data have any, else stratified; as many as"
        " there can be, and no more than this",
    )
    repeats: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="rounds of stratified folds, each drawn anew"
    )
    outer: OuterFold | None = Field(
        None,
        description="test on one fold of all samples, in place of the task's test split, and"
        " search on the rest; `toolkit evaluate` runs every fold",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Validation:
        if sum(kind is not None for kind in (self.stratified, self.groups, self.folds)) > 1:
            raise ValueError("stratified, groups and folds are kinds of folds; give one of them")
        if self.repeats > 1 and self.stratified is None:
            raise ValueError("repeats draws stratified folds anew, and needs their number")
        return self

    @property
    def on_folds(self) -> bool:
        """Whether trials are judged on folds, not on the task's own validation part."""
        return any(kind is not None for kind in (self.stratified, self.groups, self.folds))

    @property
    def folds_in_all(self) -> int | None:
        """Folds of one trial; None where the data decide, 1 for the task's own part."""
        if self.stratified is not None:
            return self.stratified * self.repeats
        if self.on_folds:
            return None if self.groups is True else self.groups
        return 1


class RecipeBlocks(Block):
    """The thirteen words."""

    version: Literal[1] = Field(description="of the recipe language; there is one so far")
    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)] = Field(
        description="what the run is called; its folder is runs/NAME by default",
        examples=["my_search"],
    )
    task: PluginChoice = Field(
        description="the data and the metrics: a plugin's name, or a mapping of `name` and options",
        examples=[{"name": "spd_arrays", "data": "mine.npz"}],
    )
    space: PluginChoice = Field(
        description="which networks there are: a plugin's name, or a mapping of `name` and options",
        examples=["spd_cell"],
    )
    strategy: PluginChoice = Field(
        PluginChoice(name=DEFAULT_STRATEGY),
        description="what to try next: a plugin's name, or a mapping of `name` and options",
        examples=["optuna.tpe"],
    )
    objectives: dict[str, Direction] = Field(
        default_factory=dict,
        description="metric -> direction; by default the task's first metric",
        examples=[{"accuracy": "maximize", "parameters": "minimize"}],
    )
    constraints: dict[str, Constraint] = Field(
        default_factory=dict,
        description="metric or cost -> bounds that every trial must keep to",
        examples=[{"latency_ms": "<= 2.5"}],
    )
    fidelity: Fidelity = Field(
        default_factory=Fidelity, description="how thoroughly trials of the search are trained"
    )
    validation: Annotated[
        Validation,
        BeforeValidator(
            parse_validation,
            json_schema_input_type=Validation | Literal["own", "groups", "folds"],
        ),
    ] = Field(
        default_factory=Validation,
        description="what trials are judged on: own (the task's validation part, the default),"
        " groups (one left out at a time), folds (five), or a mapping of the options below",
        examples=["folds", {"stratified": 5, "repeats": 2}],
    )
    budget: Budget = Field(
        default_factory=Budget, description="totals for the run; it ends when one is spent"
    )
    resources: Resources = Field(default_factory=Resources, description="what trials run on")
    train: Train = Field(
        default_factory=Train, description="how a network is trained, in the search and at its end"
    )
    track: list[Tracked] = Field(
        default_factory=list,
        description="trackers that are told of the run, each by name or by name with options",
    )


def split_plugins(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recipe's words with each plugin as its name and its options."""
    return {
        word: split_plugin(value) if word in PLUGIN_WORDS else value for word, value in data.items()
    }


def split_plugin(value: Any) -> Any:
    """Returns a plugin word's value as `PluginChoice` has it."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict):
        options = {name: inner for name, inner in value.items() if name != "name"}
        return {**({"name": value["name"]} if "name" in value else {}), "options": options}
    return value
