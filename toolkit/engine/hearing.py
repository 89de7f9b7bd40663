"""What an executor tells, its slots and its events, checked where it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

from toolkit.base.errors import PluginError
from toolkit.base.plain import encodable, shortened, shown
from toolkit.base.secrets import hidden, masked_within
from toolkit.contracts import Ended, Event, Executor, Outcome, Slot
from toolkit.contracts.coding import EVENT, decode, encode
from toolkit.registry import plugin_code

_SILENCE: Any = object()
"""Stands after the last of an executor's events."""


def slots_of(executor: Executor) -> tuple[Slot, ...]:
    """Returns an executor's slots.

    Raises:
        PluginError: there are none, or what it gives are none, or two have the same index.
    """
    with plugin_code("executor.slots"):
        slots = tuple(executor.slots())
    name = type(executor).__name__
    if not slots:
        raise PluginError(f"The executor {name} has no slots.")
    told = f"executor.slots of {name} returned {shown(slots)},"
    if not all(isinstance(slot, Slot) for slot in slots):
        raise PluginError(f"{told} expected Slot objects.")
    if len({slot.index for slot in slots}) < len(slots):
        raise PluginError(f"{told} of which two have the same index.")
    return slots


def events_of(executor: Executor, timeout_s: float) -> Iterator[Event]:
    """Yields what an executor tells, as it would come out of a worker's pipe.

    What is no event at all is left to whoever listens. Texts have names in place of the
    environment's values that are hidden.

    Raises:
        PluginError: an event holds what none may.
    """
    with plugin_code("executor.events"):
        told = iter(executor.events(timeout_s))
    # Whoever leaves off listening closes this generator, not the plugin's code.
    while True:
        with plugin_code("executor.events"):
            event = next(told, _SILENCE)
        if event is _SILENCE:
            return
        yield _checked(event, executor)


def _checked(event: Event, executor: Executor) -> Event:
    if not isinstance(event, get_args(get_args(Event)[0])):
        return event
    match event:
        case Ended(outcome=Outcome(error=str(error)) as outcome) if error:
            event = replace(event, outcome=replace(outcome, error=encodable(error)))
    try:
        line = encode(event)
        if hidden():
            line = encode(masked_within(json.loads(line)))
        return decode(EVENT, line)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PluginError(
            f"The executor {type(executor).__name__} told of what is no event:"
            f" {shortened(str(error), 500)}."
        ) from error
