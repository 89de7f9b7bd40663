"""What the engine and the tasks of its job array say to each other, as lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from toolkit.contracts import Event, Message
from toolkit.executors.remote import Order, Place


@dataclass(frozen=True)
class Hello(Message):
    """The first word of a task.

    Attributes:
        token: which the engine has put into a file that only its user can read.
        slot: that the task is for.
        where: it runs, for the user.
    """

    token: str
    slot: int
    where: str


@dataclass(frozen=True)
class Given(Message):
    """An order, and the names of the job's files that lie in the storage."""

    order: Order
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told(Message):
    """An event, and the names of files that belong to it and lie in the storage."""

    event: Event
    stored: tuple[str, ...] = ()
    kind: Literal["told"] = field(default="told", kw_only=True, repr=False)


@dataclass(frozen=True)
class Leaving(Message):
    """A task is pre-empted: it takes no further job, and comes back when SLURM lets it."""

    kind: Literal["leaving"] = field(default="leaving", kw_only=True, repr=False)


HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)
SETTING: TypeAdapter[Place] = TypeAdapter(Place)
GIVEN: TypeAdapter[Given] = TypeAdapter(Given)
Word: TypeAlias = Annotated[Told | Leaving, Field(discriminator="kind")]
WORD: TypeAdapter[Word] = TypeAdapter(Word)
