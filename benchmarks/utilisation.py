"""How busy workers are on short trials: the share of their time that trials take for themselves.

`python benchmarks/utilisation.py [--seconds 10 1] [--workers 4] [--most-s 180] [--skip-s 60]
[--executor local]`. A trial sleeps for so long in its one epoch; the rest is messages, the ledger,
its syncs to the disk, a checkpoint, folders, the start. Counted are the trials that began and ended
after the first minute. Wall time.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from kills import plugin

from toolkit.engine import run_search
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

RECIPE = """
version: 1
name: utilisation
task: clouds
space: slow_perceptron
strategy: random
budget: {{time: {most_s}}}
resources: {{executor: {executor}, workers: {workers}, threads: 1}}
train: {{epochs: 1, batch_size: 32, final: {{seeds: 1, random: 0, baselines: false}}}}
"""


def measure(
    seconds: float, workers: int, most_s: float, skip_s: float, executor: str
) -> dict[str, float]:
    """Run trials of so many seconds; the share of the workers' time that these took."""
    with TemporaryDirectory(prefix="utilisation-") as temporary:
        home = Path(temporary)
        code, recipe = home / "utilisation_plugin.py", home / "recipe.yaml"
        code.write_text(plugin(seconds))
        recipe.write_text(RECIPE.format(most_s=most_s, workers=workers, executor=executor))
        registry = Registry([code])
        run_search(Problem(load_recipe(recipe, [], registry), registry), home / "run")
        lines = (home / "run/events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    begins = [e for e in events if e["event"] == "trial_started" and e["phase"] == "search"]
    first, last = begins[0]["time"] + skip_s, begins[-1]["time"]
    # From one start to the next in the same slot is one trial's time and all that it costs.
    taken = [
        after["time"] - before["time"]
        for slot in range(workers)
        for own in [[e for e in begins if e["slot"] == slot]]
        for before, after in pairwise(own)
        if first <= before["time"]
    ]
    return {
        "seconds": seconds,
        "trials": len(taken),
        "window_s": round(last - first, 1),
        "busy_percent": round(100 * seconds * len(taken) / sum(taken), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 1.0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--executor", default="local")
    parser.add_argument("--most-s", type=float, default=180.0)
    parser.add_argument("--skip-s", type=float, default=60.0)
    given = parser.parse_args()
    for seconds in given.seconds:
        facts = measure(seconds, given.workers, given.most_s, given.skip_s, given.executor)
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
