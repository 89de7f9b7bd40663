"""What the engine costs per trial: wall and CPU time of trials that do nothing, on a warm worker.

`python benchmarks/engine_overhead.py [--trials N] [--json]`. The trials build a model and return;
the ledger, its syncs to the disk, folders, logs, pipes and events are those of any run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.engine import run_search
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

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
    """Notes wall and CPU time (engine and worker) at trials' ends."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[tuple[float, float]] = []
        self.worker = 0

    def __call__(self, name: str, body: Mapping[str, Any]) -> None:
        if name == "trial_ended" and body["phase"] == "search":
            self.worker = self.worker or _child(os.getpid())
            self.wall.append(time.perf_counter())
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self.cpu.append((usage.ru_utime + usage.ru_stime, _cpu_seconds(self.worker)))


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
    registry = Registry([PLUGIN])
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "recipe.yaml"
        path.write_text(RECIPE.format(trials=trials))
        run_search(load_recipe(path, [], registry), registry, Path(home) / "run", on_event=clock)
    count = len(clock.wall) - 11
    (engine_from, worker_from), (engine_to, worker_to) = clock.cpu[10], clock.cpu[-1]
    return {
        "trials": count,
        "wall_ms": 1e3 * (clock.wall[-1] - clock.wall[10]) / count,
        "engine_cpu_ms": 1e3 * (engine_to - engine_from) / count,
        "worker_cpu_ms": 1e3 * (worker_to - worker_from) / count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = measure(arguments.trials)
    if arguments.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:15} {value:8.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
