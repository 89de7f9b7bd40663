"""How far a run is, as its events tell: phases, what runs, what was reached, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.base.lines import point_text, stopping_text
from toolkit.base.plain import is_number

GOOD = ("done", "pruned")
KEPT = 200
"""Values of one curve that are kept."""


@dataclass
class Running:
    """A trial at work.

    Attributes:
        label: what is trained, where it is no ordinary trial.
        final: whether it is a training after the search.
        place: its worker and device, `1 cpu`.
        chosen: its searched values.
        epochs: how many it will report; None where nobody knows.
        began: when, in seconds of the progress's clock.
        step: of the last report; 0 before it.
        reports: how many there were.
        heard: when the last one came.
        values: of the last report.
        curve: the first objective, report by report.
    """

    number: int
    label: str
    final: bool
    place: str
    chosen: str
    epochs: int | None
    began: float
    step: int = 0
    reports: int = 0
    heard: float = 0.0
    values: Mapping[str, Any] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """Sums of what was measured.

    Attributes:
        trials, trials_s: trainings that ended, and their seconds together.
        reports, reports_s: epochs that were reported, and their seconds together.
    """

    trials: int = 0
    trials_s: float = 0.0
    reports: int = 0
    reports_s: float = 0.0


class Progress:
    """How far a run is; a sweep's display hears of several, one after the other.

    Args:
        now: a clock that never runs back, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.began = now()
        self.among: tuple[str, int, int | None] | None = None
        """Of a sweep or an evaluation: what its runs are called, the present one, how many."""
        self.stopping = ""
        self.tests: list[float] = []
        """Seconds of the tests of a sweep's earlier runs, or of an evaluation's earlier folds."""
        self._begin({})

    def _begin(self, body: Mapping[str, Any]) -> None:
        self.name = str(body.get("name") or "")
        self.total: int | None = body.get("trials")
        self.time_s: float | None = body.get("time_s")
        self.epochs: float | None = body.get("epochs")
        self.epochs_paid: float = body.get("epochs_paid") or 0.0
        self.spent_s: float = body.get("spent_s") or 0.0
        self.search_s: float = body.get("search_s") or 0.0
        self.trainings: int | None = body.get("trainings")
        self.slots: int = body.get("slots") or 1
        self.device = str(body.get("device") or "")
        self.objectives: Mapping[str, Any] = body.get("objectives") or {}
        self.running: dict[int, Running] = {}
        self.states: dict[str, int] = {}
        self.earlier = 0
        self.leading: list[tuple[int, Mapping[str, Any]]] = []
        self.final: tuple[int, int] | None = None
        self.search_epochs: int | None = None
        self.final_epochs: int | None = None
        self.search_began: float | None = None
        self.test_began: float | None = None
        self.measured = {False: Measured(), True: Measured()}
        self.doing = "checking one batch" if body else "starting"

    @property
    def ended(self) -> int:
        """Trials of the search that ended, in earlier sessions too."""
        return self.earlier + sum(self.states.values())

    @property
    def used_s(self) -> float:
        """Seconds spent on the run, in earlier sessions too."""
        return self.spent_s + self.now() - self.began

    def take(self, name: str, body: Mapping[str, Any]) -> None:
        """Hears one event."""
        number = body.get("number")
        match name:
            case "run_started":
                self._begin(body)
            case "resumed":
                self._resume(body)
            case "prepare_started":
                self.doing = "preparing the search space"
            case "stopping":
                self.stopping = stopping_text(body)
            case "search_ended":
                self.doing, self.running = "planning the final trainings", {}
            case "final_started":
                total = body.get("trainings") or 0
                self.doing, self.final = "training", (total - (body.get("open") or total), total)
            case "final_ended":
                self.doing, self.test_began = "testing", self.now()
            case "tested":
                if self.test_began is not None:
                    self.tests.append(self.now() - self.test_began)
                self.doing = "exporting"
            case "exported":
                self.doing = "writing the report"
            case "trial_started" if number is not None:
                self._start(number, body)
            case "trial_reported" if number in self.running:
                self._report(self.running[number], body)
            case "trial_requeued":
                self.running.pop(number, None)  # type: ignore[arg-type]
            case "trial_ended":
                self._end(body, self.running.pop(number, None))  # type: ignore[arg-type]
            case "sweep_started":
                self.among = ("run", 0, body.get("runs"))
            case "evaluation_started":
                self.among = ("fold", 0, body.get("folds"))
            case "sweep_run_started" | "fold_started" if self.among:
                what, _, count = self.among
                self.among, self.began = (what, body.get("fold") or number or 0, count), self.now()
            case "sweep_run_ended" | "fold_ended" if self.among:
                self.doing, self.running = f"starting the next {self.among[0]}", {}

    def _resume(self, body: Mapping[str, Any]) -> None:
        self.earlier = body.get("counted") or 0
        count, seconds = body.get("trials_s") or (0, 0.0)
        self.measured[False].trials, self.measured[False].trials_s = count, seconds
        self.leading = [(row["number"], row["values"]) for row in body.get("best") or ()]

    def _start(self, number: int, body: Mapping[str, Any]) -> None:
        final = body.get("phase") == "final"
        if not final:
            self.doing = "searching"
            self.search_began = self.now() if self.search_began is None else self.search_began
        label = str(body.get("label") or body.get("kind") or "")
        slot, device = body.get("slot"), body.get("device") or self.device
        epochs = body.get("epochs")
        if final:
            self.final_epochs = epochs
        else:
            self.search_epochs = epochs
        self.running[number] = Running(
            number=number,
            label="" if label == "train" else label,
            final=final,
            place="" if slot is None else f"{slot + 1} {device}",
            chosen=point_text(body.get("point")),
            epochs=epochs,
            began=self.now(),
        )

    def _report(self, trial: Running, body: Mapping[str, Any]) -> None:
        seconds = self.now() - (trial.heard or trial.began)
        trial.heard, trial.step = self.now(), body.get("step") or 0
        trial.reports += 1
        trial.epochs = body.get("epochs") or trial.epochs
        trial.values = body.get("values") or {}
        measured = self.measured[trial.final]
        measured.reports, measured.reports_s = measured.reports + 1, measured.reports_s + seconds
        if not trial.final:
            self.epochs_paid += 1
        value = trial.values.get(next(iter(self.objectives), ""))
        if value is not None and is_number(value):
            trial.curve = [*trial.curve, value][-KEPT:]

    def _end(self, body: Mapping[str, Any], trial: Running | None) -> None:
        final = body.get("phase") == "final" or self.final is not None
        if trial is not None and body.get("kind") != "supernet" and body.get("source") is None:
            measured = self.measured[final]
            measured.trials += 1
            measured.trials_s += self.now() - trial.began
        if final:
            done, total = self.final or (0, 0)
            self.final = (done + 1, total)
            return
        state = str(body.get("state"))
        self.states[state] = self.states.get(state, 0) + 1
        if state == "done" and body.get("kind") != "supernet":
            from toolkit.api.rows import take_in

            row = (int(body["number"]), dict(body.get("values") or {}))
            self.leading = take_in(self.leading, row, self.objectives)

    def phase(self) -> str:
        """Returns what is being done and how far it is: `searching 7 of 20`, `training 4 of 18`."""
        text = self.doing
        if self.doing == "searching":
            text += f" {self.ended} of {self.total}" if self.total else f", {self.ended} trials"
            bad = [f"{n} {state}" for state, n in self.states.items() if state not in GOOD]
            text += f" ({', '.join(bad)})" if bad else ""
        elif self.doing == "training" and self.final is not None:
            text += f" {self.final[0]} of {self.final[1]}"
        if self.among is None:
            return text
        what, number, count = self.among
        return f"{what} {number}{f' of {count}' if count else ''}: {text}"

    def reached(self) -> str:
        """Returns the best so far, or how far the Pareto front reaches."""
        from toolkit.base.summary import format_number

        if not self.leading:
            return ""
        if len(self.objectives) < 2:
            metric, (number, values) = next(iter(self.objectives)), self.leading[0]
            return f"best {metric} {format_number(values[metric])} (#{number})"
        ranges = []
        for metric in self.objectives:
            known = [values[metric] for _, values in self.leading]
            low, high = format_number(min(known)), format_number(max(known))
            ranges.append(f"{metric} {low}" + (f" to {high}" if high != low else ""))
        return f"front of {len(self.leading)}: {', '.join(ranges)}"
