"""What TensorBoard and MLflow show of a run, read back with their own readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.run.events import EventLog
from toolkit_trackers import common
from toolkit_trackers.mlflow import MlflowOptions, MlflowTracker
from toolkit_trackers.tensorboard import TensorboardOptions, TensorboardTracker

TRIAL = {"number": 1, "phase": "search", "label": ""}


def tell(folder: Path, tracker: Any, *, resumed: bool = False) -> None:
    """A run of one trial with two epochs; or what a resumed one adds, a third."""
    events = EventLog(folder / "events.jsonl")
    events.add(tracker)
    events.emit("run_started", name="digits", folder=str(folder))
    point = {"architecture": {"op": "conv", "n": [1, 2]}, "train": {"lr": 0.1}}
    events.emit("trial_started", **TRIAL, seed=3, point=point, fidelity={"epochs": 2})
    for step in (3,) if resumed else (1, 2):
        values = {"accuracy": step / 4, "loss": float("nan")}
        events.emit("trial_reported", **TRIAL, step=step, values=values)
    events.emit("trial_ended", **TRIAL, state="done", values={"accuracy": 0.75}, source=None)
    (folder / "best").mkdir(exist_ok=True)
    (folder / "best" / "card.md").write_text("a card")
    (folder / "report.html").write_text("<p>a report")
    events.emit("exported", folder=str(folder / "best"), training=1)
    events.emit("run_ended", exit_code=0, folder=str(folder))
    events.close()
    assert "warning" not in (folder / "events.jsonl").read_text()


def test_mlflow_has_nested_runs_that_a_resumed_search_goes_on_with(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow import MlflowClient

    tell(tmp_path, MlflowTracker(MlflowOptions()))
    tell(tmp_path, MlflowTracker(MlflowOptions()), resumed=True)
    client = MlflowClient(f"sqlite:///{tmp_path / 'track' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("digits")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"digits", "trial-0001"}
    trial, whole = runs["trial-0001"], runs["digits"]
    assert trial.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert trial.data.params["train.lr"] == "0.1"
    assert trial.data.params["architecture.n"] == "[1, 2]"
    history = client.get_metric_history(trial.info.run_id, "accuracy")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert trial.data.metrics["end.accuracy"] == 0.75
    assert (trial.info.status, whole.info.status) == ("FINISHED", "FINISHED")
    artefacts = {each.path for each in client.list_artifacts(whole.info.run_id)}
    assert artefacts == {"best", "report.html"}


def test_tensorboard_has_a_curve_and_the_parameters_of_a_trial(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell(tmp_path, TensorboardTracker(TensorboardOptions()))
    shown = EventAccumulator(str(tmp_path / "track" / "tensorboard" / "trial-0001"))
    shown.Reload()
    curve = [(event.step, event.value) for event in shown.Scalars("accuracy")]
    assert curve == [(1, 0.25), (2, 0.5)]
    assert "loss" not in shown.Tags()["scalars"], "NaN is no point of a curve"
    assert (
        shown.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == "hparams"
    )


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "find_spec", lambda package: None)
    with pytest.raises(ToolkitError, match="needs the package mlflow") as caught:
        MlflowTracker(MlflowOptions())
    assert "nas-toolkit[mlflow]" in caught.value.hint
