"""Jobs: how they end, what a trial reports and keeps, which jobs an older ledger holds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tiny import PLUGIN
from toolkit.base.clock import ManualClock
from toolkit.contracts import (
    Outcome,
    SmokeJob,
    StopTrial,
    SupernetJob,
    TestJob,
    Training,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.engine import seeds
from toolkit.engine.reproduce import reproduce
from toolkit.errors import DataError, ExitCode, ToolkitError
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.facts import PLUGIN_PATHS, RECIPE, SMOKE_JOB
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.worker.jobs import JobRunner, spec_of
from toolkit.worker.state import seed_everything

TEXT = """
version: 1
name: jobs
task: tiny_task
space: {name: tiny_space, epochs: 3}
strategy: one_shot
"""
POINT = {"architecture": {"width": 4, "depth": 1}}


class Bench:
    """A job runner over the tiny plugin, and what its jobs report."""

    def __init__(self, home: Path, *overrides: str) -> None:
        self.home, self.clock = home, ManualClock()
        (home / "recipe.yaml").write_text(TEXT)
        recipe = load_recipe(home / "recipe.yaml", overrides, Registry([PLUGIN]))
        self.recipe = recipe.resolved()
        self.runner = JobRunner(self.recipe, [str(PLUGIN)], "cpu", self.clock)
        self.reports: list[tuple[int, Mapping[str, float], Mapping[str, Any]]] = []
        self.stops: dict[int, str] = {}

    def run(self, job: Any, name: str = "job", known_steps: int = 0) -> Outcome:
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        return self.runner.run(
            TrialSpec("trial-1", job, 1, str(folder), known_steps=known_steps),
            lambda *report: self.reports.append(report),
            lambda: self.stops.get(self.reports[-1][0]),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def fitting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts another `fit` in the place of that of the tiny plugin's learner."""

    def put(fit: Any) -> None:
        monkeypatch.setattr(sys.modules["tiny_plugin"].SlowLearner, "fit", fit)

    return put


def test_a_training_is_reported_and_judged_and_its_weights_are_kept(bench: Bench) -> None:
    outcome = bench.run(TrainJob(POINT, keep_weights=True))
    assert (outcome.state, outcome.error) == ("done", "")
    assert outcome.values == {"accuracy": 0.04, "loss": 0.96}
    assert outcome.parameters == 10
    assert [step for step, _, _ in bench.reports] == [1, 2, 3]
    assert (bench.home / "job/weights.safetensors").exists()
    assert json.loads((bench.home / "job/architecture.json").read_text()) == POINT["architecture"]
    lines = (bench.home / "job/metrics.jsonl").read_text().splitlines()
    values = {"accuracy": pytest.approx(0.04 / 3)}
    assert json.loads(lines[0]) == {"step": 1, "values": values, "records": {}}


def test_finished_trainings_are_tested_by_number(bench: Bench) -> None:
    for name in ("one", "two"):
        bench.run(TrainJob(POINT, keep_weights=True), name)
    trainings = tuple(
        Training(number, str(bench.home / name), POINT, 1)
        for number, name in ((7, "one"), (9, "two"))
    )
    outcome = bench.run(TestJob(trainings, drawn=9))
    assert outcome.state == "done"
    assert outcome.tested.keys() == {7, 9}
    assert outcome.tested[7].test.keys() == {"accuracy", "loss"}
    assert outcome.tested[9].costs["parameters"] == 10
    assert outcome.tested[9].drawing is None, "this learner draws nothing"


def test_a_first_batch_and_a_supernet_are_jobs_too(bench: Bench) -> None:
    assert bench.run(SmokeJob(POINT)) == Outcome(TrialState.DONE, duration_s=0.0)
    outcome = bench.run(SupernetJob())
    assert outcome.state == "done"
    assert outcome.architectures == ({"width": 5, "depth": 1}, {"width": 6, "depth": 2})
    assert outcome.warnings == ("odd",)
    assert bench.reports[-1] == (3, {"accuracy": 0.1}, {"edges": {"cell": [3]}})


def test_too_costly_models_are_refused_in_a_search_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "constraints={parameters: '<= 5'}")
    refused = bench.run(TrainJob(POINT, searched=True))
    assert refused.state == "invalid"
    assert (refused.parameters, refused.violations) == (10, {"parameters <= 5": 1.0})
    assert refused.values == {"parameters": 10.0}
    assert bench.run(TrainJob(POINT)).state == "done"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes"), "oom"),
        (RuntimeError("shapes do not fit"), "failed"),
        (SystemExit(0), "failed"),
        (StopTrial("pruned"), "pruned"),
    ],
)
def test_how_a_job_ends(bench: Bench, fitting: Any, error: BaseException, state: str) -> None:
    def fit(learner: object, trial: object) -> None:
        bench.clock.sleep(2.0)
        raise error

    fitting(fit)
    outcome = bench.run(TrainJob(POINT))
    assert (outcome.state, outcome.duration_s) == (state, 2.0)
    assert ("Traceback" in outcome.error) == (state in ("oom", "failed"))
    assert outcome.fault is None


class UnsayableError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.faults
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnsayableError(), "Traceback"),
        (BaseExceptionGroup("all", [SystemExit()]), "Traceback"),
        (GeneratorExit(), "Traceback"),
        (StopTrial("drain"), "raised StopTrial('drain'), though it was not asked to stop"),
        (StopTrial(), "raised StopTrial('')"),
    ],
)
def test_odd_exceptions_cost_their_trial_alone(
    bench: Bench, fitting: Any, error: BaseException, said: str
) -> None:
    def fit(learner: object, trial: object) -> None:
        raise error

    fitting(fit)
    outcome = bench.run(TrainJob(POINT))
    assert outcome.state == "failed" and said in outcome.error


@pytest.mark.faults
def test_an_error_of_no_known_exit_code_is_the_plugins(bench: Bench, fitting: Any) -> None:
    def fit(learner: object, trial: object) -> None:
        error = DataError("odd")
        error.exit_code = 99  # type: ignore[assignment]
        raise error

    fitting(fit)
    fault = bench.run(TrainJob(POINT)).fault
    assert fault is not None and fault.exit_code == ExitCode.PLUGIN


@pytest.mark.faults
def test_a_million_metrics_are_refused(bench: Bench, fitting: Any) -> None:
    fitting(lambda learner, trial: dict.fromkeys(map(str, range(10_001)), 0.5))
    outcome = bench.run(TrainJob(POINT))
    assert outcome.state == "failed" and "expected at most 10000" in outcome.error


def test_a_users_fault_is_a_sentence_with_its_exit_code(bench: Bench, fitting: Any) -> None:
    def fit(learner: object, trial: object) -> None:
        raise DataError("There are no data at /caf\udce9.", hint="Get them.")

    fitting(fit)
    outcome = bench.run(TrainJob(POINT))
    assert outcome.error == "There are no data at /caf\\udce9. Get them."
    assert outcome.fault is not None
    assert outcome.fault.message == "There are no data at /caf\\udce9."
    assert (outcome.fault.hint, outcome.fault.exit_code) == ("Get them.", ExitCode.USAGE)


def test_a_job_asked_to_stop_ends_at_its_report_and_goes_on_from_there(bench: Bench) -> None:
    bench.stops[2] = "drain"
    assert bench.run(TrainJob(POINT)).state == "queued"
    bench.stops.clear()
    assert bench.run(TrainJob(POINT), known_steps=2).state == "done"
    assert [step for step, _, _ in bench.reports] == [1, 2, 3]


def test_reports_that_never_arrived_are_told_again_before_the_training_goes_on(
    bench: Bench,
) -> None:
    bench.stops[2] = "drain"
    bench.run(TrainJob(POINT))
    first = bench.reports[1]
    bench.reports.clear()
    bench.stops.clear()
    bench.run(TrainJob(POINT), known_steps=1)
    assert [step for step, _, _ in bench.reports] == [2, 3]
    assert bench.reports[0] == first


@pytest.mark.parametrize("step", ["one", 1.5, None])
def test_a_step_that_is_no_number_fails_where_it_is_reported(
    bench: Bench, fitting: Any, step: Any
) -> None:
    fitting(lambda learner, trial: trial.report(step, {"accuracy": 0.5}))
    outcome = bench.run(TrainJob(POINT))
    assert (outcome.state, bench.reports) == ("failed", [])
    assert "cannot be interpreted as an integer" in outcome.error


@pytest.mark.faults
@pytest.mark.parametrize(
    ("step", "stuff", "said"),
    [(2**63, "", "that fits into 64 bits"), (1, "x" * 10_000_001, "expected at most 10 MB")],
)
def test_a_report_too_large_to_keep_fails_where_it_is_made(
    bench: Bench, fitting: Any, step: int, stuff: str, said: str
) -> None:
    fitting(lambda learner, trial: trial.report(step, {"accuracy": 0.5}, stuff=stuff))
    outcome = bench.run(TrainJob(POINT))
    assert (outcome.state, bench.reports) == ("failed", [])
    assert said in outcome.error


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["fifo", "loop", "folder"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_reports_are_written_to_a_file_alone(
    bench: Bench, fitting: Any, kind: str, when: str
) -> None:
    place = bench.home / "job/metrics.jsonl"
    make = {"fifo": os.mkfifo, "loop": lambda path: path.symlink_to(path), "folder": os.mkdir}[kind]

    def fit(self: Any, trial: Any) -> dict[str, float]:
        if when == "during":
            make(place)
        trial.report(1, {"accuracy": 0.5})
        return {"accuracy": 0.5, "loss": 0.5}

    bench.run(SmokeJob(POINT))
    fitting(fit)
    place.unlink(missing_ok=True)
    if when == "before":
        make(place)
        (bench.home / "job/checkpoint").mkdir()
        torch.save({"epoch": 1}, bench.home / "job/checkpoint/state.pt")
    assert bench.run(TrainJob(POINT)).state == "failed"


def test_memory_is_refused_by_torch_as_expected(bench: Bench, fitting: Any) -> None:
    fitting(lambda learner, trial: torch.empty(2**60, dtype=torch.uint8))
    assert bench.run(TrainJob(POINT)).state == "oom"


def test_a_job_that_takes_its_time_gives_its_memory_back(
    bench: Bench, fitting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.worker.jobs.LONG_S", 0.0)
    kept = []

    def fit(learner: object, trial: Any) -> dict[str, float]:
        pieces = [torch.ones(25, 1000) for _ in range(3000)]  # 300 MB, of what is on the heap
        kept.append(pieces[-1])
        return {"accuracy": 1.0, "loss": 0.0}

    fitting(fit)
    process = psutil.Process()
    before = process.memory_info().rss
    assert bench.run(TrainJob(POINT)).state == "done"
    assert process.memory_info().rss - before < 100e6


def test_checkpoints_come_back_and_hold_no_code(bench: Bench, fitting: Any) -> None:
    def fit(learner: object, trial: Any) -> dict[str, float]:
        assert trial.restore() is None
        trial.save({"epoch": 1, "weights": torch.ones(2)})
        trial.save({"epoch": 2, "weights": torch.zeros(2), "names": ["a"]})
        state = trial.restore()
        assert state["epoch"] == 2
        assert torch.equal(state["weights"], torch.zeros(2))
        kept = sorted(path.name for path in (trial.folder / "checkpoint").iterdir())
        assert kept == ["next.pt", "state.pt"]
        trial.save({"object": Path("x")})
        with pytest.raises(Exception, match=r"weights_only|Weights only"):
            trial.restore()
        return {"accuracy": 1.0}

    fitting(fit)
    outcome = bench.run(TrainJob(POINT))
    assert outcome.state == "done", outcome.error


def test_seeds_are_told_apart_and_decide_everything() -> None:
    drawn = {seeds.derive(run, number) for run in range(30) for number in range(30)}
    assert len(drawn) == 900
    assert all(0 <= seed < 2**31 for seed in drawn)
    seed_everything(5)
    first = torch.rand(3)
    seed_everything(5)
    assert torch.equal(torch.rand(3), first)


def test_a_trial_of_the_ledger_is_a_job() -> None:
    record = TrialRecord(
        3, "search", "train", TrialState.QUEUED, POINT, "f", 5, fidelity={"epochs": 2}
    )
    job = TrainJob(POINT, {"epochs": 2}, searched=True)
    assert spec_of(record, Path("t/3"), 9.0) == TrialSpec("trial-3", job, 5, "t/3", 9.0)
    supernet = TrialRecord(1, "search", "supernet", TrialState.QUEUED, None, "supernet", 5)
    assert spec_of(supernet, Path("t/1")).job == SupernetJob()


STORED = {
    "of today": {"key": "smoke", "job": {"kind": "smoke", "point": POINT}, "seed": 4, "folder": ""},
    "of 0.1": {
        "key": "smoke",
        "kind": "smoke",
        "payload": {"point": POINT, "fidelity": {}},
        "seed": 4,
        "folder": "/a/run/trials/smoke",
        "timeout_s": None,
    },
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_the_first_batch_of_a_run_is_reproduced(
    bench: Bench, stored: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Ledger.open(bench.home / "ledger.sqlite")) as ledger:
        ledger.put_fact(RECIPE, bench.recipe)
        ledger.put_fact(PLUGIN_PATHS, (str(PLUGIN),))
        ledger.put_fact(SMOKE_JOB, stored)
    assert reproduce(bench.home, "smoke") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "done"


def test_a_first_batch_nobody_understands_is_said(bench: Bench) -> None:
    with closing(Ledger.open(bench.home / "ledger.sqlite")) as ledger:
        ledger.put_fact(RECIPE, bench.recipe)
        ledger.put_fact(SMOKE_JOB, {"key": "smoke", "task": "of a later version"})
    with pytest.raises(ToolkitError, match="no job"):
        reproduce(bench.home, "smoke")
    with pytest.raises(ToolkitError, match="has no trial 4"):
        reproduce(bench.home, "4")
