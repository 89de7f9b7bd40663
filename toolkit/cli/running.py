"""How commands that run something show it: events while it runs, then what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from toolkit.base.interruption import not_unwinding
from toolkit.cli.console import Manner, make_display
from toolkit.cli.guard import working_in

if TYPE_CHECKING:
    from toolkit import Event, Run

    R = TypeVar("R", bound=Run)
    OnEvent = Callable[[Event], None]


def run_shown(manner: Manner, start: Callable[[OnEvent], R], tell: Callable[[R], None]) -> R:
    """Starts a run, shows its events, and tells what came of it, however it ended.

    Args:
        manner: how events are shown.
        start: runs it to its end, and calls what it is given with each event.
        tell: prints what there is at the end.

    Raises:
        RunFailedError, RunInterrupted: it did not end well; what came of it was told.
    """
    from toolkit import RunFailedError, RunInterrupted

    try:
        with _shown(manner) as hear, not_unwinding():
            run = start(hear)
    except (RunFailedError, RunInterrupted) as ending:
        tell(ending.run)  # type: ignore[arg-type] # it is what `start` would have returned
        raise
    tell(run)
    return run


@contextmanager
def _shown(manner: Manner) -> Iterator[OnEvent]:
    stdout = sys.stdout
    with plugins_print_elsewhere(manner.as_json):
        display = make_display(manner, stdout)

        def hear(event: Event) -> None:
            if event.name in ("run_started", "sweep_started", "evaluation_started"):
                working_in(Path(event.facts["folder"]))
            display.event(event.name, event.facts)

        try:
            yield hear
        finally:
            display.close()


@contextmanager
def plugins_print_elsewhere(as_json: bool) -> Iterator[None]:
    """Where standard output carries JSON, what plugins print goes to standard error."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield
