"""What the processes of an experiment say to each other, beside `toolkit.executors.messages`.

All of it is lines of JSON (`toolkit.executors.channel`): tuner and trials reach the engine over a
Unix socket, the guard over two pipes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from toolkit.contracts import Event, Message
from toolkit.executors.channel import Channel

SOCKET = "TOOLKIT_NNI_SOCKET"
"""Environment variable with the path of the engine's socket."""
TOKEN = "TOOLKIT_NNI_TOKEN"
"""Environment variable with what NNI's server asks of each request, see `preload.js`."""
TOKEN_HEADER = "X-Toolkit-Token"
OWN_HOME = "TOOLKIT_NNI_HOME"
"""Environment variable with the user's home; the manager has another."""


@dataclass(frozen=True)
class TunerHello(Message):
    """A tuner is ready to enter trials."""

    kind: Literal["tuner"] = field(default="tuner", kw_only=True, repr=False)


@dataclass(frozen=True)
class TrialHello(Message):
    """A trial's process has come for the job of its ticket."""

    ticket: int
    pid: int
    kind: Literal["trial"] = field(default="trial", kw_only=True, repr=False)


@dataclass(frozen=True)
class TrialEnd(Message):
    """NNI says that a trial's process ended.

    Attributes:
        ticket: that it was entered with.
        trial: what NNI calls it.
        state: how it ended for NNI, e.g. `"SUCCEEDED"`.
    """

    ticket: int
    trial: str
    state: str
    kind: Literal["trial_end"] = field(default="trial_end", kw_only=True, repr=False)


@dataclass(frozen=True)
class Entry(Message):
    """To the tuner: enter a trial with these parameters."""

    ticket: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Assignment(Message):
    """To a trial: it has a job, which follows as to any worker.

    Attributes:
        folder: of the job.
        objective: the metric NNI shows as `default`.
        environment: variables to set before torch is imported.
    """

    folder: str
    objective: str
    environment: Mapping[str, str]
    kind: Literal["assignment"] = field(default="assignment", kw_only=True, repr=False)


@dataclass(frozen=True)
class Void(Message):
    """To a trial: its ticket has no job any more."""

    kind: Literal["void"] = field(default="void", kw_only=True, repr=False)


@dataclass(frozen=True)
class ManagerStarted(Message):
    """The guard says: NNI's manager is up.

    Attributes:
        port: of its web page.
        experiment: what NNI calls it.
    """

    port: int
    experiment: str
    kind: Literal["started"] = field(default="started", kw_only=True, repr=False)


@dataclass(frozen=True)
class ManagerBroken(Message):
    """The guard says: NNI's manager is no more, or never was."""

    error: str
    kind: Literal["broken"] = field(default="broken", kw_only=True, repr=False)


@dataclass(frozen=True)
class EndManager(Message):
    """To the guard: end the manager once it has written what ended last."""


Visitor: TypeAlias = Annotated[
    TunerHello | TrialHello | TrialEnd | Event, Field(discriminator="kind")
]
"""What comes over the socket."""
Answer: TypeAlias = Annotated[Assignment | Void, Field(discriminator="kind")]
GuardWord: TypeAlias = Annotated[ManagerStarted | ManagerBroken, Field(discriminator="kind")]

VISITOR: TypeAdapter[Visitor] = TypeAdapter(Visitor)
ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
GUARD_WORD: TypeAdapter[GuardWord] = TypeAdapter(GuardWord)
END_MANAGER: TypeAdapter[EndManager] = TypeAdapter(EndManager)


def channel_to_engine() -> Channel:
    """Returns a channel to the engine that the environment names.

    Raises:
        OSError: it is gone.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(os.environ[SOCKET])
    return Channel.over(connection)
