"""Whole runs as the trials of a sweep: what they are given, how they end, how a sweep goes on."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiny import PLUGIN
from toolkit.contracts import TrialState
from toolkit.errors import ResumeError, RunLockedError
from toolkit.registry import Registry
from toolkit.run import facts
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.sweeps import Request, make_plan, parse_axis, run_sweep

PLUGINS = [PLUGIN, Path(__file__).with_name("inline_jobs.py")]
RECIPE = """\
version: 1
name: tiny
task: tiny_task
space: {name: tiny_space, epochs: 1}
strategy: draw
budget: {trials: 1, failures: 1, dedup: repeat}
resources: {executor: inline_jobs, threads: 1}
train: {seed: 7, final: {seeds: 1, random: 0, baselines: false}}
"""


class Sweep:
    """A sweep of whole runs in a folder, whose jobs all run in this process."""

    def __init__(self, home: Path) -> None:
        self.recipe, self.folder = home / "tiny.yaml", home / "run"
        self.recipe.write_text(RECIPE)
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.interrupt: tuple[str, int] | None = None
        """The event, and how often it shall have been told, when the user presses Ctrl-C."""

    def __call__(self, axis: str, *overrides: str, **asked: Any) -> int:
        self.told.clear()
        request = Request(axes=(parse_axis(axis),), whole=True, **asked)
        plan = make_plan(str(self.recipe), overrides, request, Registry(PLUGINS))
        return run_sweep(plan, self.folder, on_event=self._hear)[0]

    def _hear(self, name: str, body: Mapping[str, Any]) -> None:
        self.told.append((name, body))
        if self.interrupt == (name, len(self.heard(name))):
            self.interrupt = None
            signal.raise_signal(signal.SIGINT)

    def heard(self, name: str) -> list[Mapping[str, Any]]:
        return [body for told, body in self.told if told == name]

    def ledger(self, run: str = "") -> Any:
        return closing(Ledger.open(RunFolder(self.folder / run).ledger, read_only=True))

    def runs(self) -> list[TrialRecord]:
        with self.ledger() as ledger:
            return ledger.trials()  # type: ignore[no-any-return]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def test_each_value_and_seed_is_a_run_with_its_own_folder_seed_and_result(sweep: Sweep) -> None:
    axis, two = "budget.trials=1,2", "train.final.seeds=2"
    assert sweep(axis, two) == 0
    first = sweep.runs()
    (started,), (ended,) = sweep.heard("sweep_started"), sweep.heard("sweep_ended")
    assert (started["runs"], started["resumed"], ended["exit_code"]) == (2, False, 0)
    begun, over = sweep.heard("sweep_run_started"), sweep.heard("sweep_run_ended")
    assert [(e["values"], e["seed"], e["folder"]) for e in begun] == [
        ({"budget.trials": 1}, 7, "runs/0001-seed0"),
        ({"budget.trials": 2}, 7, "runs/0002-seed0"),
    ]
    assert [(e["number"], e["values"]) for e in over] == [(r.number, r.values) for r in first]
    assert len(sweep.heard("run_started")) == 2, "those of the runs themselves"

    assert sweep(axis, two, seeds=2) == 0
    runs = sweep.runs()
    assert runs[:2] == first, "nothing runs again"
    assert [(r.folder, r.seed) for r in runs] == [
        ("runs/0001-seed0", 7),
        ("runs/0002-seed0", 7),
        ("runs/0001-seed1", 8),
        ("runs/0002-seed1", 8),
    ]
    for run, trials in zip(runs, (1, 2, 1, 2), strict=True):
        with sweep.ledger(run.folder) as ledger:
            recipe, outcome = ledger.get(facts.RECIPE), ledger.get(facts.OUTCOME)
            assert len(ledger.trials("search")) == trials
        assert (recipe["budget"]["trials"], recipe["train"]["seed"]) == (trials, run.seed)
        assert run.state is TrialState.DONE and run.parameters == outcome.parameters
        assert run.values["accuracy"] == outcome.values["accuracy"]
        assert run.values["test_accuracy"] == outcome.test["accuracy"].mean
    with sweep.ledger() as ledger:
        assert ledger.get(facts.RECIPE)["budget"] == {**recipe["budget"], "trials": 1}
        assert ledger.get(facts.PURPOSE)["command"] == "sweep"


def test_a_run_that_failed_ends_no_sweep_and_is_gone_on_with_when_it_is_resumed(
    sweep: Sweep,
) -> None:
    axis = "space.fault=build,nan,''"
    for attempts in (1, 2):
        assert sweep(axis) == 0
        runs = sweep.runs()
        assert [(r.state, r.attempts) for r in runs] == [
            (TrialState.FAILED, attempts),
            (TrialState.FAILED, attempts),
            (TrialState.DONE, 1),
        ]
        assert "no such layer" in runs[0].error
        assert runs[1].error == "The run ended with exit code 4; see runs/0002-seed0."
    assert len(sweep.heard("sweep_run_started")) == 2
    table = json.loads((sweep.folder / "sweep.json").read_text())
    assert (table["ended"], table["rows"][0]["values"]) == (3, {"space.fault": ""})


def test_what_a_strategy_heard_stays_and_answers_the_same_values(sweep: Sweep) -> None:
    asked = {"strategy": "optuna.random", "seeds": 2}
    assert sweep("space.fault=raise,''", trials=4, **asked) == 0
    first = sweep.runs()
    assert len(first) == 8
    run = [r for r in first if r.source is None and r.state is TrialState.DONE]
    assert [r.seed for r in run] == [7, 8], "once for each seed"
    answered = [r for r in first if r.source is not None]
    assert answered
    for record in answered:
        source = first[record.source - 1]
        assert (record.folder, record.seed, record.values) == ("", source.seed, source.values)
    assert sweep("space.fault=raise,''", trials=5, **asked) == 0
    assert sweep.runs()[:8] == first, "the failed ones are not tried again"
    assert len(sweep.runs()) == 10


def test_an_architecture_of_its_own_is_retrained_in_every_run(sweep: Sweep) -> None:
    architecture = {"width": 5, "depth": 2}
    assert sweep("train.lr=0.1,0.2", architecture=architecture) == 0
    for run in sweep.runs():
        assert run.values["accuracy"] == 0.05
        with sweep.ledger(run.folder) as ledger:
            assert ledger.get(facts.PURPOSE)["command"] == "retrain"


@pytest.mark.parametrize(
    "event",
    ["sweep_run_started", "trial_started", "trial_reported", "final_started", "exported"],
)
def test_ctrl_c_ends_run_and_sweep_and_the_same_command_goes_on(sweep: Sweep, event: str) -> None:
    handler = signal.getsignal(signal.SIGINT)
    sweep.interrupt = (event, {"trial_started": 3, "trial_reported": 3}.get(event, 2))
    code = sweep("strategy=draw,random")
    assert signal.getsignal(signal.SIGINT) is handler
    first, second = sweep.runs()
    assert first.state is TrialState.DONE
    if event == "exported":  # Nothing is left to stop.
        assert (code, second.state) == (0, TrialState.DONE)
        return
    assert (code, second.state) == (130, TrialState.QUEUED)
    assert sweep.heard("sweep_ended")[-1]["exit_code"] == 130
    assert not sweep.heard("sweep_run_ended")[1:]
    assert sweep("strategy=draw,random") == 0
    assert sweep.runs()[0] == first
    assert (sweep.runs()[1].state, sweep.runs()[1].attempts) == (TrialState.DONE, 2)


def test_ctrl_c_while_a_run_is_prepared_ends_the_sweep_at_once(sweep: Sweep) -> None:
    sweep.interrupt = ("run_started", 2)
    with pytest.raises(KeyboardInterrupt):
        sweep("strategy=draw,random")
    assert [run.state for run in sweep.runs()] == [TrialState.DONE, TrialState.RUNNING]
    assert sweep("strategy=draw,random") == 0
    assert [run.attempts for run in sweep.runs()] == [1, 2]


def test_what_only_the_user_can_mend_ends_the_sweep_and_is_no_failure_of_the_run(
    sweep: Sweep,
) -> None:
    sweep.folder.mkdir()
    Ledger.open(sweep.folder / "ledger.sqlite").close()  # Its start was cut short.
    with RunFolder(sweep.folder / "runs/0002-seed0").lock(), pytest.raises(RunLockedError):
        sweep("strategy=draw,random")
    assert sweep("strategy=draw,random") == 0
    assert [run.state for run in sweep.runs()] == [TrialState.DONE] * 2
    with pytest.raises(ResumeError, match=r"train\.clip"):
        sweep("strategy=draw,random", "train.clip=2")
    with pytest.raises(ResumeError, match=r"space\.widths"):
        sweep("strategy=draw,random", "space.widths=9")
