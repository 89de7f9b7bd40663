"""How events of a run are shown: live on a terminal, as lines elsewhere, as JSON, or hardly."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from toolkit.base.lines import describe

VERSION = 1
"""Of the lines that `--json` prints; docs/events.md says what each version holds."""


@dataclass(frozen=True)
class Manner:
    """How a command is to show a run, by its options `--json`, `--quiet` and `--verbose`."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False


class Display(Protocol):
    """Shows events."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Show one; never raises because the reader of the output went away."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def make_display(manner: Manner, stream: TextIO | None = None) -> Display:
    """The display that suits an output, standard output by default.

    Raises:
        RecipeError: the options contradict each other.
    """
    from toolkit.base.errors import RecipeError

    if manner.quiet and (manner.as_json or manner.verbose):
        other = "--json" if manner.as_json else "--verbose"
        raise RecipeError(
            f"--quiet and {other} were given, which contradict each other.",
            hint="Leave one of them out.",
        )
    stream = stream or sys.stdout
    if manner.as_json:
        return JsonLines(stream)
    if manner.quiet:
        return Warnings(stream)
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return PlainLines(stream, manner.verbose)
    from rich.console import Console

    from toolkit.cli.live import LiveDisplay

    return LiveDisplay(Console(), manner.verbose)


class _Lines:
    """Writes lines until nobody reads them any more; the search goes on all the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def write(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError:  # Nobody reads, or the disk that the output goes to is full.
            from toolkit.cli.guard import silence

            silence(self._stream)
            self._stream = None

    def close(self) -> None:
        pass


class JsonLines(_Lines):
    """One JSON object per event, as in the run's `events.jsonl`, with the lines' version."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        head = {"version": VERSION, "time": round(time.time(), 3), "event": name}
        self.write(json.dumps({**head, **body}))


class PlainLines(_Lines):
    """One line per event; a text of several lines (a trial's error) is indented below.

    Args:
        verbose: have a line for each epoch too.
    """

    def __init__(self, stream: TextIO, verbose: bool = False) -> None:
        super().__init__(stream)
        self._verbose = verbose

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        if self._verbose or name != "trial_reported":
            self.write(describe(name, body))


class Warnings(_Lines):
    """Warnings alone."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        if name == "warning":
            self.write(describe(name, body))
