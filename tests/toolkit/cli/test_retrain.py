"""`toolkit retrain`: what a search found, trained again, is what the search trained."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from command_line import IN_PROCESS
from tiny import PLUGIN
from toolkit.run.facts import OUTCOME
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import RunOutcome

PLUGINS = ["--plugin", str(PLUGIN), "--plugin", str(IN_PROCESS)]
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, trained: true}
strategy: draw
budget: {trials: 2}
resources: {executor: in_process, workers: 1, threads: 1}
train: {epochs: 1, final: {seeds: 2, random: 1}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return tmp_path


def outcome(run: str) -> RunOutcome:
    with closing(Ledger.open(Path(run) / "ledger.sqlite", read_only=True)) as ledger:
        found = ledger.get(OUTCOME)
    assert found is not None
    return found


def test_the_best_of_a_search_is_retrained_to_the_same_results(place: Path, toolkit: Any) -> None:
    searched = ["tiny.yaml", "train.lr={log: [0.01, 0.1]}", *PLUGINS]
    assert toolkit("search", *searched, "-o", "searched").code == 0
    best = json.loads((place / "searched/best/architecture.json").read_text())
    lr = outcome("searched").point["train"]["lr"]

    again = toolkit("retrain", *searched, "--from", "searched", "-o", "again")
    assert again.code == 0, again.err
    assert json.loads((place / "again/best/architecture.json").read_text()) == best
    first, second = outcome("searched"), outcome("again")
    assert second.trial is None and second.fingerprint
    assert (first.test, first.parameters) == (second.test, second.parameters)
    assert set(second.baselines) == {"plain", "random"}
    beside = {t.fingerprint for t in second.trainings if t.label == "random-1"}
    assert len(beside) == 1 and second.fingerprint not in beside
    assert "found" in again.out
    report = (place / "again/report.html").read_text()
    assert "Nothing was searched; the given architecture: " in report

    alike = ["tiny.yaml", f"train.lr={lr}", *PLUGINS, "-o", "again"]
    resumed = toolkit("retrain", *alike, "--architecture", "searched/best/architecture.json")
    assert resumed.code == 0, "the same architecture by its file: the same run"
    (place / "other.json").write_text('{"width": 1, "depth": 64}')
    other = toolkit("retrain", *alike, "--architecture", "other.json")
    assert other.code == 7
    assert "architecture.depth" in other.err
    assert toolkit("search", *alike).code == 7

    unsettled = toolkit("retrain", *searched, "--architecture", "other.json", "-o", "new")
    assert unsettled.code == 2
    assert "train.lr is searched, and a retraining needs one value" in unsettled.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file, here or beside the recipe"),
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ('{"width": NaN}', "NaN is no JSON number"),
        ("[1, 2]", "it holds [1, 2], expected an object"),
        ("{}", "it holds {}, expected an object"),
        ('{"width": 99, "depth": 1}', "does not fit the space tiny_space"),
        ('{"cells": []}', "cells: no such parameter, there are width, depth"),
        ("x" * 1_000_001, "too large for an architecture"),
    ],
)
def test_files_that_hold_no_architecture_of_this_space_are_refused(
    place: Path, toolkit: Any, content: str | None, says: str
) -> None:
    if content is not None:
        (place / "a.json").write_text(content)
    answer = toolkit("retrain", "tiny.yaml", "--architecture", "a.json", *PLUGINS)
    assert answer.code == 2
    assert says in answer.err
    assert not Path("runs").exists()


def test_sources_of_architectures_are_named_one_at_a_time(place: Path, toolkit: Any) -> None:
    (place / "run/best").mkdir(parents=True)
    (place / "run/best/architecture.json").write_text("{}")
    for words, says in (
        ([], "No architecture is given"),
        (["--architecture", "a.json", "--from", "run"], "are both given"),
        (["--architecture", "run"], "is a directory"),
        (["--from", "run"], "it holds no ledger.sqlite"),
        (["--from", "nowhere"], "nowhere does not exist"),
    ):
        answer = toolkit("retrain", "tiny.yaml", *words, *PLUGINS)
        assert answer.code == 2
        assert says in answer.err


def test_a_hand_made_network_of_the_space_is_an_architecture_too(place: Path, toolkit: Any) -> None:
    (place / "plain.json").write_text('{"width": 1, "depth": 1}')
    words = ["train.final={seeds: 1, random: 0, baselines: false}", "--architecture", "plain.json"]
    answer = toolkit("retrain", "tiny.yaml", *words, *PLUGINS, "--json", "-o", "run")
    assert answer.code == 0, answer.err
    assert [json.loads(line)["event"] for line in answer.out.splitlines()][-1] == "run_ended"
