"""What one engine carries: CPU time and bytes of a trial and of a report, without any training.

    python benchmarks/scaling.py [--trials 400] [--reports 20] [--slots 8 1000] [--json]

Jobs are scripts in the engine's process that pass at once, so that all time is the engine's:
strategy, ledger, its syncs to the disk, events, folders. The cost of a report is the difference
between runs with and without reports. CPU time, as the machine may be busy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.base.clock import ManualClock
from toolkit.contracts import (
    ExecutorContext,
    Outcome,
    Reported,
    Tested,
    TestJob,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.engine import run_search
from toolkit.executors.inline import InlineExecutor, Step
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

PLUGIN = Path(__file__).parents[1] / "tests/toolkit/engine/tiny_plugin"
RECIPE = """
version: 1
name: scaling
task: tiny_task
space: {{name: tiny_space, widths: 1000, depths: 100000}}
strategy: draw
budget: {{trials: {trials}}}
resources: {{threads: 1}}
train: {{final: {{seeds: 1, random: 0, baselines: false}}}}
"""


def measure(trials: int, reports: int, slots: int) -> dict[str, Any]:
    """Runs a search and returns what it took."""

    def script(spec: TrialSpec) -> Generator[Step, None, None]:
        match spec.job:
            case TestJob(trainings):
                tested = Tested({"accuracy": 0.5, "loss": 0.5})
                yield Outcome(TrialState.DONE, tested={t.number: tested for t in trainings})
            case TrainJob():
                for step in range(1, reports + 1):
                    yield Reported(spec.key, step, {"accuracy": 0.5, "loss": 0.5})
                yield Outcome(TrialState.DONE, {"accuracy": 0.5, "loss": 0.5})
            case _:
                yield Outcome(TrialState.DONE)

    def executor(context: ExecutorContext) -> InlineExecutor:
        return InlineExecutor(replace(context, workers=slots), script, clock=ManualClock())

    with tempfile.TemporaryDirectory() as home:
        recipe, folder = Path(home) / "recipe.yaml", Path(home) / "run"
        recipe.write_text(RECIPE.format(trials=trials))
        registry = Registry([PLUGIN])
        problem = Problem(load_recipe(recipe, [], registry), registry)
        marks: dict[str, tuple[float, float]] = {}

        def on_event(name: str, _: Any) -> None:
            now = (time.process_time(), time.perf_counter())
            marks.setdefault(name, now)
            if name == "search_ended":
                marks[name] = now

        code = run_search(problem, folder, executor=executor, on_event=on_event)
        assert code == 0, (code, list(marks))
        begin = marks["trial_started"]
        end = marks.get("search_ended") or marks["final_started"]
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        ledger = sum(size for name, size in sizes.items() if name.startswith("ledger"))
    return {
        "trials": trials,
        "reports": reports,
        "slots": slots,
        "cpu_ms_per_trial": round((end[0] - begin[0]) / trials * 1e3, 3),
        "wall_ms_per_trial": round((end[1] - begin[1]) / trials * 1e3, 3),
        "ledger_bytes_per_trial": round(ledger / trials),
        "event_bytes_per_trial": round(sizes["events.jsonl"] / trials),
    }


def main() -> None:
    """Prints a row for each number of slots and of reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--slots", type=int, nargs="+", default=[8, 1000])
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    asked = parser.parse_args()
    rows = [
        measure(asked.trials, reports, slots)
        for slots in asked.slots
        for reports in (0, asked.reports)
    ]
    if asked.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
