"""Runs under NNI's experiment manager, as a user starts them, over the engine's tiny plugin."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from light_workers import NO_TENSORS, found_first
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

ENGINE = Path(__file__).parents[2] / "toolkit" / "engine"
RECIPE = """
version: 1
name: managed
task: tiny_task
space: tiny_space
strategy: draw
budget: {trials: 4}
resources: {executor: nni, workers: 1, threads: 1}
train: {final: {seeds: 1, random: 0, baselines: false}}
"""
LIGHT = """
import os, sys
from pathlib import Path
events = Path({events!r})
if "NNI_TRIAL_SEQ_ID" in os.environ and events.read_text().count('"trial_ended"') < {trials}:
    sys.path.insert(0, {stand_in!r})
"""
PATIENCE_S = 500


class ManagedRun:
    """One run folder and the engines started on it."""

    def __init__(self, home: Path) -> None:
        self.folder, self.recipe = home / "run", home / "recipe.yaml"
        self.light = home / "light"
        self.recipe.write_text(RECIPE)
        (home / "home").mkdir()
        # NNI keeps its list of experiments in the home folder.
        self.environment = {
            "TOOLKIT_DATA": str(home / "data"),
            "HOME": str(home / "home"),
            "OMP_NUM_THREADS": "1",
        }
        self.processes: list[subprocess.Popen[str]] = []

    def need_no_torch(self, trials: int | None = None) -> None:
        """The trials of the search, so many, compute nothing; without a number, nothing does."""
        self.light.mkdir(exist_ok=True)
        events = str(self.folder / "events.jsonl")
        text = LIGHT.format(events=events, trials=trials, stand_in=str(NO_TENSORS))
        (self.light / "sitecustomize.py").write_text(text)
        folder = NO_TENSORS if trials is None else self.light
        self.environment["PYTHONPATH"] = found_first(folder)

    def start(self, *overrides: str, **environment: str) -> subprocess.Popen[str]:
        """Start an engine and return at once."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(ENGINE / "run.py"),
                str(self.recipe),
                str(self.folder),
                *overrides,
            ],
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def __call__(self, *overrides: str, **environment: str) -> tuple[int, str]:
        """Run an engine to its end: exit code and what it said on standard error."""
        process = self.start(*overrides, **environment)
        _, errors = process.communicate(timeout=PATIENCE_S)
        return process.returncode, errors

    def trials(self, phase: Any = None) -> list[TrialRecord]:
        with closing(Ledger.open(self.folder / "ledger.sqlite", read_only=True)) as ledger:
            return ledger.trials(phase)

    def events(self, name: str, about: str = "") -> list[dict[str, Any]]:
        """Events of a name so far, of those with a message the ones that have a word in it."""
        path = self.folder / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        events = [json.loads(line) for line in lines]
        return [e for e in events if e["event"] == name and about in e.get("message", "")]

    def await_event(self, name: str, count: int = 1, about: str = "") -> dict[str, Any]:
        """Wait until an event has been written so often; the last of them."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(json.JSONDecodeError):
                found = self.events(name, about)
                if len(found) >= count:
                    return found[count - 1]
            time.sleep(0.05)
        raise AssertionError(f"no {name}")

    def await_files(self, pattern: str, count: int) -> None:
        """Wait until so many files of the run folder are there."""
        deadline = time.monotonic() + PATIENCE_S
        while len(list(self.folder.glob(pattern))) < count:
            assert time.monotonic() < deadline, f"no {count} of {pattern}"
            time.sleep(0.05)

    def experiments(self) -> list[Path]:
        """Databases of the experiments, oldest first."""
        found = (self.folder / "nni").glob("*/db/nni.sqlite")
        own = [path for path in found if path.parts[-3] != "_latest"]
        return sorted(own, key=lambda path: path.parents[1].stat().st_ctime)

    def rows(self) -> list[dict[str, Any]]:
        """What NNI's databases show: parameters, last state and final metrics of each trial."""
        return [row for path in self.experiments() for row in shown_in(path)]


def shown_in(database: Path) -> list[dict[str, Any]]:
    """The trials of one of NNI's databases."""
    rows: dict[str, dict[str, Any]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for trial, event, data in connection.execute(
            "SELECT trialJobId, event, data FROM TrialJobEvent ORDER BY rowid"
        ):
            row = rows.setdefault(trial, {"intermediate": [], "final": None})
            row["state"] = event
            if data:
                row["parameters"] = json.loads(data)["parameters"]
        for trial, kind, data in connection.execute(
            "SELECT trialJobId, type, data FROM MetricData ORDER BY rowid"
        ):
            metrics = json.loads(json.loads(data))
            if kind == "FINAL":
                rows[trial]["final"] = metrics
            else:
                rows[trial]["intermediate"].append(metrics["default"])
    return list(rows.values())


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below one, by the time it is asked."""
    return psutil.Process(pid).children(recursive=True)


def node_of(processes: list[psutil.Process]) -> psutil.Process:
    """NNI's Node manager among some processes."""
    for process in processes:
        with suppress(psutil.Error):
            if process.name() == "node":
                return process
    raise AssertionError("no Node manager")


def still_alive(processes: list[psutil.Process], within_s: float = 15) -> list[psutil.Process]:
    """Which of some processes live on after a while."""
    return psutil.wait_procs(processes, timeout=within_s)[1]


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[ManagedRun]:
    made = ManagedRun(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def below() -> Any:
    return descendants


@pytest.fixture
def node() -> Any:
    return node_of


@pytest.fixture
def alive() -> Any:
    return still_alive
