"""`toolkit sweep` as a user runs it: killed and resumed, its tables, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from command_line import IN_PROCESS
from tiny import PLUGIN
from toolkit.run import facts
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

PLUGINS = ["--plugin", str(PLUGIN), "--plugin", str(IN_PROCESS)]
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 2, pause_s: 0.05}
strategy: draw
budget: {trials: 2}
resources: {executor: in_process, workers: 1, threads: 1}
train: {final: {seeds: 2, random: 0, baselines: false}}
"""
AXES = ["-s", "train.lr=log(1e-3,1e-1,3)", "-s", "train.batch_size=8,16", "--seeds", "2"]
TRIALS = [*AXES, "--architecture", "given.json"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "given.json").write_text('{"width": 5, "depth": 2}\n')
    return tmp_path


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "toolkit", "sweep", "tiny.yaml", *words, "-o", "run"]
    return subprocess.Popen(
        [*command, *PLUGINS],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(process: subprocess.Popen[str], events: Path, event: str, count: int) -> None:
    """Kill an engine once an event has been written so often."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if events.exists() and events.read_text().count(f'"event": "{event}"') >= count:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def trials(run: Path = Path("run")) -> list[TrialRecord]:
    with closing(Ledger.open(run / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.trials("search")


def test_a_sweep_of_trials_killed_in_the_middle_goes_on(place: Path, toolkit: Any) -> None:
    kill_after(start(*TRIALS), place / "run/events.jsonl", "trial_ended", 4)
    before = {record.number: record for record in trials() if record.state.ended}
    assert 4 <= len(before) < 12
    code, out, errors = toolkit("sweep", "tiny.yaml", *TRIALS, "-o", "run", *PLUGINS)
    assert code == 0, errors

    records = trials()
    assert [str(record.state) for record in records] == ["done"] * 12
    assert [before[number].ended for number in before] == [
        record.ended for record in records if record.number in before
    ]
    assert {record.point["architecture"]["width"] for record in records if record.point} == {5}
    # Repeats are pairs: with equal seeds in every configuration, and others than each other's.
    seeds = {record.token["repeat"]: record.seed for record in records}
    assert all(record.seed == seeds[record.token["repeat"]] for record in records)
    assert seeds[0] != seeds[1]

    rows = list(csv.DictReader((place / "run/sweep.csv").open()))
    assert len(rows) == 6
    values = {(float(row["train.lr"]), int(row["train.batch_size"])) for row in rows}
    assert values == {(lr, size) for lr in (0.001, 0.01, 0.1) for size in (8, 16)}
    assert {(row["seeds"], row["validation_mean"], row["failed"]) for row in rows} == {
        ("2", "0.05", "0")
    }
    table = json.loads((place / "run/sweep.json").read_text())
    assert (table["objective"], table["whole_runs"]) == ("accuracy", False)
    assert table["rows"][0]["validation"] == {"mean": 0.05, "std": 0.0, "n": 2, "seeds": [0.05] * 2}
    assert table["rows"][0]["against_best"] is None and table["rows"][0]["test"] is None
    assert "2 seeds are too few for a claim" in table["notes"][0]
    assert "train.lr" in out and table["notes"][0] in out
    best = rows[0]
    assert (
        f"To test the best row: toolkit retrain tiny.yaml train.lr={best['train.lr']}"
        f" train.batch_size={best['train.batch_size']} --architecture given.json" in out
    )

    more = toolkit(
        "sweep",
        "tiny.yaml",
        *AXES[:-1],
        "3",
        *TRIALS[-2:],
        "-o",
        "run",
        *PLUGINS,
        "--json",
    )
    assert more.code == 0, more.err
    assert len(trials()) == 18
    lines = [json.loads(line) for line in more.out.splitlines()]
    assert [line["validation"]["n"] for line in lines if "validation" in line] == [3] * 6
    assert lines[-1]["csv"] == "run/sweep.csv"
    other = toolkit("sweep", "tiny.yaml", "-s", "train.lr=1,2", *TRIALS[-2:], "-o", "run", *PLUGINS)
    assert other.code == 7
    assert "sweep.axes.train.lr" in other.err
    assert toolkit("search", "tiny.yaml", "-o", "run", *PLUGINS).code == 7


def test_a_sweep_of_whole_runs_killed_in_one_goes_on_in_it(place: Path, toolkit: Any) -> None:
    words = ["-s", "strategy=draw,random", "space.trained=true", "train.epochs=1"]
    second = place / "run/runs/0002-seed0"
    kill_after(start(*words), second / "events.jsonl", "trial_ended", 1)
    assert [str(record.state) for record in trials()] == ["done", "running"]
    code, out, errors = toolkit("sweep", "tiny.yaml", *words, "-o", "run", *PLUGINS)
    assert code == 0, errors

    records = trials()
    assert [str(record.state) for record in records] == ["done", "done"]
    assert [record.attempts for record in records] == [1, 2]
    assert trials(second)[0].attempts == 1, "what the second run had done was kept"
    assert {str(trial.state) for trial in trials(second)} == {"done"}
    table = json.loads((place / "run/sweep.json").read_text())
    assert table["whole_runs"] is True
    by_value = {row["values"]["strategy"]: row for row in table["rows"]}
    assert set(by_value) == {"draw", "random"}
    with closing(Ledger.open(second / "ledger.sqlite", read_only=True)) as ledger:
        outcome, recipe = ledger.get(facts.OUTCOME), ledger.get(facts.RECIPE)
    assert recipe is not None and recipe["strategy"]["name"] == "random"
    assert outcome is not None
    assert by_value["random"]["test"]["mean"] == outcome.test["accuracy"].mean
    assert "test accuracy" in out and "one seed each" in out


def test_a_strategy_chooses_values_and_hears_their_means(place: Path, toolkit: Any) -> None:
    words = [
        "-s",
        "train.lr=log(1e-3,1)",
        "--strategy",
        "optuna.tpe",
        "--trials",
        "3",
        "--architecture",
        "given.json",
        "space.epochs=0",
    ]
    answer = toolkit("sweep", "tiny.yaml", *words, "--seeds", "2", "-o", "run", *PLUGINS)
    assert answer.code == 0, answer.err
    chosen = [record.point["train"]["lr"] for record in trials() if record.point]
    assert chosen[::2] == chosen[1::2], "each value once for each seed"
    assert len(set(chosen)) == 3


def test_one_failing_value_is_a_row_without_result(place: Path, toolkit: Any) -> None:
    words = ["-s", "space.fault=nan,raise", "--architecture", "given.json", "space.epochs=0"]
    answer = toolkit("sweep", "tiny.yaml", *words, "-o", "run", *PLUGINS)
    assert answer.code == 3
    words[1] = "space.fault=nan,raise,''"
    answer = toolkit("sweep", "tiny.yaml", *words, "-o", "run2", *PLUGINS)
    assert answer.code == 0, answer.err
    rows = list(csv.DictReader((place / "run2/sweep.csv").open()))
    assert [(row["space.fault"], row["seeds"], row["failed"]) for row in rows] == [
        ("", "1", "0"),
        ("nan", "0", "1"),
        ("raise", "0", "1"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-s", "train.lrr=1,2"], "train.lrr: unknown key (did you mean lr?)"),
        (["-s", "train.lrr=1,2", "--architecture", "given.json"], "(did you mean lr?)"),
        (["-s", "strategy=drw,draw"], "Did you mean draw?"),
        (["-s", "train.lr=1,two"], '"two" given, expected a number'),
        ([], "Nothing is to be swept"),
        (["-s", "train.lr=log(1,2)"], "give it points"),
        (["-s", "train.lr=log(1,2)", "--grid"], "a grid needs points"),
        (["-s", "train.lr=1,2", "--grid", "--random", "2"], "--grid and --random are given"),
        (["-s", "train.lr=1,2", "--trials", "2"], "--trials is given without --strategy"),
        (["-s", "train.lr=1,2", "-s", "train.lr=3"], "-s train.lr is given twice"),
        (["-s", "train.seed=1,2"], "--seeds K repeats"),
        (["-s", "train.lr=1,2", "--strategy", "one_shot"], "searches architectures, not values"),
        (["-s", "train.lr=1,2", "--strategy", "optuna.tep"], "Did you mean optuna.tpe?"),
        (
            ["-s", "train.lr=log(1,2,101)", "-s", "train.clip=uniform(1,2,100)"],
            "The grid has 10,100 configurations",
        ),
        (
            ["-s", "space.widths=4,8", "--architecture", "given.json"],
            "width: 5 is not an integer from 1 to 4",
        ),
        (["-s", "train.lr=1,2", "--architecture", "no.json"], "no such file"),
    ],
)
def test_what_cannot_be_swept_is_told_before_anything_runs(
    place: Path, toolkit: Any, words: list[str], says: str
) -> None:
    answer = toolkit("sweep", "tiny.yaml", *words, "-o", "run", *PLUGINS)
    assert answer.code == 2
    assert says.lower() in answer.err.lower()
    assert not Path("run").exists()
