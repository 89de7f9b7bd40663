"""The tracker `wandb`: a run of Weights & Biases for the search, and one in its group a trial."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from toolkit.base.files import write_atomically
from toolkit.contracts import Options, Tracker
from toolkit_trackers.common import numbers, parameters, require, trial_name

_END = "end/"


class WandbOptions(Options):
    """Where Weights & Biases shows the runs."""

    project: str | None = Field(None, description="by default the recipe's name")
    entity: str | None = Field(None, description="user or team; by default your own")
    mode: Literal["online", "offline"] | None = Field(
        None,
        description="`offline` keeps all in track/wandb of the run, for `wandb sync`; by default"
        " WANDB_MODE, else online",
    )


class WandbTracker(Tracker):
    """Parameters, metrics by epoch, the report and `best/` as artefacts.

    A resumed search goes on in the same runs: their ids are in `track/wandb.json`.
    """

    Options = WandbOptions

    def __init__(self, options: WandbOptions) -> None:
        super().__init__(options)
        require("wandb", "wandb")
        self._ids: dict[str, str] = {}
        self._open: dict[str, Any] = {}

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "run_started":
            self._begin(facts)
        elif name == "trial_started":
            self._trial(facts, parameters(facts))
        elif name == "trial_reported":
            values = numbers(facts["values"])
            self._trial(facts).log({"epoch": facts["step"], **values})
        elif name == "trial_ended":
            self._end_trial(facts)
        elif name == "exported":
            self._keep(Path(facts["folder"]), "model")
        elif name == "run_ended":
            self._end(facts)

    def close(self) -> None:
        """Ends what is open still, as broken off, and waits until all is written."""
        for key in list(self._open):
            self._finish(key, good=False)
        if self._ids:
            import wandb

            wandb.teardown()

    def _begin(self, facts: Mapping[str, Any]) -> None:
        self._folder, self._name = Path(facts["folder"]) / "track", str(facts["name"])
        self._folder.mkdir(exist_ok=True)
        self._kept = self._folder / "wandb.json"
        if self._kept.exists():
            self._ids = json.loads(self._kept.read_text(encoding="utf-8"))
        self._run("search", self._name, {})

    def _run(self, key: str, name: str, given: Mapping[str, Any]) -> Any:
        """A run of Weights & Biases, opened or gone on with."""
        import wandb

        if key not in self._open:
            if key not in self._ids:
                self._ids[key] = uuid.uuid4().hex[:8]
                write_atomically(self._kept, json.dumps(self._ids))
            self._open[key] = wandb.init(
                id=self._ids[key],
                resume="allow",
                reinit="create_new",
                project=self.options.project or self._name,
                entity=self.options.entity,
                mode=self.options.mode,
                dir=str(self._folder),
                name=name,
                group=self._ids["search"],
                job_type="search" if key == "search" else "trial",
                config=dict(given),
                settings=wandb.Settings(
                    console="off", silent=True, disable_git=True, save_code=False
                ),
            )
        return self._open[key]

    def _trial(self, facts: Mapping[str, Any], given: Mapping[str, Any] = {}) -> Any:
        return self._run(str(facts["number"]), trial_name(facts), given)

    def _end_trial(self, facts: Mapping[str, Any]) -> None:
        run = self._trial(facts)
        end = {f"{_END}{name}": value for name, value in numbers(facts["values"]).items()}
        run.summary.update({**end, "state": facts["state"], "phase": facts["phase"]})
        self._finish(str(facts["number"]), good=facts["state"] in ("done", "pruned"))

    def _keep(self, path: Path, kind: str) -> None:
        """Uploads a folder or a file as an artefact of the search."""
        import wandb

        artefact = wandb.Artifact(f"{kind}-{self._ids['search']}", type=kind)
        add = artefact.add_dir if path.is_dir() else artefact.add_file
        add(str(path))
        self._open["search"].log_artifact(artefact)

    def _end(self, facts: Mapping[str, Any]) -> None:
        report = Path(facts["folder"]) / "report.html"
        if report.exists():
            self._keep(report, "report")
        self._finish("search", good=facts["exit_code"] == 0)

    def _finish(self, key: str, *, good: bool) -> None:
        self._open.pop(key).finish(exit_code=0 if good else 1)
