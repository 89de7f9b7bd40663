"""Tasks of a job array that connect back, under submitit's own executors and a recorded sbatch."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tiny import PLUGIN
from toolkit.contracts import (
    Ended,
    Event,
    ExecutorContext,
    Noted,
    Outcome,
    Reported,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import encode
from toolkit.errors import RecipeError
from toolkit.executors.channel import Channel
from toolkit.executors.messages import Run
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit_slurm.executor import CLUSTER, FOLDER, SlurmExecutor
from toolkit_slurm.messages import GIVEN, SETTING, Hello, Told

submitit = pytest.importorskip("submitit", reason="pip install 'nas-toolkit[slurm]'")

RECIPE = """
version: 1
name: slurm
task: tiny_task
space: {name: tiny_space, epochs: 6, pause_s: {choice: [0.0, 0.5]}}
strategy: draw
"""
SBATCH = """#!/bin/sh
cp "$1" "$(dirname "$0")/submitted.sh"
echo "Submitted batch job 4711"
"""
PATIENCE_S = 120.0


class Jobs:
    """An executor and its jobs, each with a folder in the run's."""

    def __init__(self, home: Path, workers: int, **more: Any) -> None:
        self.home = home
        home.mkdir()
        (home / "recipe.yaml").write_text(RECIPE)
        recipe = load_recipe(home / "recipe.yaml", [], Registry([PLUGIN])).resolved()
        asked = {"gpus": 0, "threads": 1, "objectives": {"accuracy": "maximize"}, **more}
        context = ExecutorContext(recipe, (str(PLUGIN),), home, workers, **asked)
        self.executor = SlurmExecutor(context)

    def start(self, key: str, slot: int = 0, *, slow: bool = False, known: int = 0) -> None:
        space = {"pause_s": 0.5 if slow else 0.0}
        point = {"architecture": {"width": 3, "depth": 1}, "space": space}
        folder = str(self.home / "trials" / key)
        spec = TrialSpec(key, TrainJob(point), 0, folder, known_steps=known)
        self.executor.start(spec, self.executor.slots()[slot])

    def hear(self, until: Callable[[list[Event]], bool]) -> list[Event]:
        """Listens until what was heard in this call is enough."""
        heard: list[Event] = []
        deadline = time.monotonic() + PATIENCE_S
        while not until(heard):
            assert time.monotonic() < deadline, heard
            heard += self.executor.events(0.5)
        return heard


def ended(count: int) -> Callable[[list[Event]], bool]:
    return lambda heard: sum(isinstance(event, Ended) for event in heard) >= count


def outcomes(heard: list[Event]) -> dict[str, Any]:
    return {event.key: event.outcome for event in heard if isinstance(event, Ended)}


def steps(heard: list[Event]) -> list[int]:
    return [event.step for event in heard if isinstance(event, Reported)]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Jobs]]:
    """Makes an executor under submitit's local one, closed in the end."""
    monkeypatch.setenv(CLUSTER, "local")
    made: list[Jobs] = []

    def begin(workers: int = 1, **more: Any) -> Jobs:
        made.append(Jobs(tmp_path / "run", workers, **more))
        return made[-1]

    yield begin
    for jobs in made:
        jobs.executor.close()


def test_a_preempted_or_killed_task_costs_no_epoch_that_was_told(
    make: Callable[..., Jobs],
) -> None:
    jobs = make()
    jobs.start("trial-1", slow=True)
    told = jobs.hear(lambda heard: len(steps(heard)) >= 2)
    signal_task(jobs.home, signal.SIGUSR2)  # What SLURM sends before it takes a node away.
    told += jobs.hear(ended(1))
    assert outcomes(told)["trial-1"].state == "queued"
    jobs.start("trial-1", slow=True, known=steps(told)[-1])
    told += jobs.hear(lambda heard: len(steps(heard)) >= 1)
    signal_task(jobs.home, signal.SIGKILL)
    told += jobs.hear(ended(1))
    assert outcomes(told)["trial-1"].state == "lost"
    jobs.start("trial-1", known=steps(told)[-1])
    told += jobs.hear(ended(1))
    assert outcomes(told)["trial-1"].state == "done"
    assert steps(told) == [1, 2, 3, 4, 5, 6], "an epoch is missing, or paid twice"


def signal_task(home: Path, number: int) -> None:
    """Sends a signal to the process that holds the worker, not to submitit's above it."""
    for process in psutil.Process().children(recursive=True):
        words = process.cmdline()
        if "submitit.core._submit" in words and str(home / FOLDER) in words:
            process.send_signal(number)
            return
    raise AssertionError("there is no task")


def test_files_come_back_by_storage(make: Callable[..., Jobs], tmp_path: Path) -> None:
    jobs = make(storage=f"file://{tmp_path / 'store'}")
    jobs.start("trial-1")
    assert outcomes(jobs.hear(ended(1)))["trial-1"].state == "done"
    folder = jobs.home / "trials" / "trial-1"
    assert (folder / "epochs.txt").read_text().split() == ["1", "2", "3", "4", "5", "6"]
    assert (folder / "checkpoint" / "state.pt").exists()
    assert list((tmp_path / "store").rglob("state.pt"))


class TestSubmission:
    """What is submitted, with an `sbatch` that takes the text down."""

    @pytest.fixture
    def jobs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
        bin_folder = tmp_path / "bin"
        bin_folder.mkdir()
        for name, text in {"sbatch": SBATCH, "srun": "#!/bin/sh\n"}.items():
            (bin_folder / name).write_text(text)
            (bin_folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
        monkeypatch.delenv(CLUSTER, raising=False)
        monkeypatch.setenv("TOOLKIT_SLURM_HOST", "127.0.0.1")
        made = Jobs(tmp_path / "run", 3, gpus=2, threads=4, memory=7 * 2**30)
        yield made
        made.executor.close()

    def test_one_array_of_as_many_tasks_as_workers(self, jobs: Jobs, tmp_path: Path) -> None:
        assert [slot.device for slot in jobs.executor.slots()] == ["cuda"] * 3
        jobs.start("trial-1")
        text = (tmp_path / "bin" / "submitted.sh").read_text()
        words = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", text, re.MULTILINE))
        assert words["array"] == "0-2%3" and words["job-name"] == "nas-slurm"
        assert words["cpus-per-task"] == "4" and words["gpus-per-node"] == "2"
        assert words["mem"] == "8GB" and words["nodes"] == "1" and words["time"] == "1440"
        assert words["signal"] == "USR2@120", "no time is left to write a checkpoint"
        assert "submitit.core._submit" in text
        assert jobs.executor._token not in text, "other users can read a job's script"

    def test_its_token_is_for_its_user_alone_and_others_are_refused(self, jobs: Jobs) -> None:
        jobs.start("trial-1")
        token = jobs.home / FOLDER / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert jobs.executor._listener is not None
        address = jobs.executor._listener.getsockname()
        for word in (encode(Hello("0" * 64, 0, "here")), b"x" * 4000, b"{}", b"\xff"):
            with socket.create_connection(address) as stranger:
                stranger.sendall(word + b"\n")
                told = jobs.hear(lambda heard: any(isinstance(e, Noted) for e in heard))
                assert "token was refused" in told[0].message  # type: ignore[union-attr]
                stranger.settimeout(10)
                assert received(stranger) == b"", "it was told something"

    def test_a_job_in_the_queue_is_told_of_and_goes_to_a_task_that_is_there(
        self, jobs: Jobs
    ) -> None:
        jobs.start("trial-1", 0)
        assert "SLURM's queue" in jobs.executor.waiting("trial-1")
        assert "4 CPU cores and 2 GPUs" in jobs.executor.waiting("trial-1")
        assert jobs.executor._listener is not None
        with socket.create_connection(jobs.executor._listener.getsockname()) as connection:
            task = Channel.over(connection.dup())
            task.send(Hello((jobs.home / FOLDER / "token").read_text(), 1, "here"))
            jobs.executor._looked = 0.0
            jobs.hear(lambda heard: not jobs.executor.waiting("trial-1"))
            assert task.receive_one(SETTING) is not None
            order = next(iter(task.receive(GIVEN))).order
            assert isinstance(order, Run) and order.spec.key == "trial-1"
            jobs.start("trial-2", 1)
            assert jobs.executor.waiting("trial-2"), "its own task has another's job"
            task.send(Told(Ended("trial-1", Outcome(TrialState.DONE, {"accuracy": 1.0}))))
            assert outcomes(jobs.hear(ended(1)))["trial-1"].state == "done"
            task.close()

    def test_a_job_that_waits_in_the_queue_can_be_stopped(self, jobs: Jobs) -> None:
        jobs.start("trial-1")
        jobs.executor.stop("trial-1", "drain")
        jobs.start("trial-2", 1)
        jobs.executor.stop("trial-2", "now")
        ends = outcomes(jobs.hear(ended(2)))
        assert (ends["trial-1"].state, ends["trial-2"].state) == ("queued", "lost")


def received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionError:
        return b""


def test_it_runs_under_the_debug_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLUSTER, "debug")
    jobs = Jobs(tmp_path / "run", 1)
    jobs.start("trial-1")
    (seat,) = jobs.executor._seats
    task = jobs.executor._tasks[0]
    thread = threading.Thread(target=task, daemon=True)  # Its jobs run when their result is asked.
    thread.start()
    assert type(seat.job).__name__ == "DebugJob"
    assert outcomes(jobs.hear(ended(1)))["trial-1"].state == "done"
    jobs.executor.close()
    thread.join(30)
    assert not thread.is_alive(), "a task outlives its engine"


@pytest.mark.parametrize("gpus", [0.5, 1.5])
def test_shares_of_gpus_are_refused_before_anything_runs(gpus: float) -> None:
    with pytest.raises(RecipeError, match=r"resources\.gpus.*SLURM gives whole ones"):
        SlurmExecutor.check(gpus)


def test_the_number_of_workers_must_be_given(tmp_path: Path) -> None:
    context = ExecutorContext({"name": "x"}, (), tmp_path)
    with pytest.raises(RecipeError, match=r"resources\.workers"):
        SlurmExecutor(context)
