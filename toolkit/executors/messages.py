"""What an executor says to a worker, and the readers of it.

First a `Setup`, then `Run` for one job after the other, and `Stop` for the job at hand. A worker
answers with the events of `toolkit.contracts`.

For plugin authors whose executor speaks with workers: every public name is stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from toolkit.base.secrets import hidden
from toolkit.contracts import ExecutorContext, Message, Slot, StopReason, TrialSpec


@dataclass(frozen=True)
class Setup(Message):
    """What a worker needs to know before its first job.

    Attributes:
        recipe: the resolved recipe.
        plugin_paths: local plugin files to load.
        device: `"cpu"` or `"cuda"`.
        threads: CPU threads to use.
        hidden: values of the environment that stand in no text, each with its name.
    """

    recipe: Mapping[str, Any]
    plugin_paths: tuple[str, ...]
    device: str
    threads: int
    hidden: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, context: ExecutorContext, slot: Slot) -> Setup:
        """Returns that of a worker for one slot."""
        return cls(context.recipe, context.plugin_paths, slot.device, slot.threads, hidden())


@dataclass(frozen=True)
class Run(Message):
    """Run a job, once the one at hand has ended."""

    spec: TrialSpec
    kind: Literal["run"] = field(default="run", kw_only=True, repr=False)


@dataclass(frozen=True)
class Stop(Message):
    """End the job of this key after its next report."""

    key: str
    reason: StopReason
    kind: Literal["stop"] = field(default="stop", kw_only=True, repr=False)


Command: TypeAlias = Annotated[Run | Stop, Field(discriminator="kind")]

SETUP: TypeAdapter[Setup] = TypeAdapter(Setup)
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
