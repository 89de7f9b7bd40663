"""A task, spaces and a strategy with options of many types, for tests of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from toolkit import contracts
from toolkit.errors import SpaceError


class Radar(contracts.Options):
    """A nested block."""

    blades: int = Field(2, ge=1, description="number of blades")
    rate_hz: tuple[float, float] = (4.0, 8.0)


class ToyTaskOptions(contracts.Options):
    samples: int = Field(100, ge=1)
    noise: float = Field(0.1, ge=0)
    mode: Literal["real", "complex"] = "real"
    data: contracts.DataPath | None = None
    radar: Radar = Radar()


class ToyTask(contracts.Task):
    name = "toy"
    Options = ToyTaskOptions
    directions: ClassVar[dict[str, contracts.Direction]] = {"accuracy": "maximize"}

    def info(self) -> contracts.TaskInfo:
        return contracts.TaskInfo("toy", (3,), 2, self.options.samples)

    def load(self, data_dir: Path, seed: int) -> contracts.Splits:
        raise NotImplementedError

    def metrics(self, scores: Any, labels: Any) -> dict[str, float]:
        raise NotImplementedError


class NeedyTaskOptions(contracts.Options):
    path: contracts.DataPath


class NeedyTask(ToyTask):
    name = "needy"
    Options = NeedyTaskOptions


class ToySpaceOptions(contracts.Options):
    width: int = Field(8, ge=1, le=64)
    dropout: float = Field(0.0, ge=0, lt=1)
    channels: tuple[int, ...] = (20, 16, 8)
    size: int | Literal["auto"] = "auto"
    ops: tuple[str, ...] = ("conv", "skip")
    radar: Radar = Radar()

    @field_validator("ops")
    @classmethod
    def known(cls, ops: tuple[str, ...]) -> tuple[str, ...]:
        for op in ops:
            if op not in ("conv", "skip", "pool"):
                raise ValueError(f"{op!r} is no operation, expected conv, skip or pool")
        return ops

    @model_validator(mode="after")
    def shrinking(self) -> ToySpaceOptions:
        if list(self.channels) != sorted(self.channels, reverse=True):
            raise ValueError(f"channels {list(self.channels)} must not grow")
        if self.width == 13:
            raise SpaceError("A width of 13 is impossible.")
        return self


class ToySpace(contracts.SearchSpace):
    name = "toy_cell"
    Options = ToySpaceOptions
    accepts = frozenset({"toy"})

    def parameters(self, task: contracts.TaskInfo) -> Any:
        from toolkit.space import Choice, Group

        return Group(op=Choice(self.options.ops))

    def build(self, architecture: Any, task: contracts.TaskInfo) -> contracts.Learner:
        raise NotImplementedError

    def graph(self, architecture: Any, task: contracts.TaskInfo) -> Any:
        raise NotImplementedError


class ToyStrategy(contracts.Strategy):
    name = "toy.random"

    def setup(self, context: contracts.SearchContext) -> None:
        pass

    def ask(self) -> contracts.Exhausted:
        return contracts.Exhausted()

    def tell(self, trial: Any, state: Any, values: Any) -> None:
        pass
