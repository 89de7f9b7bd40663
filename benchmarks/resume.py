"""How soon a resumed run of many trials is ready: from the command to the first question.

`python benchmarks/resume.py [--trials N] [--metrics M] [--json]`. A ledger of that many finished
trials, each with some reported epochs, is written; then a fresh process resumes the run once per
strategy, up to the strategy's first new proposal. CPU seconds by part, and the
process's largest memory; nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).parents[1] / "tests/toolkit/engine/tiny_plugin"
STRATEGIES = ("auto", "optuna.random", "optuna.tpe", "evolution.regularized", "halving.asha")
RECIPE = """
version: 1
name: resume
task: tiny_task
space: {{name: tiny_space, epochs: 0, widths: 1000, depths: 100000}}
strategy: {strategy}
budget: {{trials: {trials}}}
resources: {{workers: 1, threads: 1}}
train:
  epochs: 9
  lr: {{log: [1.0e-4, 1.0e-1]}}
  weight_decay: {{choice: [0.0, 1.0e-4, 1.0e-2]}}
  batch_size: {{choice: [8, 16, 32]}}
  final: {{seeds: 1, random: 0, baselines: false}}
"""


def write_run(home: Path, strategy: str, trials: int, metrics: int) -> None:
    """Write a run of finished trials of random points, as an engine would have left it."""
    from toolkit.contracts import TrialState
    from toolkit.engine import seeds
    from toolkit.problem import Problem
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry
    from toolkit.run.facts import SMOKE_PASSED
    from toolkit.run.folder import RunFolder
    from toolkit.run.ledger import Ledger
    from toolkit.run.records import TrialRecord
    from toolkit.space import sample

    path = home / "recipe.yaml"
    path.write_text(RECIPE.format(strategy=strategy, trials=trials + 10))
    registry = Registry([PLUGIN])
    recipe = load_recipe(path, [], registry)
    problem, run, rng = Problem(recipe, registry), RunFolder(home / "run"), random.Random(0)
    with run.lock(), closing(Ledger.open(run.ledger)) as ledger:
        objectives, directions = problem.objectives, problem.directions
        run.claim(
            ledger,
            recipe.resolved(),
            recipe.source,
            objectives=objectives,
            directions=directions,
        )
        ledger.put_fact(SMOKE_PASSED, True)
        for number in range(1, trials + 1):
            point = sample(problem.tree, rng)
            fingerprint = problem.fingerprint(point)
            values = {"accuracy": rng.random(), "loss": rng.random()}
            ledger.put(
                TrialRecord(
                    number,
                    "search",
                    "train",
                    TrialState.DONE,
                    point,
                    fingerprint,
                    seeds.derive(0, number),
                    fidelity={"epochs": 1, "of_epochs": 9},
                    values=values,
                    token=token_of(strategy, number),
                    parameters=10,
                    duration_s=1.0,
                    attempts=1,
                    ended=time.time(),
                    told=number,
                    folder=RunFolder.trial_name("search", number, fingerprint, "", 0),
                )
            )
            for step in range(1, metrics + 1):
                ledger.add_metrics(number, step, values, {})


def token_of(strategy: str, number: int) -> Any:
    """What a strategy would have noted of a trial: its generation."""
    names = {"optuna.nsga2": "NSGAIISampler", "optuna.nsga3": "NSGAIIISampler"}
    return {f"{names[strategy]}:generation": (number - 1) // 50} if strategy in names else None


class Asked(Exception):  # noqa: N818 - the end of what is measured
    """The strategy has been asked."""


class Clock:
    """CPU seconds of this process by part."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = 0.0  # so that the first part holds the start of the interpreter

    def __call__(self, part: str) -> None:
        now = time.process_time()
        self.parts[part] = now - self._last
        self._last = now


def resume(home: Path) -> dict[str, Any]:
    """Resume the run in this process up to its first question; CPU seconds by part."""
    clock = Clock()
    from toolkit.engine import run_search
    from toolkit.engine.search import Search
    from toolkit.problem import Problem
    from toolkit.recipe import load_recipe
    from toolkit.registry import Registry

    clock("imports")
    registry = Registry([PLUGIN])
    recipe = load_recipe(home / "recipe.yaml", [], registry)
    clock("recipe")
    restore = Search.restore

    def timed_restore(self: Search, *args: Any) -> None:
        clock("set-up, ledger read")
        restore(self, *args)
        clock("replay")

    def ask(self: Search) -> str:
        self.strategy.ask()
        clock("first proposal")
        raise Asked

    Search.restore, Search.run = timed_restore, ask  # type: ignore[method-assign]
    with suppress(Asked):
        run_search(Problem(recipe, registry), home / "run")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {**clock.parts, "total": time.process_time(), "peak MB": peak}


def measure(strategy: str, trials: int, metrics: int) -> dict[str, Any]:
    """Write a run and resume it in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        write_run(Path(home), strategy, trials, metrics)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        answer = subprocess.run(
            [sys.executable, __file__, "--resume", home],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--metrics", type=int, default=3, help="reported epochs of each trial")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--json", action="store_true", help="print one JSON object a strategy")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.resume:
        print(json.dumps(resume(arguments.resume)))
        return
    for strategy in arguments.strategies:
        result = measure(strategy, arguments.trials, arguments.metrics)
        if arguments.json:
            print(json.dumps({"strategy": strategy, **result}))
            continue
        print(strategy)
        for name, value in result.items():
            print(f"  {name:22} {value:8.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
