"""What the engine and the bridge to Ray say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from toolkit.contracts import Ended, Message, Noted, Reported, Started, TrialSpec
from toolkit.executors.messages import Stop
from toolkit.executors.remote import Place


@dataclass(frozen=True)
class Connect(Message):
    """The first word to a bridge.

    Attributes:
        place: what each slot is built from.
        workers: slots to make, or None for as many as fit.
        patience_s: longest time to look for the cluster.
    """

    place: Place
    workers: int | None
    patience_s: float


@dataclass(frozen=True)
class Begin(Message):
    """Run a job in a slot."""

    slot: int
    spec: TrialSpec
    kind: Literal["begin"] = field(default="begin", kw_only=True, repr=False)


@dataclass(frozen=True)
class Connected(Message):
    """The cluster is there.

    Attributes:
        slots: on it, at least one.
        threads: of each.
        gpus: of each.
    """

    slots: int
    threads: int
    gpus: float
    kind: Literal["connected"] = field(default="connected", kw_only=True, repr=False)


@dataclass(frozen=True)
class Refused(Message):
    """There is no cluster to be had, or none that the recipe fits."""

    message: str
    hint: str
    kind: Literal["refused"] = field(default="refused", kw_only=True, repr=False)


@dataclass(frozen=True)
class Waiting(Message):
    """Jobs for which the cluster has no room yet, and a sentence on it; told over and over."""

    keys: tuple[str, ...]
    why: str
    kind: Literal["waiting"] = field(default="waiting", kw_only=True, repr=False)


CONNECT: TypeAdapter[Connect] = TypeAdapter(Connect)
Command: TypeAlias = Annotated[Begin | Stop, Field(discriminator="kind")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
Word: TypeAlias = Annotated[
    Connected | Refused | Waiting | Started | Reported | Ended | Noted,
    Field(discriminator="kind"),
]
WORD: TypeAdapter[Word] = TypeAdapter(Word)
