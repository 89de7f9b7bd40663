"""A run read back from its folder: trials as a table, what was found, the model."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

import toolkit
from command_line import IN_PROCESS


def test_trials_are_a_table_with_a_column_for_each_searched_value_and_metric(
    finished: toolkit.Run,
) -> None:
    trials = finished.trials()
    assert list(trials["number"]) == [1, 2]
    assert list(trials["state"]) == ["done", "done"]
    assert trials["train.lr"].between(0.01, 0.1).all()
    assert {"accuracy", "loss", "epochs", "parameters", "duration_s", "seed"} <= set(trials)
    assert pandas.api.types.is_float_dtype(trials["accuracy"])
    assert {"width", "depth"} == set(trials["architecture"][0])
    everything = finished.trials(all=True)
    assert list(everything["label"]) == ["train", "train", "found", "plain"]
    assert everything["train.lr"].notna().all(), "baselines are trained as the find is"


def test_without_pandas_trials_are_dicts_with_the_same_columns(
    finished: toolkit.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = finished.trials(all=True)
    monkeypatch.setitem(sys.modules, "pandas", None)
    rows = finished.trials(all=True)
    assert [list(row) for row in rows] == [list(table)] * 4
    assert [row["train.lr"] for row in rows] == table["train.lr"].tolist()


def test_what_was_found_is_told_with_its_results(finished: toolkit.Run) -> None:
    best, outcome = finished.best, finished.outcome
    assert best is not None and outcome is not None
    trials = finished.trials()
    assert best.values["accuracy"] == trials["accuracy"].max()
    assert best.point["train"]["lr"] == trials["train.lr"][best.trial - 1]
    assert best.number == best.trial
    assert best.architecture == finished.architecture == outcome.architecture
    found, plain = finished.networks
    assert (found.name, plain.name) == ("found", "plain")
    assert found.test["accuracy"] == outcome.test["accuracy"]
    assert "plain" in finished.verdict
    assert finished.state == "done"
    assert finished.status["trials"] == {"done": 2}
    assert finished.recipe["train"]["lr"] == {"log": [0.01, 0.1]}
    assert repr(finished) == (
        f"<Run 'tiny' in {finished.folder}: done, best accuracy {best.values['accuracy']:.4g}>"
    )


def test_the_model_predicts_with_its_weights_and_nothing_is_written(finished: toolkit.Run) -> None:
    import torch
    from safetensors.torch import load_file

    before = sorted(finished.folder.rglob("*"))
    model = finished.model()
    inputs = torch.ones(3, 4)
    weights = load_file(finished.folder / "best" / "weights.safetensors")
    expected = inputs @ weights["linear.weight"].T + weights["linear.bias"]
    with torch.no_grad():
        torch.testing.assert_close(model(inputs), expected)
    assert not model.training
    assert sorted(finished.folder.rglob("*")) == before


def test_one_trial_has_its_learning_curve_and_its_logs(finished: toolkit.Run) -> None:
    trial = finished.trial(1)
    assert [metric["step"] for metric in trial["metrics"]] == [1]
    assert trial["metrics"][0]["accuracy"] == trial["values"]["accuracy"]
    assert [path.name for path in finished.logs()] == ["engine.log"]
    assert {path.name for path in finished.logs(1)} <= {"stdout.log", "stderr.log"}
    with pytest.raises(toolkit.ToolkitError, match="has no trial 99"):
        finished.trial(99)


def test_a_report_is_written_whenever_it_is_asked_for(finished: toolkit.Run) -> None:
    path = finished.folder / "report.html"
    path.unlink()
    assert finished.report() == path
    assert "tiny" in path.read_text()


def test_reading_a_run_imports_none_of_its_plugins(finished: toolkit.Run) -> None:
    import subprocess

    code = (
        "import sys, toolkit\n"
        f"run = toolkit.Run({str(finished.folder)!r})\n"
        "repr(run), run.status, run.rows(), run.best, run.outcome, run.report()\n"
        "print([name for name in sys.modules if 'tiny_plugin' in name])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def test_what_is_no_run_is_refused(home: Path) -> None:
    for folder, says in ((home / "absent", "does not exist"), (home, "is no run folder")):
        with pytest.raises(toolkit.ToolkitError, match=says):
            toolkit.Run(folder)


def test_a_run_without_model_says_so(home: Path, recipe: Any, plugins: Any) -> None:
    failing = {"space": {"name": "tiny_space", "fault": "raise"}}
    with pytest.raises(toolkit.RunFailedError, match="Nothing was found") as caught:
        toolkit.search(
            recipe,
            plugins=[*plugins, IN_PROCESS],
            executor="in_process",
            output="failed",
            **failing,
        )
    run = caught.value.run
    assert int(caught.value.exit_code) == 3
    assert (run.best, run.outcome, run.networks) == (None, None, [])
    assert "broken on purpose" in run.trials()["error"][0]
    assert repr(run) == "<Run 'tiny' in failed: failed>"
    with pytest.raises(toolkit.ToolkitError, match="has exported no model yet"):
        run.model()


def test_a_notebook_shows_how_far_a_run_is(finished: toolkit.Run, tmp_path: Path) -> None:
    shown = finished._repr_html_()
    assert "<strong>tiny</strong>" in shown and "2 done of 2" in shown and "found" in shown
    assert "<script" not in shown
    odd = shutil.copytree(finished.folder, tmp_path / "<b>odd")
    assert "<b>odd" not in toolkit.Run(odd)._repr_html_()
    (odd / "ledger.sqlite").write_bytes(b"damaged" * 200)
    assert "damaged" in toolkit.Run(odd)._repr_html_()
