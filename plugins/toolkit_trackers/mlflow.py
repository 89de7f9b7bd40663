"""The tracker `mlflow`: a run of MLflow for the search, and one below it for each trial."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from toolkit.base.files import write_atomically
from toolkit.contracts import Options, Tracker
from toolkit_trackers.common import numbers, parameters, require, trial_name

_LONGEST = 500
"""Characters of a parameter's value that MLflow takes."""
_ENDS = {"done": "FINISHED", "pruned": "KILLED", "queued": "KILLED"}


class MlflowOptions(Options):
    """Where MLflow keeps its runs."""

    uri: str | None = Field(
        None, description="a server or a store; by default MLFLOW_TRACKING_URI, else the run folder"
    )
    experiment: str | None = Field(None, description="by default the recipe's name")


class MlflowTracker(Tracker):
    """Parameters, metrics by epoch, the report and `best/` as artefacts.

    A resumed run goes on in the same runs of MLflow: their ids are in `track/mlflow.json`.
    """

    Options = MlflowOptions

    def __init__(self, options: MlflowOptions) -> None:
        super().__init__(options)
        require("mlflow", "mlflow")
        self._client: Any = None
        self._ids: dict[str, str] = {}

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "run_started":
            self._begin(facts)
        elif name == "trial_started":
            self._log(self._trial(facts), {}, 0, parameters(facts))
        elif name == "trial_reported":
            self._log(self._trial(facts), facts["values"], facts["step"])
        elif name == "trial_ended":
            self._end_trial(facts)
        elif name == "exported":
            self._client.log_artifacts(self._ids["run"], facts["folder"], "best")
        elif name == "run_ended":
            self._end(facts)

    def _begin(self, facts: Mapping[str, Any]) -> None:
        import os

        from mlflow import MlflowClient

        self._folder = Path(facts["folder"]) / "track"
        self._folder.mkdir(exist_ok=True)
        own = f"sqlite:///{self._folder / 'mlflow.db'}"
        self._client = MlflowClient(
            self.options.uri or os.environ.get("MLFLOW_TRACKING_URI") or own
        )
        self._kept = self._folder / "mlflow.json"
        if self._kept.exists():
            self._ids = json.loads(self._kept.read_text())
            return
        title = self.options.experiment or facts["name"]
        known = self._client.get_experiment_by_name(title)
        here = self.options.uri is None and "MLFLOW_TRACKING_URI" not in os.environ
        place = (self._folder / "mlflow").as_uri() if here else None
        experiment = known.experiment_id if known else self._client.create_experiment(title, place)
        self._ids = {"experiment": experiment}
        self._keep("run", self._client.create_run(experiment, run_name=facts["name"]))

    def _keep(self, key: str, run: Any) -> None:
        self._ids[key] = run.info.run_id
        write_atomically(self._kept, json.dumps(self._ids))

    def _trial(self, facts: Mapping[str, Any]) -> str:
        key = str(facts["number"])
        if key not in self._ids:
            tags = {"mlflow.parentRunId": self._ids["run"], "phase": facts["phase"]}
            run = self._client.create_run(
                self._ids["experiment"], tags=tags, run_name=trial_name(facts)
            )
            self._keep(key, run)
        return self._ids[key]

    def _log(
        self, run: str, values: Mapping[str, Any], step: int, given: Mapping[str, Any] = {}
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self._client.log_batch(
            run,
            [Metric(name, value, now, step) for name, value in numbers(values).items()],
            [Param(name, str(value)[:_LONGEST]) for name, value in given.items()],
        )

    def _end_trial(self, facts: Mapping[str, Any]) -> None:
        run = self._trial(facts)
        end = {f"end.{name}": value for name, value in (facts["values"] or {}).items()}
        self._log(run, end, 0)
        self._client.set_tag(run, "state", facts["state"])
        self._client.set_terminated(run, _ENDS.get(facts["state"], "FAILED"))

    def _end(self, facts: Mapping[str, Any]) -> None:
        report = Path(facts["folder"]) / "report.html"
        if report.exists():
            self._client.log_artifact(self._ids["run"], str(report))
        good = facts["exit_code"] == 0
        self._client.set_terminated(self._ids["run"], "FINISHED" if good else "FAILED")
