"""Events read back from a run's `events.jsonl`, all at once or as they are written."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.run.lock import holder

LAST = ("run_ended", "sweep_ended", "evaluation_ended")
"""Events after which an engine writes no more."""
PAUSE_S = 0.1
_END_BYTES = 4096
"""More than an event of `LAST` takes."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Attributes:
        name: one of `toolkit.run.events.EVENTS`, such as `trial_ended`.
        facts: what is told of it, as plain JSON.
        time: when it was written, in seconds since 1970; NaN where the line does not say.
    """

    name: str
    facts: Mapping[str, Any]
    time: float


def told(folder: Path, name: str) -> Iterator[Event]:
    """Yields the events of one name that there are, without parsing the many others."""
    path, mark = folder / "events.jsonl", json.dumps(name).encode()
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for line in stream:
            event = _parsed(line) if mark in line else None
            if event is not None and event.name == name:
                yield event


def follow(folder: Path, *, wait: bool = True) -> Iterator[Event]:
    """Yields the events of a run, from its first on.

    Args:
        folder: the run folder.
        wait: go on with events as they are written, until the engine has ended or is gone. Where
            none is at work, the events there are end it.
    """
    path = folder / "events.jsonl"
    rest, place, waited = b"", 0, False
    while True:
        # Asked before reading, so that an engine's last events are not missed.
        at_work = wait and bool(holder(folder))
        if path.is_file():
            with path.open("rb") as stream:
                stream.seek(place)
                lines, rest = _whole_lines(stream, rest)
                place = stream.tell()
            for line in lines:
                event = _parsed(line)
                if event is not None:
                    yield event
                if event is not None and event.name in LAST and waited:
                    return
        if not at_work:
            return
        waited = True
        time.sleep(PAUSE_S)


def _whole_lines(stream: BinaryIO, before: bytes) -> tuple[list[bytes], bytes]:
    """The lines that have been written to their end, and the beginning of the next one."""
    *lines, rest = (before + stream.read()).split(b"\n")
    return lines, rest


def _parsed(line: bytes) -> Event | None:
    """The event in a line; None where an engine was killed while it wrote the line."""
    try:
        facts = json.loads(line)
        name, moment = str(facts.pop("event")), float(facts.pop("time", math.nan))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        return None
    return Event(name, facts, moment)


def last_ending(folder: Path) -> int | None:
    """Returns the exit code an engine ended with; None where it was cut short, or is at work."""
    path = folder / "events.jsonl"
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END_BYTES))
        last = _parsed((stream.read().splitlines() or [b""])[-1])
    code = last.facts.get("exit_code") if last is not None and last.name in LAST else None
    return code if isinstance(code, int) else None
