"""Jobs on a real Ray cluster of several nodes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tiny import PLUGIN
from toolkit.contracts import Ended, Event, ExecutorContext, Reported, TrainJob, TrialSpec
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'nas-toolkit[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

RECIPE = """
version: 1
name: ray
task: tiny_task
space: {name: tiny_space, epochs: 8, pause_s: {choice: [0.0, 0.5]}}
strategy: draw
"""
PATIENCE_S = 150.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room for jobs, and two machines of one core."""
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL},
    )
    for _ in range(2):
        made.add_node(num_cpus=1, **SMALL)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    made.shutdown()


SMALL = {"object_store_memory": 80 * 1024 * 1024, "num_gpus": 0}


class Jobs:
    """An executor and its jobs, each with a folder in the run's."""

    def __init__(self, home: Path, workers: int, storage: str | None = None) -> None:
        from toolkit_ray.executor import RayExecutor

        self.home = home
        home.mkdir()
        (home / "recipe.yaml").write_text(RECIPE)
        recipe = load_recipe(home / "recipe.yaml", [], Registry([PLUGIN])).resolved()
        context = ExecutorContext(
            recipe, (str(PLUGIN),), home, workers, 0, 1, {"accuracy": "maximize"}, None, storage
        )
        self.executor = RayExecutor(context)
        self.events: list[Event] = []

    def start(self, key: str, slot: int, *, slow: bool = False, known: int = 0) -> None:
        point = {
            "architecture": {"width": 3, "depth": 1},
            "space": {"pause_s": 0.5 if slow else 0.0},
        }
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


@pytest.fixture
def jobs(cluster: Any, tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path / "run", 2)
    yield made
    made.executor.close()


def ended(count: int) -> Callable[[list[Event]], bool]:
    return lambda heard: sum(isinstance(event, Ended) for event in heard) >= count


def outcomes(heard: list[Event]) -> dict[str, Any]:
    return {event.key: event.outcome for event in heard if isinstance(event, Ended)}


def steps(heard: list[Event], key: str) -> list[int]:
    return [e.step for e in heard if isinstance(e, Reported) and e.key == key]


def test_a_lost_machine_costs_no_epoch_that_was_told(cluster: Any, jobs: Jobs) -> None:
    jobs.start("trial-1", 0, slow=True)
    jobs.start("trial-2", 1, slow=True)
    told = jobs.hear(lambda heard: all(len(steps(heard, k)) >= 2 for k in ("trial-1", "trial-2")))
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    told += jobs.hear(ended(2))
    ends = outcomes(told)
    lost = [key for key, outcome in ends.items() if outcome.state == "lost"]
    assert len(lost) == 1, ends
    (other,) = set(ends) - set(lost)
    assert ends[other].state == "done" and steps(told, other) == list(range(1, 9))
    assert (jobs.home / "trials" / lost[0] / "checkpoint" / "state.pt").exists()
    known = max(steps(told, lost[0]))
    # In the slot that has lost its machine: the room is with the actor of the other one.
    jobs.start(lost[0], int(lost[0][-1]) - 1, known=known)
    again = jobs.hear(ended(1))
    assert outcomes(again)[lost[0]].state == "done"
    assert steps(again, lost[0]) == list(range(known + 1, 9)), "told epochs were paid again"


def test_jobs_wait_for_machines_that_come_later(cluster: Any, jobs: Jobs) -> None:
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node)
    jobs.start("trial-1", 0)
    jobs.hear(lambda heard: bool(jobs.executor.waiting("trial-1")))
    note = jobs.executor.waiting("trial-1")
    assert "room on the Ray cluster" in note and "1 CPU core" in note
    cluster.add_node(num_cpus=1, **SMALL)
    assert outcomes(jobs.hear(ended(1)))["trial-1"].state == "done"


def test_a_dead_head_loses_jobs_and_not_the_engine(
    cluster: Any, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    jobs.start("trial-1", 0, slow=True)
    told = jobs.hear(lambda heard: len(steps(heard, "trial-1")) >= 2)
    cluster.shutdown()
    told += jobs.hear(ended(1))
    assert outcomes(told)["trial-1"].state == "lost"
    again = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **SMALL}
    )
    try:
        monkeypatch.setenv("RAY_ADDRESS", again.address)
        # What still knew the old head is lost once more, as an engine bears it.
        for _ in range(3):
            jobs.start("trial-1", 0, known=max(steps(told, "trial-1")))
            told += jobs.hear(ended(1))
            if outcomes(told)["trial-1"].state == "done":
                break
        assert outcomes(told)["trial-1"].state == "done"
        assert steps(told, "trial-1") == list(range(1, 9)), "an epoch is missing, or paid twice"
    finally:
        jobs.executor.close()
        again.shutdown()


@pytest.mark.parametrize("storage", ["url", "above"])
def test_files_come_back_by_storage_too(cluster: Any, tmp_path: Path, storage: str) -> None:
    other = tmp_path / "other"
    jobs = Jobs(tmp_path / "run", 1, f"file://{other}" if storage == "url" else str(tmp_path))
    try:
        jobs.start("trial-1", 0)
        assert outcomes(jobs.hear(ended(1)))["trial-1"].state == "done"
    finally:
        jobs.executor.close()
    folder = jobs.home / "trials" / "trial-1"
    assert (folder / "epochs.txt").read_text().split() == [str(n) for n in range(1, 9)]
    assert (folder / "stdout.log").exists()
    assert bool(list(other.rglob("epochs.txt"))) == (storage != "above")


def test_nothing_is_left_when_it_is_closed(cluster: Any, jobs: Jobs) -> None:
    jobs.start("trial-1", 0, slow=True)
    jobs.hear(lambda heard: len(steps(heard, "trial-1")) >= 1)
    assert workers()
    jobs.executor.close()
    deadline = time.monotonic() + 60
    while workers():
        assert time.monotonic() < deadline, workers()
        time.sleep(0.2)


def workers() -> list[int]:
    """Workers of the toolkit that run in actors of this test's cluster."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "toolkit.worker.main" in process.cmdline():
                found.append(process.pid)
    return found
