"""What a search says while it runs: live on a terminal, one line per event elsewhere, or JSON.

An event has a name and flat facts (`toolkit.run.events`). Facts are shown by what they are
called, so events that are not known here read well too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SHORT_ID = 8
_GOOD = ("done", "pruned")
_STYLES = {"warning": "yellow", "trial_requeued": "yellow", "run_ended": "bold"}


class Display(Protocol):
    """Shows events."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Show one; never raises because the reader of the output went away."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def make_display(as_json: bool, stream: TextIO | None = None) -> Display:
    """The display that suits an output, standard output by default."""
    stream = stream or sys.stdout
    if as_json:
        return JsonLines(stream)
    return LiveDisplay() if stream.isatty() else PlainLines(stream)


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
    """One JSON object per event, as in the run's `events.jsonl`."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        self.write(json.dumps({"time": round(time.time(), 3), "event": name, **body}))


class PlainLines(_Lines):
    """One line per event; a text of several lines (a trial's error) is indented below."""

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        self.write(describe(name, body))


def describe(name: str, body: Mapping[str, Any]) -> str:
    """An event in one line, with several-line texts indented below it."""
    parts, texts = [], []
    for key, value in body.items():
        if value is None or value == "" or value == {} or value == []:
            continue
        if isinstance(value, str) and "\n" in value.strip():
            if key == "error":
                parts.append(value.strip().splitlines()[-1])
            else:
                texts += value.strip().splitlines()
        else:
            parts.append(_fact(key, value))
    line = f"{name:<15} {'  '.join(parts)}".rstrip()
    return "\n".join([line, *(f"    {text}".rstrip() for text in texts)])


def _fact(key: str, value: Any) -> str:
    if key == "number":
        return f"#{value}"
    if key in ("state", "message", "reason", "error"):
        return str(value).strip()
    if key == "step":
        return f"epoch {value}"
    if key.endswith("_s") and _is_number(value):
        return f"{value:.1f} s" if key == "duration_s" else f"{key[:-2]} {value:.1f} s"
    if key == "fingerprint":
        return str(value)[:_SHORT_ID]
    if key == "values" and isinstance(value, Mapping):
        return values_text(value)
    return f"{key}={_compact(value)}"


def _compact(value: Any) -> str:
    from toolkit.analysis.summary import format_metric, format_number

    if isinstance(value, Mapping):
        if "mean" in value and "std" in value:
            return format_metric(value).replace(" ", "")
        return "{" + " ".join(f"{name}:{_compact(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_compact, value)) + "]"
    return format_number(value) if isinstance(value, float) else str(value)


def values_text(values: Mapping[str, Any]) -> str:
    """Metrics in one line: `accuracy 0.9312  loss 0.201`."""
    from toolkit.analysis.summary import format_number

    return "  ".join(
        f"{name} {format_number(value)}" if _is_number(value) else f"{name} {value}"
        for name, value in values.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


class LiveDisplay:
    """Progress on a terminal: what runs, what was reached, and a line for each end of a trial."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._began = time.monotonic()
        self._state = Progress()
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4, transient=True
        )
        self._live.start()

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        from rich.text import Text

        self._state.take(name, body)
        if name not in ("trial_started", "trial_reported"):
            self._console.print(Text(describe(name, body), style=_style(name, body)))

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        state = self._state
        table = Table(box=None, pad_edge=False, show_header=False)
        for label, epoch, values in state.running_rows():
            table.add_row(Text(label, style="cyan"), Text(epoch), Text(values, style="dim"))
        elapsed = int(time.monotonic() - self._began)
        clock = f"{elapsed // 3600}:{elapsed // 60 % 60:02}:{elapsed % 60:02}"
        return Group(Spinner("dots", Text(f"{clock}  {state.summary()}", style="bold")), table)


def _style(name: str, body: Mapping[str, Any]) -> str:
    if name == "trial_ended":
        return "" if body.get("state") in _GOOD else "red"
    return _STYLES.get(name, "")


class Progress:
    """How far a run is, as its events tell."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.objectives: Mapping[str, str] = {}
        self.running: dict[int, dict[str, Any]] = {}
        self.states: dict[str, int] = {}
        self.best: tuple[int, float] | None = None
        self.final: tuple[int, int] | None = None
        self.doing = "starting"

    def take(self, name: str, body: Mapping[str, Any]) -> None:
        """Hear one event."""
        number = body.get("number")
        if name == "run_started":
            self.__init__()  # type: ignore[misc] # a sweep's display sees several runs
            self.total, self.objectives = body.get("trials"), body.get("objectives") or {}
        elif name == "prepare_started":
            self.doing = "preparing"
        elif name in ("smoke_passed", "resumed"):
            self.doing = "searching"
        elif name == "final_started":
            self.doing, self.final = "training from scratch", (0, body.get("trainings") or 0)
        elif name == "final_ended":
            self.doing = "testing and exporting"
        elif name == "trial_started" and number is not None:
            self.doing = "searching" if self.final is None else self.doing
            self.running[number] = {"label": body.get("label") or body.get("kind") or ""}
        elif name == "trial_reported" and number in self.running:
            self.running[number].update(step=body.get("step"), values=body.get("values") or {})
        elif name == "trial_requeued":
            self.running.pop(number, None)  # type: ignore[arg-type]
        elif name == "trial_ended":
            self.running.pop(number, None)  # type: ignore[arg-type]
            self._count(body)

    def _count(self, body: Mapping[str, Any]) -> None:
        if body.get("phase") == "final" or self.final is not None:
            done, total = self.final or (0, 0)
            self.final = (done + 1, total)
            return
        state = str(body.get("state"))
        self.states[state] = self.states.get(state, 0) + 1
        metric, direction = next(iter(self.objectives.items()), ("", "maximize"))
        value = _number((body.get("values") or {}).get(metric))
        if state != "done" or value is None:
            return
        sign = 1 if direction == "maximize" else -1
        if self.best is None or sign * value > sign * self.best[1]:
            self.best = (int(body["number"]), value)

    def summary(self) -> str:
        """One line: what is being done, how many trials ended how, and the best of them."""
        ended = sum(self.states.values())
        total = f" of {self.total}" if self.total else ""
        bad = ", ".join(
            f"{count} {state}" for state, count in self.states.items() if state not in _GOOD
        )
        parts = [self.doing, f"{ended}{total} trials ended{f' ({bad})' if bad else ''}"]
        if self.final is not None:
            parts.append(f"{self.final[0]} of {self.final[1]} trainings")
        if self.best is not None:
            metric = next(iter(self.objectives))
            parts.append(f"best {metric} {_compact(self.best[1])} (#{self.best[0]})")
        return "  ".join(parts)

    def running_rows(self) -> Sequence[tuple[str, str, str]]:
        """Trial, epoch and last metrics of each running trial."""
        return [
            (
                f"#{number} {facts['label']}".rstrip(),
                f"epoch {facts['step']}" if facts.get("step") else "",
                values_text(facts.get("values", {})),
            )
            for number, facts in self.running.items()
        ]
