"""The tracker `tensorboard`: event files, one folder a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from toolkit.contracts import DataPath, Options, Tracker
from toolkit_trackers.common import numbers, parameters, require, trial_name


class TensorboardOptions(Options):
    """Where the event files go."""

    folder: DataPath | None = Field(None, description="by default track/tensorboard in the run")


class TensorboardTracker(Tracker):
    """Metrics by epoch, and each trial's parameters with what it came to.

    TensorBoard has no artefacts: where the report and the model lie is told as text.
    """

    Options = TensorboardOptions

    def __init__(self, options: TensorboardOptions) -> None:
        super().__init__(options)
        require("tensorboard", "tensorboard")
        self._writers: dict[str, Any] = {}
        self._given: dict[str, dict[str, Any]] = {}
        self._steps: dict[str, int] = {}

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "run_started":
            own = Path(facts["folder"]) / "track" / "tensorboard"
            self._folder = self.options.folder or own
        elif name == "trial_started":
            self._given[trial_name(facts)] = parameters(facts)
        elif name == "trial_reported":
            trial = trial_name(facts)
            self._steps[trial] = facts["step"]
            for metric, value in numbers(facts["values"]).items():
                self._writer(trial).add_scalar(metric, value, facts["step"])
        elif name == "trial_ended":
            self._end_trial(facts)
        elif name in ("exported", "run_ended"):
            self._writer("run").add_text(name, str(facts["folder"]))

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _writer(self, name: str) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        if name not in self._writers:
            self._writers[name] = SummaryWriter(str(self._folder / name))
        return self._writers[name]

    def _end_trial(self, facts: Mapping[str, Any]) -> None:
        trial = trial_name(facts)
        end = {f"end/{name}": value for name, value in numbers(facts["values"]).items()}
        given = self._given.pop(trial, {"source": str(facts["source"])})
        step = self._steps.pop(trial, 0)
        writer = self._writer(trial)
        writer.add_hparams(given, end, run_name=".", global_step=step)
        writer.add_text("state", facts["state"])
        self._writers.pop(trial).close()
