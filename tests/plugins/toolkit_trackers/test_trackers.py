"""What TensorBoard, MLflow and Weights & Biases show of a run, read back with their own readers."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.run.events import EventLog
from toolkit_trackers import common
from toolkit_trackers.mlflow import MlflowOptions, MlflowTracker
from toolkit_trackers.tensorboard import TensorboardOptions, TensorboardTracker
from toolkit_trackers.wandb import WandbOptions, WandbTracker

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


def stored_by_wandb(path: Path) -> Iterator[bytes]:
    """The records of a `.wandb` file: LevelDB's log format behind a header of 7 bytes."""
    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (1 << 15) - place % (1 << 15) < 7:  # Too little is left of the block for a header.
            place += (1 << 15) - place % (1 << 15)
        _, size, kind = struct.unpack_from("<IHB", content, place)
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # A whole record, or the last part of one.
            yield record
            record = b""


def kept_by_wandb(folder: Path) -> dict[str, dict[str, Any]]:
    """What offline runs hold for `wandb sync`, by name: parameters, history, summary, artefacts."""
    from wandb.proto.wandb_internal_pb2 import Record

    kept: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("track/wandb/offline-run-*/*.wandb")):
        read: dict[str, Any] = {"history": [], "summary": {}, "artefacts": [], "code": None}
        for data in stored_by_wandb(path):
            record = Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                read["id"], read["name"] = record.run.run_id, record.run.display_name
                read["group"], read["project"] = record.run.run_group, record.run.project
                read["config"] = {u.key: json.loads(u.value_json) for u in record.run.config.update}
            elif kind == "history":
                items = {"/".join(i.nested_key) or i.key: i for i in record.history.item}
                row = {name: json.loads(item.value_json) for name, item in items.items()}
                read["history"].append({n: v for n, v in row.items() if not n.startswith("_")})
            elif kind == "summary":
                for item in record.summary.update:
                    name = "/".join(item.nested_key) or item.key
                    read["summary"][name] = json.loads(item.value_json)
            elif kind == "request":
                if record.request.WhichOneof("request_type") == "log_artifact":
                    read["artefacts"].append(record.request.log_artifact.artifact.type)
            elif kind == "artifact":
                read["artefacts"].append(record.artifact.type)
            elif kind == "exit":
                read["code"] = record.exit.exit_code
        before = kept.setdefault(read["name"], read)
        if before is not read:
            assert before["id"] == read["id"], "a resumed search goes on in the same runs"
            before["history"] += read["history"]
    return kept


def test_wandb_keeps_offline_runs_that_a_resumed_search_goes_on_with(tmp_path: Path) -> None:
    pytest.importorskip("wandb.proto.wandb_internal_pb2")
    options = WandbOptions(mode="offline")
    tell(tmp_path, WandbTracker(options))
    tell(tmp_path, WandbTracker(options), resumed=True)
    kept = kept_by_wandb(tmp_path)
    assert set(kept) == {"digits", "trial-0001"}
    trial, whole = kept["trial-0001"], kept["digits"]
    assert trial["group"] == whole["group"] == whole["id"]
    assert trial["project"] == whole["project"] == "digits"
    assert trial["config"]["train.lr"] == 0.1
    assert trial["config"]["architecture.n"] == "[1, 2]"
    rows = [{"epoch": step, "accuracy": step / 4} for step in (1, 2, 3)]
    assert trial["history"] == rows, "NaN is no point of a curve"
    assert trial["summary"]["end/accuracy"] == 0.75
    assert trial["summary"]["state"] == "done"
    assert set(whole["artefacts"]) == {"model", "report"}
    assert (trial["code"], whole["code"]) == (0, 0)


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "find_spec", lambda package: None)
    with pytest.raises(ToolkitError, match="needs the package mlflow") as caught:
        MlflowTracker(MlflowOptions())
    assert "nas-toolkit[mlflow]" in caught.value.hint
