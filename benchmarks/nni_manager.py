"""What NNI's experiment manager costs: its start, trials that do nothing, and its end.

`python benchmarks/nni_manager.py [--trials N] [--workers N]`. Wall times depend on what else the
machine does; its load is printed beside them. CPU time is that of every process of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.engine import run_search
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

PLUGIN = Path(__file__).parents[1] / "tests/toolkit/engine/tiny_plugin"
RECIPE = """
version: 1
name: manager
task: tiny_task
space: {{name: tiny_space, epochs: 0, widths: 1000, depths: 100000}}
strategy: draw
budget: {{trials: {trials}}}
resources: {{executor: nni, workers: {workers}, threads: 1}}
train: {{final: {{seeds: 1, random: 0, baselines: false}}}}
"""


class Clock:
    """Notes when things happened."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = {}

    def __call__(self, name: str, body: Mapping[str, Any]) -> None:
        if body.get("phase", "search") == "search":
            self.at.setdefault(name, []).append(time.perf_counter())


def measure(trials: int, workers: int) -> dict[str, float]:
    """Run the trials; the first of each worker is left out of the time of one."""
    clock = Clock()
    registry = Registry([PLUGIN])
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "recipe.yaml"
        path.write_text(RECIPE.format(trials=trials, workers=workers))
        run_search(
            Problem(load_recipe(path, [], registry), registry), Path(home) / "run", on_event=clock
        )
        closed = time.perf_counter()
    ends = clock.at["trial_ended"]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "trials": trials,
        "workers": workers,
        "start_s": clock.at["noted"][0] - clock.at["trial_started"][0],
        "trial_s": (ends[-1] - ends[workers - 1]) / (trials - workers),
        "stop_s": closed - clock.at["run_ended"][0],
        "cpu_s": used.ru_utime + used.ru_stime,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.trials, arguments.workers)))


if __name__ == "__main__":
    main()
