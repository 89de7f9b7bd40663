"""Commands that plugins add: entry points of the group `toolkit.commands`, one function each."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

GROUP = "toolkit.commands"


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yields name and function of every contributed command, in the order of names.

    One that does not load is a command that says so when it is called.
    """
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name):
        try:
            yield entry.name, entry.load()
        except Exception as error:
            yield entry.name, _broken(entry, error)


def _broken(entry: importlib.metadata.EntryPoint, error: Exception) -> Callable[[], None]:
    def command() -> None:
        from toolkit.errors import PluginError

        raise PluginError(
            f"The command {entry.name} ({entry.value}) does not load: {error}.",
            hint="Install its package again, or remove it.",
        )

    command.__doc__ = "This command does not load."
    return command
