"""Every network that was trained from scratch can be handed over."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import toolkit
from command_line import run_toolkit
from tiny import PLUGINS, tiny_recipe
from toolkit.base.errors import ExitCode, ToolkitError
from toolkit.base.summary import format_metric
from toolkit.contracts import Outcome, TrialState
from toolkit.contracts.jobs import Fault
from toolkit.export import formats, load_model
from toolkit.run.facts import OUTCOME
from toolkit.run.ledger import Ledger


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> toolkit.Run:
    words = tiny_recipe(
        budget={"trials": 1}, train={"epochs": 2, "final": {"seeds": 2, "random": 1}}
    )
    folder = tmp_path_factory.mktemp("export") / "run"
    return toolkit.search(words, plugins=PLUGINS, output=folder)


@pytest.mark.parametrize("network", ["found", "plain", "random-1"])
def test_a_network_is_written_with_the_weights_it_was_tested_with(
    run: toolkit.Run, network: str, tmp_path: Path
) -> None:
    folder = run.export(network=network, output=tmp_path / "out")
    assert run.outcome is not None
    card = (folder / "card.md").read_text()
    assert any(t.fingerprint in card for t in run.outcome.trainings_of(network))
    scores = load_model(folder)(torch.zeros(3, 4))
    assert scores.shape == (3, 2)
    point = json.loads((folder / "architecture.json").read_text())
    assert set(point) == {"width", "depth"}


def test_what_was_found_is_drawn_beside_another_network_in_best(tmp_path: Path) -> None:
    words = tiny_recipe(budget={"trials": 1}, train={"epochs": 1, "final": {"seeds": 1}})
    run = toolkit.search(words, plugins=PLUGINS, output=tmp_path / "run")
    outcome, drawing = run.outcome, tmp_path / "run" / "best" / "found.svg"
    assert outcome is not None and drawing.is_file() == (outcome.handed_over != "found")
    card = (tmp_path / "run" / "best" / "card.md").read_text()
    assert "## Data" in card and "- training: " in card and "- validation: " in card


def test_the_card_tells_of_the_networks_own_test(run: toolkit.Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    with closing(Ledger.open(folder / "ledger.sqlite")) as ledger:
        outcome = ledger.get(OUTCOME)
        assert outcome is not None and outcome.handed_over == "found"
        trainings = tuple(
            replace(t, test={"accuracy": 0.25, "loss": 2.0}) if t.label == "plain" else t
            for t in outcome.trainings
        )
        ledger.put_fact(OUTCOME, replace(outcome, trainings=trainings))
    card = (toolkit.Run(folder).export(network="plain") / "card.md").read_text()
    assert "- handed over: the network plain, as it was asked for" in card
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith("| ")]
    accuracies = {row[0]: row[2] for row in rows}
    assert accuracies["| this model's architecture"] == "0.2500 ± 0.0000"
    assert accuracies["| what the search found"] == format_metric(
        outcome.test_of("found")["accuracy"]
    )


def test_a_format_that_cannot_hold_the_model_is_answered_once(
    run: toolkit.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> torch.Tensor:
        raise ToolkitError("It cannot be traced.", hint="Without --to it can be had.")

    monkeypatch.setitem(formats._WRITERS, "state-dict", refuse)
    failed = run_toolkit("export", run.folder, "--network", "plain", "--to", "state-dict")
    assert failed.code == 1 and failed.err.count("It cannot be traced.") == 1
    assert not (run.folder / "exports" / "plain").exists()
    assert not list(run.folder.glob("exports/.*"))


def test_the_command_says_where_and_what_there_is(run: toolkit.Run, tmp_path: Path) -> None:
    number = str(run.outcome.trainings[-1].number)  # type: ignore[union-attr]
    done = run_toolkit("export", run.folder, "--trial", number)
    assert done.code == 0, done.err
    assert Path(done.out.strip()) == run.folder / "exports" / "random-1"
    again = run_toolkit("export", run.folder, "--trial", number)
    assert again.code == 2 and "holds something" in again.err
    before = {path.name for path in (run.folder / "exports" / "random-1").iterdir()}
    more = run_toolkit("export", run.folder, "--trial", number, "--to", "state-dict")
    assert more.code == 0, more.err
    after = {path.name for path in (run.folder / "exports" / "random-1").iterdir()}
    assert after - before == {"state_dict.pt"} and not before - after
    assert [path.name for path in (run.folder / "exports").iterdir()] == ["random-1"]
    (run.folder / "exports" / "random-1" / "weights.safetensors").write_bytes(b"another")
    other = run_toolkit("export", run.folder, "--trial", number, "--to", "state-dict")
    assert other.code == 2 and "holds another network" in other.err
    wrong = run_toolkit("export", run.folder, "--network", "plian", "-o", tmp_path / "x")
    assert wrong.code == 2
    assert "There is no network 'plian' (did you mean plain?)" in wrong.err
    assert "There are found, plain, random-1." in wrong.err
    search = run_toolkit("export", run.folder, "--trial", "1", "-o", tmp_path / "x")
    assert search.code == 2 and "its weights were not kept" in search.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("advice", "hint"),
    [("Use --to torch-export.", "Use --to torch-export."), ("", "Give the same command again.")],
)
def test_a_failed_export_tells_one_thing_to_do(
    advice: str, hint: str, run: toolkit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Outcome(TrialState.FAILED, fault=Fault("ONNX has no operator", advice, ExitCode(1)))
    monkeypatch.setattr("toolkit.worker.jobs.JobRunner.run", lambda *_: ended)
    with pytest.raises(toolkit.ToolkitError, match="The export failed: ONNX") as caught:
        run.export(output=tmp_path / "out")
    assert caught.value.hint == hint
