"""Runs over the tiny plugin: in this process, or in one of their own as a user starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from toolkit.base.clock import ManualClock
from toolkit.contracts import (
    ExecutorContext,
    Outcome,
    Tested,
    TestJob,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.engine import run_search
from toolkit.engine.deadline import Deadline
from toolkit.engine.session import Session
from toolkit.errors import ToolkitError
from toolkit.executors.inline import InlineExecutor, Script, Step
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.events import EventLog
from toolkit.run.facts import Fact
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.worker.inline import inline_executor

HERE = Path(__file__).parent
T = TypeVar("T")
RECIPE = """
version: 1
name: tiny
task: tiny_task
space: tiny_space
strategy: draw
budget: {trials: 4}
resources: {workers: 1, threads: 1}
train: {final: {seeds: 1, random: 0, baselines: false}}
"""


class Run:
    """One run folder and the engines started on it."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "run"
        self.recipe = home / "recipe.yaml"
        self.recipe.write_text(RECIPE)
        self.environment = {"TOOLKIT_DATA": str(home / "data")}
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start an engine and return at once."""
        process = subprocess.Popen(
            [sys.executable, str(HERE / "run.py"), str(self.recipe), str(self.folder), *overrides],
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def __call__(self, *overrides: str) -> tuple[int, str]:
        """Run an engine to its end: exit code and what it said on standard error."""
        process = self.start(*overrides)
        _, errors = process.communicate(timeout=120)
        return process.returncode, errors

    def trials(self, phase: Any = "search") -> list[TrialRecord]:
        ledger = Ledger.open(self.folder / "ledger.sqlite", read_only=True)
        try:
            return ledger.trials(phase)
        finally:
            ledger.close()

    def fact(self, fact: Fact[T]) -> T:
        ledger = Ledger.open(self.folder / "ledger.sqlite", read_only=True)
        try:
            return ledger.get(fact)
        finally:
            ledger.close()

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def await_event(self, name: str, count: int = 1) -> None:
        """Wait until an event has been written so often."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            path = self.folder / "events.jsonl"
            if path.exists() and path.read_text().count(f'"event": "{name}"') >= count:
                return
            time.sleep(0.02)
        raise AssertionError(f"no {name} within a minute")


class CutOffError(BaseException):
    """Stands for SIGKILL: nothing is to catch it."""


class InlineRun(Run):
    """The same run in this process, with real jobs or scripted trainings, by a clock of its own.

    Attributes:
        train: a script in the place of every training, see `toolkit.executors.inline`; None to
            have real jobs run.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.clock = ManualClock()
        self.train: Script | None = None

    def __call__(self, *overrides: str, **options: Any) -> tuple[int, str]:
        """Run an engine to its end: exit code and what it said. `options` are `run_search`'s."""
        with patch.dict(os.environ, self.environment):
            names = ("tiny_plugin", "sized_plugin", "image_plugin")
            registry = Registry([HERE / name for name in names])
            try:
                recipe = load_recipe(self.recipe, list(overrides), registry)
                code = run_search(
                    Problem(recipe, registry),
                    self.folder,
                    executor=self.executor,
                    clock=self.clock,
                    **options,
                )
            except ToolkitError as error:
                return int(error.exit_code), str(error)
            return int(code), ""

    def cut_off(self, *overrides: str, at: str = "", count: int = 1, **options: Any) -> bool:
        """Run an engine until its death: whether it came to that.

        The folder is left as a killed engine leaves it: what was not on disk by then is lost.

        Args:
            at: the event after which it dies; any by default.
            count: the how manieth of them.
        """
        told = 0
        image = self.home / "image"

        def on_event(name: str, facts: Mapping[str, Any]) -> None:
            nonlocal told
            heard = at in ("", name)
            told += heard
            if heard and told == count:
                shutil.copytree(self.folder, image)
                raise CutOffError

        try:
            self(*overrides, on_event=on_event, **options)
        except CutOffError:
            shutil.rmtree(self.folder)
            image.rename(self.folder)
            return True
        return False

    def executor(self, context: ExecutorContext) -> InlineExecutor:
        if self.train is None:
            return inline_executor(context, self.clock)
        return InlineExecutor(context, self._script, clock=self.clock)

    def _script(self, spec: TrialSpec) -> Generator[Step, None, None]:
        assert self.train is not None
        match spec.job:
            case TrainJob():
                yield from self.train(spec)
            case TestJob(trainings):
                tested = Tested({"accuracy": 0.5}, {"parameters": 10.0})
                yield Outcome(TrialState.DONE, tested={t.number: tested for t in trainings})
            case _:
                yield Outcome(TrialState.DONE)


def children(pid: int) -> list[int]:
    """Processes that a process started and that live."""
    try:
        return [int(w) for w in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def gone(pid: int) -> bool:
    """Whether a process has ended; one that waits to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def inline(tmp_path: Path) -> InlineRun:
    return InlineRun(tmp_path)


@pytest.fixture
def idle_session(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Makes a session over the tiny plugin in which nothing runs, given overrides."""
    nothing: Any = SimpleNamespace()
    folder = RunFolder(tmp_path / "idle")
    folder.path.mkdir()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"{RECIPE}fidelity: {{epochs: 3}}\n")
    registry = Registry([HERE / "tiny_plugin"])
    with closing(Ledger.open(folder.ledger)) as ledger, closing(EventLog(folder.events)) as events:

        def make(*overrides: str) -> Session:
            problem = Problem(load_recipe(recipe, overrides, registry), registry)
            clock = ManualClock()
            deadline = Deadline(problem, 1, 0.0, clock)
            return Session(problem, folder, ledger, nothing, nothing, events, clock, deadline)

        yield make


@pytest.fixture
def left_behind() -> Callable[[list[int]], list[int]]:
    """Which of some processes are still alive a little later."""

    def check(pids: list[int]) -> list[int]:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            alive = [pid for pid in pids if not gone(pid)]
            if not alive:
                return []
            time.sleep(0.02)
        return alive

    return check


@pytest.fixture
def children_of() -> Callable[[int], list[int]]:
    return children
