"""What a worker starts ends with it, and takes no more memory than it may; real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from light_workers import without_torch
from tiny import PLUGIN
from toolkit.contracts import Ended, ExecutorContext, Outcome, TrainJob, TrialSpec
from toolkit.executors.keeper import OVER_MEMORY, descendants
from toolkit.executors.local import LocalExecutor
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

pytestmark = pytest.mark.faults

RECIPE = """
version: 1
name: faults
task: tiny_task
space: {{name: tiny_space, fault: {fault}}}
strategy: draw
resources: {{workers: 1, threads: 1}}
"""
ENGINE = """
import sys, time
from toolkit.executors.local import LocalExecutor
from test_keeper import executor, start
made = executor(sys.argv[1])
start(made, sys.argv[1])
while True:
    list(made.events(1.0))
"""


def executor(home: str | Path, fault: str = "strays", memory: int | None = None) -> LocalExecutor:
    recipe = Path(home) / "recipe.yaml"
    recipe.write_text(RECIPE.format(fault=fault))
    resolved = load_recipe(recipe, [], Registry([PLUGIN])).resolved()
    context = ExecutorContext(
        resolved, (str(PLUGIN),), Path(home), workers=1, gpus=0, threads=1, memory=memory
    )
    return LocalExecutor(context)


def start(made: LocalExecutor, home: str | Path) -> None:
    point = {"architecture": {"width": 3, "depth": 1}}
    folder = str(Path(home) / "job")
    made.start(TrialSpec("trial-1", TrainJob(point), 0, folder), made.slots()[0])


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LocalExecutor]]:
    opened: list[LocalExecutor] = []

    def made(fault: str, memory: int | None = None) -> LocalExecutor:
        opened.append(executor(tmp_path, fault, memory))
        start(opened[-1], tmp_path)
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def outcome(made: LocalExecutor) -> Outcome:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for event in made.events(0.1):
            if isinstance(event, Ended):
                return event.outcome
    raise AssertionError("no end within two minutes")


def strays(home: Path, made: LocalExecutor | None = None) -> list[int]:
    """The processes that the job has started, once it has told of them."""
    told = home / "job" / "strays.txt"
    deadline = time.monotonic() + 120
    while not (told.exists() and told.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "the job does not get on"
        if made is None:
            time.sleep(0.05)
        else:
            list(made.events(0.05))
    found = [int(line) for line in told.read_text().split()]
    assert found
    return found


def alive(pids: list[int], within_s: float = 10.0) -> list[int]:
    """Which processes are still there after a while."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        pids = [pid for pid in pids if psutil.pid_exists(pid) and not _is_zombie(pid)]
        if not pids:
            break
        time.sleep(0.02)
    return pids


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def worker_of(keeper: int) -> int:
    others = ("sleep", "bounded_log.py")
    children = psutil.Process(keeper).children()
    (worker,) = (p.pid for p in children if not any(o in " ".join(p.cmdline()) for o in others))
    return worker


def keeper_of(made: LocalExecutor) -> int:
    (keeper,) = (
        process.pid
        for process in psutil.Process().children()
        if "toolkit.executors.keeper" in process.cmdline()
    )
    return keeper


def test_what_a_job_started_ends_when_its_worker_dies_by_itself(
    make: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    made = make("strays_segv")
    ended = outcome(made)
    assert (ended.state, "SIGSEGV" in ended.error) == ("lost", True)
    assert alive(strays(tmp_path)) == []


@pytest.mark.parametrize("killed", ["worker", "keeper"])
def test_what_a_job_started_ends_when_its_worker_is_killed(
    make: Callable[..., LocalExecutor], tmp_path: Path, killed: str
) -> None:
    made = make("strays")
    started = strays(tmp_path, made)
    keeper = keeper_of(made)
    worker = worker_of(keeper)
    if killed == "keeper":  # One that hides from its environment is the keeper's alone to find.
        os.kill(started.pop(), signal.SIGKILL)
    os.kill(keeper if killed == "keeper" else worker, signal.SIGKILL)
    assert outcome(made).state == "lost"
    assert alive([*started, worker, keeper]) == []


def test_what_a_job_started_ends_when_it_is_stopped(
    make: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    made = make("strays")
    started = strays(tmp_path, made)
    made.stop("trial-1", "timeout")
    assert outcome(made).state == "timeout"
    assert alive(started) == []


def test_what_a_job_started_ends_when_the_executor_closes(
    make: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    made = make("strays")
    started = strays(tmp_path, made)
    made.close()
    assert alive(started) == []


def test_what_a_job_started_ends_when_the_engine_is_killed(tmp_path: Path) -> None:
    support = Path(__file__).parents[2] / "support"
    paths = [str(Path(__file__).parent), str(support), os.environ.get("PYTHONPATH", "")]
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        started = strays(tmp_path)
        below = descendants(engine.pid)
        assert set(started) < set(below)
    finally:
        engine.kill()
        engine.wait()
    assert alive(below) == []


def test_a_job_that_takes_too_much_memory_ends_oom_with_all_it_started(
    make: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    made = make("hoard", memory=1_200_000_000)
    ended = outcome(made)
    assert ended.state == "oom"
    assert ended.error.startswith("It took more host memory than resources.memory allows (1.2 GB).")
    assert alive(strays(tmp_path)) == []


def test_a_job_within_its_memory_is_left_alone(make: Callable[..., LocalExecutor]) -> None:
    assert outcome(make("''", memory=4_000_000_000)).state == "done"


def test_a_job_cannot_claim_to_have_been_ended_for_its_memory(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text(f"import os; os._exit({OVER_MEMORY})")
    near, far = os.pipe()
    words = [str(os.getpid()), "0", str(near), str(far), "leaves"]
    command = [sys.executable, "-m", "toolkit.executors.keeper", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(command, pass_fds=(near, far), env=environment, check=False)
    os.close(near)
    os.close(far)
    assert done.returncode == 1
