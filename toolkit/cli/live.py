"""A run on a terminal: what is being done, what runs where, what was reached, how long it takes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.base.interruption import part_with
from toolkit.base.lines import describe, step_text, values_text
from toolkit.cli.progress import GOOD, Progress, Running
from toolkit.cli.remaining import clock, seconds_left

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_STYLES = {"warning": "yellow", "trial_requeued": "yellow", "run_ended": "bold"}
_UNTOLD = ("trial_started", "trial_reported")
"""Events that the view shows in place of a line."""
_UNKNOWN = "time left not known"
"""Said where nothing was measured yet to tell it by."""
SHOW_CURSOR = b"\x1b[?25h\r\n"
"""Ends the line that was drawn on, and shows the cursor that the view has hidden."""
BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
"""Marks of a spark line, lowest first; the second are for terminals that know ASCII alone."""
_MEDIUM, _WIDE = 80, 120
"""Columns from which on the worker, and the searched values, have room."""
_OTHER_LINES = 7
"""Lines of a terminal that are not for running trials."""


class LiveDisplay:
    """Shows a run on a terminal, redrawn four times a second; ends of trials scroll past above it.

    Args:
        console: to draw on.
        verbose: have a line for each epoch too.
    """

    def __init__(self, console: Console, verbose: bool = False) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._console, self._verbose = console, verbose
        self._progress = Progress()
        self._lock = threading.Lock()
        self._spinner = Spinner("line" if console.options.ascii_only else "dots")
        self._live = Live(
            get_renderable=lambda: self,
            console=console,
            refresh_per_second=4,
            transient=True,
        )
        self._live.start()
        part_with(SHOW_CURSOR)

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Shows an event."""
        from rich.text import Text

        with self._lock:
            self._progress.take(name, body)
        if name not in _UNTOLD or (self._verbose and name == "trial_reported"):
            self._console.print(Text(describe(name, body), style=_style(name, body)))
        if name == "stopping":
            self._live.refresh()

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self._live.stop()
        part_with(b"")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            yield from self._parts(options)

    def _parts(self, options: ConsoleOptions) -> Sequence[RenderableType]:
        from rich.text import Text

        progress = self._progress
        self._spinner.update(text=Text(progress.phase(), style="bold", no_wrap=True))
        parts: list[RenderableType] = [self._spinner]
        if progress.running:
            most = max((options.height or self._console.height) - _OTHER_LINES, 1)
            parts.append(_table(list(progress.running.values()), progress, options, most))
        keys = progress.stopping or "Ctrl-C ends after the current epochs, twice at once"
        styled = {progress.reached(): "", _times(progress): "", keys: "dim"}
        if progress.stopping:
            styled[keys] = "yellow"
        parts += [
            Text(line, style=style, no_wrap=True, overflow="ellipsis")
            for line, style in styled.items()
            if line
        ]
        return parts


def _times(progress: Progress) -> str:
    left = seconds_left(progress)
    workers = f"{progress.slots} worker{'' if progress.slots == 1 else 's'}"
    place = f"{workers} on {progress.device}, " if progress.device else ""
    return f"{place}{clock(progress.used_s)} used" + (
        f", {_UNKNOWN}" if left is None else f", about {clock(left)} left"
    )


def _table(
    running: list[Running], progress: Progress, options: ConsoleOptions, most: int
) -> RenderableType:
    """A row for each running trial; what does not fit the width is left out from the right."""
    from rich.table import Table
    from rich.text import Text

    width = options.max_width
    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("cyan", "dim", "", "", "dim"):
        table.add_column(style=style, no_wrap=True, overflow="ellipsis")
    if width >= _WIDE:
        table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    metric = next(iter(progress.objectives), "")
    for trial in running[:most]:
        name = f"#{trial.number} {trial.label}".rstrip()
        cells = [
            name[: width // 3],
            f"worker {trial.place}" if width >= _MEDIUM and trial.place else "",
            step_text(trial.step, trial.epochs) or clock(progress.now() - trial.began),
            _shown_values(trial, metric, width),
            spark(trial.curve, width // 6, PLAIN_BARS if options.ascii_only else BARS),
        ]
        if width >= _WIDE:
            cells.append(trial.chosen)
        table.add_row(*[Text(cell) for cell in cells])
    if len(running) > most:
        table.add_row(Text(f"and {len(running) - most} more"))
    return table


def _shown_values(trial: Running, metric: str, width: int) -> str:
    """The first objective; further metrics where there is room."""
    if width < _MEDIUM and trial.values.get(metric) is not None:
        return values_text({metric: trial.values[metric]})
    first = {metric: trial.values[metric]} if metric in trial.values else {}
    values = {**first, **trial.values}
    while len(values) > 1 and len(values_text(values)) > width // 3:
        values.popitem()  # A number that is cut would be another one.
    return values_text(values)


def spark(curve: Sequence[float], width: int, marks: str = BARS) -> str:
    """Returns the last values of a curve as marks of heights between its least and its largest."""
    shown = curve[-max(width, 1) :]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(marks[min(int((v - low) / span * len(marks)), len(marks) - 1)] for v in shown)


def _style(name: str, body: Mapping[str, Any]) -> str:
    if name == "trial_ended":
        return "" if body.get("state") in GOOD else "red"
    return _STYLES.get(name, "")
