"""The whole published RADAR search, extrapolated from its first epochs.

Runs the search of the recipe `spd_drone_paper` itself - second order, 100 epochs of 50 steps of 30
signals - for a few epochs on one thread, and multiplies the mean CPU time of an epoch. The first
epochs are the dearest: sparsemax still keeps every candidate alive. The goal is that of the
project: 3 CPU-hours affine-invariant, 1.1 log-Euclidean; the published code takes about 31.

    python benchmarks/spd_paper_search.py [--mixing affine_invariant] [--epochs 3] [--json]
"""

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from timing import processor

from toolkit.contracts import StopTrial, TrialContext
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry

GOALS = {"affine_invariant": 3.0, "log_euclidean": 1.1}
"""CPU-hours of the whole search to stay below."""


class FirstEpochs(TrialContext):
    """A trial that ends after some epochs, and keeps their CPU times."""

    def __init__(self, problem: Problem, folder: Path, epochs: int) -> None:
        self.task, self.info = problem.task, problem.task.info()
        self.space, self.train = problem.space(), problem.train(None, {})
        self.splits = self.task.load(folder, problem.recipe.train.seed)
        self.seed, self.device, self.folder = 0, torch.device("cpu"), folder
        self.epochs, self.seconds = epochs, list[float]()
        self.since = time.process_time()

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        """Take the time of an epoch, with its judging on validation data and its checkpoint."""
        now = time.process_time()
        self.seconds.append(now - self.since)
        self.since = now
        if step == self.epochs:
            raise StopTrial

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint."""
        torch.save(dict(state), self.folder / "checkpoint.pt")

    def restore(self) -> None:
        """Begin anew."""


def measure(mixing: str, epochs: int) -> dict[str, Any]:
    """Search for some epochs and extrapolate."""
    registry = Registry([])
    recipe = load_recipe("spd_drone_paper", [f"space.mixing={mixing}"], registry)
    problem = Problem(recipe, registry)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        trial = FirstEpochs(problem, Path(folder), epochs)
        with contextlib.suppress(StopTrial):
            problem.strategy().search(trial)  # type: ignore[attr-defined]
    whole = int(recipe.strategy.options["epochs"])
    ours = whole * sum(trial.seconds) / len(trial.seconds)
    goal = GOALS[mixing] * 3600
    return {
        "work": f"RADAR search of {whole} second-order epochs, {mixing}, from {epochs} epochs",
        "ours_cpu_s": round(ours),
        "peer": "measure",
        "peer_cpu_s": goal,
        "ratio": round(goal / ours, 2),
        "epochs_cpu_s": [round(each, 1) for each in trial.seconds],
    }


def main() -> None:
    """Print a line for each metric."""
    parser = argparse.ArgumentParser(description="Time of the published RADAR search")
    parser.add_argument("--mixing", choices=GOALS, nargs="+", default=list(GOALS))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(mixing, arguments.epochs) for mixing in arguments.mixing]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{processor()}, one thread, torch {torch.__version__}")
    for row in rows:
        hours, goal = row["ours_cpu_s"] / 3600, row["peer_cpu_s"] / 3600
        print(f"{row['work']}: {hours:.2f} CPU-h (at most {goal:g}); epochs {row['epochs_cpu_s']}")


if __name__ == "__main__":
    main()
