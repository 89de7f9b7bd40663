"""Messages as lines of JSON: written as they are, and checked where they arrive.

For plugin authors whose executor speaks with workers: every public name is stable.
"""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from toolkit.contracts.jobs import Event, TrialSpec

T = TypeVar("T")
_SHOWN = 120

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
SPEC: TypeAdapter[TrialSpec] = TypeAdapter(TrialSpec)


class MessageError(ValueError):
    """A line that is not one of the messages expected; the text says what was wrong with it."""


def encode(message: Any) -> bytes:
    """Returns a message as JSON; NaN and infinities stay what they are.

    Raises:
        TypeError: something in it is no plain value.
    """
    # Half a surrogate pair stands for a byte that is no UTF-8, such as one in a file's name.
    return _ENCODER.encode(message).encode("utf-8", "replace")


def decode(kind: TypeAdapter[T], line: bytes | bytearray) -> T:
    """Returns the message in a line.

    Raises:
        MessageError: it is none of this kind.
    """
    try:
        return kind.validate_json(line)
    except ValidationError as error:
        shown = bytes(line[:_SHOWN]).decode(errors="replace")
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MessageError(
            f"{shown!r}{'...' if len(line) > _SHOWN else ''}"
            f" ({where + ': ' if where else ''}{first['msg']})"
        ) from None


def _fields(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        return vars(value)
    raise TypeError(f"{type(value).__name__} is no plain value: {value!r}")


_ENCODER = json.JSONEncoder(default=_fields, ensure_ascii=False)
